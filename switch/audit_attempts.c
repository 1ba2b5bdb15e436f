#include "audit_attempts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <linux/perf_event.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "loop.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))
#define TO(pointer) ((intptr_t)(pointer))

/* Arguments that are known only when it runs. */
enum { SOCKET = -1001, LISTENER, VICTIM };

/* The NUL in front makes it abstract: such a name is no file, so that no empty
 * root is in its way. */
static const struct sockaddr_un target = { AF_UNIX, "\0ringswitch-audit" };
static const struct sockaddr_un squatted = { AF_UNIX, "\0ringswitch-taken" };
#define NAME_BYTES (offsetof(struct sockaddr_un, sun_path) + 17)

static const struct rlimit limit = { 4096, 4096 };
static char empty[1];
static char *const words[] = { empty, NULL };
static struct io_uring_params ring;
static struct ifreq device;
static const union bpf_attr program = { .insn_cnt = 1 };
static const union bpf_attr map = { .map_type = BPF_MAP_TYPE_ARRAY };
static const struct perf_event_attr event = { .size = sizeof(event) };
static struct open_how how;

static const struct {
	const char *what;
	long call;
	intptr_t arguments[6];
	const char *allowed;
} calls[] = {
	{ "read a file (/etc/passwd)", SYS_openat, { AT_FDCWD, TO("/etc/passwd"), O_RDONLY }, NULL },
	{ "read a file, in the newer way", SYS_openat2, { AT_FDCWD, TO("/etc/passwd"), TO(&how), sizeof(how) }, NULL },
	{ "list the root directory", SYS_openat, { AT_FDCWD, TO("/"), O_RDONLY | O_DIRECTORY }, NULL },
	{ "write a file (/tmp/audit)", SYS_openat, { AT_FDCWD, TO("/tmp/audit"), O_WRONLY | O_CREAT, 0600 }, NULL },
	{ "write its own code (/proc/self/mem)", SYS_openat, { AT_FDCWD, TO("/proc/self/mem"), O_RDWR }, NULL },
	{ "open a device (/dev/net/tun)", SYS_openat, { AT_FDCWD, TO("/dev/net/tun"), O_RDWR }, NULL },
	{ "make a directory", SYS_mkdirat, { AT_FDCWD, TO("/tmp/audit"), 0700 }, NULL },
	{ "remove a file", SYS_unlinkat, { AT_FDCWD, TO("/tmp/audit"), 0 }, NULL },
	{ "rename a file", SYS_renameat2, { AT_FDCWD, TO("/tmp/audit"), AT_FDCWD, TO("/tmp/audit2"), 0 }, NULL },
	{ "make a symbolic link", SYS_symlinkat, { TO("/"), AT_FDCWD, TO("/tmp/audit") }, NULL },
	{ "change the permissions of a file", SYS_fchmodat, { AT_FDCWD, TO("/tmp/audit"), 0777 }, NULL },
	{ "change the directory", SYS_chdir, { TO("/") }, NULL },
	{ "change the root", SYS_chroot, { TO("/") }, NULL },
	{ "mount something", SYS_mount, { TO("none"), TO("/"), TO("tmpfs"), 0, 0 }, NULL },

	{ "execute a program (/bin/sh)", SYS_execve, { TO("/bin/sh"), TO(words), 0 }, NULL },
	{ "execute a descriptor", SYS_execveat, { LISTENER, TO(empty), TO(words), 0, AT_EMPTY_PATH }, NULL },
	{ "start a process", SYS_clone, { SIGCHLD }, NULL },
	{ "run code of its own (executable memory)", SYS_mmap, { 0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0 }, NULL },
	{ "trace another process", SYS_ptrace, { PTRACE_SEIZE, VICTIM, 0, 0 }, NULL },
	{ "read another process's memory", SYS_process_vm_readv, { VICTIM, 0, 0, 0, 0, 0 }, NULL },
	{ "name another process (pidfd)", SYS_pidfd_open, { VICTIM, 0 }, NULL },
	{ "signal another process", SYS_kill, { VICTIM, 0 }, NULL },
	{ "change another process's limits", SYS_prlimit64, { VICTIM, RLIMIT_NOFILE, TO(&limit), 0 }, NULL },

	{ "become another user", SYS_setresuid, { 1, 1, 1 }, NULL },
	{ "become root", SYS_setresuid, { 0, 0, 0 }, NULL },
	{ "leave a group", SYS_setgroups, { 0, 0 }, NULL },
	{ "make namespaces", SYS_unshare, { CLONE_NEWUSER | CLONE_NEWNET }, NULL },
	{ "enter a namespace", SYS_setns, { LISTENER, 0 }, NULL },

	{ "make a unix socket", SYS_socket, { AF_UNIX, SOCK_STREAM, 0 }, NULL },
	{ "make an internet socket", SYS_socket, { AF_INET, SOCK_STREAM, 0 }, NULL },
	{ "make a packet socket", SYS_socket, { AF_PACKET, SOCK_RAW, 0 }, NULL },
	{ "make a netlink socket", SYS_socket, { AF_NETLINK, SOCK_RAW, NETLINK_ROUTE }, NULL },
	{ "connect by name", SYS_connect, { SOCKET, TO(&target), NAME_BYTES }, NULL },
	{ "send by name", SYS_sendto, { SOCKET, TO(empty), 1, MSG_DONTWAIT, TO(&target), NAME_BYTES }, NULL },
	{ "take a name", SYS_bind, { SOCKET, TO(&squatted), NAME_BYTES }, NULL },
	{ "listen", SYS_listen, { SOCKET, 1 }, NULL },

	{ "make another ring", SYS_io_uring_setup, { 4, TO(&ring) }, NULL },
	{ "command a device (ioctl)", SYS_ioctl, { SOCKET, SIOCGIFCONF, 0 }, NULL },
	{ "make a tap", SYS_ioctl, { SOCKET, TUNSETIFF, TO(&device) }, NULL },
	{ "load a program into the kernel", SYS_bpf, { BPF_PROG_LOAD, TO(&program), sizeof(program) }, NULL },
	{ "make a map in the kernel", SYS_bpf, { BPF_MAP_CREATE, TO(&map), sizeof(map) }, NULL },
	{ "get at other programs' maps", SYS_bpf, { BPF_MAP_GET_FD_BY_ID, TO(&map), sizeof(map) }, NULL },
	{ "measure the kernel", SYS_perf_event_open, { TO(&event), 0, -1, -1, 0 }, NULL },
	{ "use the kernel's keys", SYS_keyctl, { 0, 0, 0 }, NULL },
	{ "handle page faults", SYS_userfaultfd, { 0 }, NULL },

	{ "receive from sockets that it has", SYS_recvfrom, { LISTENER, TO(empty), 1, MSG_DONTWAIT, 0, 0 }, "it moves frames between them" },
	{ "send to whom they are connected to", SYS_sendto, { LISTENER, TO(empty), 1, MSG_DONTWAIT, 0, 0 }, "it moves frames between them" },
	{ "make files that are memory only", SYS_memfd_create, { TO("audit"), MFD_CLOEXEC }, "buffers of captures are" },
};

size_t audit_call_count(void)
{
	return COUNT(calls);
}

const char *audit_call_what(size_t i)
{
	return calls[i].what;
}

const char *audit_call_allowed(size_t i)
{
	return calls[i].allowed;
}

static intptr_t argument(intptr_t value, const struct audit_targets *t)
{
	switch (value) {
	case SOCKET:
		return t->socket;
	case LISTENER:
		return t->listener;
	case VICTIM:
		return t->victim;
	default:
		return value;
	}
}

long audit_call(size_t i, const struct audit_targets *t)
{
	intptr_t a[6];
	long result;

	for (size_t n = 0; n < COUNT(a); n++)
		a[n] = argument(calls[i].arguments[n], t);
	result = syscall(calls[i].call, a[0], a[1], a[2], a[3], a[4], a[5]);
	return result < 0 ? -errno : result;
}

bool audit_is_refusal(long result)
{
	return result == -EPERM || result == -EACCES || result == -ENOSYS;
}

int audit_targets_make(struct audit_targets *t)
{
	t->victim = getpid();
	t->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	t->listener = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (t->socket < 0 || t->listener < 0 ||
	    bind(t->listener, (const void *)&target, NAME_BYTES))
		return -errno;
	return 0;
}

/* --- the ring -------------------------------------------------------------- */

static void ask_open(struct io_uring_sqe *sqe, const struct audit_targets *t)
{
	(void)t;
	io_uring_prep_openat(sqe, AT_FDCWD, "/etc/passwd", O_RDONLY, 0);
}

static void ask_remove(struct io_uring_sqe *sqe, const struct audit_targets *t)
{
	(void)t;
	io_uring_prep_unlinkat(sqe, AT_FDCWD, "/tmp/audit", 0);
}

static void ask_socket(struct io_uring_sqe *sqe, const struct audit_targets *t)
{
	(void)t;
	io_uring_prep_socket(sqe, AF_UNIX, SOCK_STREAM, 0, 0);
}

static void ask_connect(struct io_uring_sqe *sqe, const struct audit_targets *t)
{
	io_uring_prep_connect(sqe, t->socket, (const void *)&target, NAME_BYTES);
}

static void ask_send(struct io_uring_sqe *sqe, const struct audit_targets *t)
{
	io_uring_prep_send(sqe, t->socket, empty, 1, MSG_DONTWAIT);
}

static void ask_write(struct io_uring_sqe *sqe, const struct audit_targets *t)
{
	io_uring_prep_write(sqe, t->socket, empty, 1, 0);
}

static void ask_receive(struct io_uring_sqe *sqe, const struct audit_targets *t)
{
	io_uring_prep_recv(sqe, t->listener, empty, 1, MSG_DONTWAIT);
}

static const struct {
	const char *what;
	void (*ask)(struct io_uring_sqe *sqe, const struct audit_targets *t);
} requests[] = {
	{ "ring: read a file (/etc/passwd)", ask_open },
	{ "ring: remove a file", ask_remove },
	{ "ring: make a socket", ask_socket },
	{ "ring: connect by name", ask_connect },
	{ "ring: send", ask_send },
	{ "ring: write", ask_write },
	{ "ring: use a descriptor that it has not been given", ask_receive },
};

/* Another user than the process's, for requests. */
static const char personality[] = "ring: keep its privileges (personality)";

size_t audit_request_count(void)
{
	return COUNT(requests) + 1;
}

const char *audit_request_what(size_t i)
{
	return i < COUNT(requests) ? requests[i].what : personality;
}

/* The answer to the request that is marked so: others may have come. */
static long answer(struct io_uring *from, uint64_t mark)
{
	struct io_uring_cqe *cqe;

	for (;;) {
		int err = io_uring_submit_and_wait(from, 1);

		if (err < 0)
			return err;
		while (!io_uring_peek_cqe(from, &cqe)) {
			bool is = cqe->user_data == mark;
			int result = cqe->res;

			io_uring_cqe_seen(from, cqe);
			if (is)
				return result;
		}
	}
}

long audit_request(size_t i, struct loop *loop, const struct audit_targets *t)
{
	struct io_uring_sqe *sqe;
	uint64_t mark = UINT64_MAX - i;

	if (i == COUNT(requests))
		return io_uring_register_personality(&loop->ring);
	sqe = io_uring_get_sqe(&loop->ring);
	if (!sqe)
		return -EBUSY;
	requests[i].ask(sqe, t);
	sqe->user_data = mark;
	return answer(&loop->ring, mark);
}
