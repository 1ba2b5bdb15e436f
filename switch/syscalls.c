/*
 * What is in the list is what a running switch has been seen to call, in all of
 * its tests, and what the C library needs to end in good order. Where a call can
 * do more than the switch wants of it, its arguments are looked at too; paths
 * and addresses cannot be, so that nothing is here that takes one and would do
 * something with it in an empty root, except a message to an address (sendmsg,
 * sendto): there Landlock stands before what is not connected (privilege.c).
 *
 * The call that matters (io_uring_enter) has no conditions: the kernel remembers
 * such answers and does not run the list for it.
 */
#include "syscalls.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sanitizer.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static const int allowed[] = {
	/* frames */
	SCMP_SYS(io_uring_enter), SCMP_SYS(sendmmsg), SCMP_SYS(sendmsg),
	SCMP_SYS(sendto), SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(read),
	SCMP_SYS(readv), SCMP_SYS(recvmsg), SCMP_SYS(recvfrom),
	SCMP_SYS(recvmmsg),
	/* descriptors that there are, or that come from somebody who connects */
	SCMP_SYS(accept4), SCMP_SYS(close), SCMP_SYS(dup2), SCMP_SYS(dup3),
	SCMP_SYS(shutdown), SCMP_SYS(poll),
	SCMP_SYS(ppoll), SCMP_SYS(getsockopt), SCMP_SYS(dup2), SCMP_SYS(dup3),
	SCMP_SYS(getsockname), SCMP_SYS(getpeername), SCMP_SYS(fstat),
	SCMP_SYS(newfstatat), SCMP_SYS(lseek), SCMP_SYS(pread64),
	SCMP_SYS(inotify_rm_watch),
	SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_ctl),
	/* descriptors of nothing but memory */
	SCMP_SYS(memfd_create), SCMP_SYS(ftruncate), SCMP_SYS(eventfd2),
	SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_settime),
	SCMP_SYS(epoll_create1), SCMP_SYS(socketpair), SCMP_SYS(pipe2),
	/* memory, none of it to be executed: see below */
	SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise),
	/* time and chance */
	SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(time),
	SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep), SCMP_SYS(getrandom),
	/* itself, and the processes that it has started before */
	SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(getuid),
	SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid),
	SCMP_SYS(uname), SCMP_SYS(getrusage), SCMP_SYS(sysinfo),
	SCMP_SYS(sched_yield),
	SCMP_SYS(sched_getaffinity), SCMP_SYS(futex), SCMP_SYS(membarrier),
	SCMP_SYS(wait4), SCMP_SYS(waitid), SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
	SCMP_SYS(restart_syscall), SCMP_SYS(exit), SCMP_SYS(exit_group),
};

/* Argument @argument, with only the bits of @mask, has to be @value. A call
 * with several of these may be any of them. */
struct condition {
	int call;
	unsigned argument;
	uint64_t mask, value;
};

#define EXACTLY UINT32_MAX

#define SO_PASSRIGHTS_ 83 /* asm-generic/socket.h, Linux 6.16 */

static const struct condition conditions[] = {
	{ SCMP_SYS(mmap), 2, PROT_EXEC, 0 },
	{ SCMP_SYS(mprotect), 2, PROT_EXEC, 0 },
	{ SCMP_SYS(fcntl), 1, EXACTLY, F_GETFD },
	{ SCMP_SYS(fcntl), 1, EXACTLY, F_SETFD },
	{ SCMP_SYS(fcntl), 1, EXACTLY, F_GETFL },
	{ SCMP_SYS(fcntl), 1, EXACTLY, F_SETFL },
	{ SCMP_SYS(fcntl), 1, EXACTLY, F_DUPFD_CLOEXEC },
	{ SCMP_SYS(fcntl), 1, EXACTLY, F_ADD_SEALS },
	{ SCMP_SYS(fcntl), 1, EXACTLY, F_GET_SEALS },
	/* Ports come and go (loop_ring.c); a ring that is registered itself
	 * (newer libraries) has the highest bit. */
	{ SCMP_SYS(io_uring_register), 1, INT32_MAX, IORING_REGISTER_FILES_UPDATE },
	{ SCMP_SYS(io_uring_register), 1, INT32_MAX, IORING_REGISTER_PBUF_RING },
	{ SCMP_SYS(io_uring_register), 1, INT32_MAX, IORING_UNREGISTER_PBUF_RING },
	/* Rules change in maps; a program is never loaded here. */
	{ SCMP_SYS(bpf), 0, EXACTLY, BPF_MAP_LOOKUP_ELEM },
	{ SCMP_SYS(bpf), 0, EXACTLY, BPF_MAP_UPDATE_ELEM },
	{ SCMP_SYS(bpf), 0, EXACTLY, BPF_MAP_DELETE_ELEM },
	{ SCMP_SYS(bpf), 0, EXACTLY, BPF_MAP_GET_NEXT_KEY },
	{ SCMP_SYS(bpf), 0, EXACTLY, BPF_OBJ_GET_INFO_BY_FD },
};

/* There is no innocent reason for these. */
static const int deadly[] = {
	SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(fork), SCMP_SYS(vfork),
	SCMP_SYS(clone), SCMP_SYS(clone3), SCMP_SYS(io_uring_setup),
	SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev), SCMP_SYS(pidfd_getfd),
	SCMP_SYS(unshare), SCMP_SYS(setns), SCMP_SYS(mount),
	SCMP_SYS(move_mount), SCMP_SYS(fsmount), SCMP_SYS(open_tree),
	SCMP_SYS(pivot_root), SCMP_SYS(chroot), SCMP_SYS(userfaultfd),
	SCMP_SYS(perf_event_open), SCMP_SYS(keyctl), SCMP_SYS(add_key),
	SCMP_SYS(request_key), SCMP_SYS(init_module),
	SCMP_SYS(finit_module), SCMP_SYS(kexec_load), SCMP_SYS(personality),
};

/* What the sanitizers' run-time needs in addition to report and to end: the
 * stack that signals are taken on, and how large a stack may be. */
static const struct condition sanitizers[] = {
	{ SCMP_SYS(sigaltstack), 0, 0, 0 },
	{ SCMP_SYS(mincore), 0, 0, 0 },
	{ SCMP_SYS(prlimit64), 0, EXACTLY, 0 }, /* its own */
};

static int add_calls(scmp_filter_ctx list, uint32_t action, const int *calls,
		     size_t count)
{
	int err = 0;

	for (size_t i = 0; !err && i < count; i++)
		err = seccomp_rule_add(list, action, calls[i], 0);
	return err;
}

static int add_conditions(scmp_filter_ctx list, const struct condition *c,
			  size_t count)
{
	int err = 0;

	for (; !err && count; c++, count--) {
		const struct scmp_arg_cmp is = {
			.arg = c->argument,
			.op = SCMP_CMP_MASKED_EQ,
			.datum_a = c->mask,
			.datum_b = c->value,
		};

		err = seccomp_rule_add_array(list, SCMP_ACT_ALLOW, c->call, 1,
					     &is);
	}
	return err;
}

/* Options of sockets: who sends is to be told (port_bess.c), and no descriptor to
 * come with what is sent (socket_file.c); HTTP answers go at once. */
static const struct {
	scmp_datum_t level, option;
} socket_options[] = {
	{ SOL_SOCKET, SO_PASSCRED },
	{ SOL_SOCKET, SO_PASSRIGHTS_ },
	{ IPPROTO_TCP, TCP_NODELAY },
	{ IPPROTO_TCP, TCP_CORK },
};

static int add_socket_options(scmp_filter_ctx list)
{
	int err = 0;

	for (size_t i = 0; !err && i < COUNT(socket_options); i++) {
		const struct scmp_arg_cmp are[] = {
			{ .arg = 1,
			  .op = SCMP_CMP_EQ,
			  .datum_a = socket_options[i].level },
			{ .arg = 2,
			  .op = SCMP_CMP_EQ,
			  .datum_a = socket_options[i].option },
		};

		err = seccomp_rule_add_array(list, SCMP_ACT_ALLOW,
					     SCMP_SYS(setsockopt), COUNT(are),
					     are);
	}
	return err;
}

/* A signal, to itself: abort(3). */
static int add_abort(scmp_filter_ctx list)
{
	const struct scmp_arg_cmp ourselves = {
		.arg = 0,
		.op = SCMP_CMP_EQ,
		.datum_a = (scmp_datum_t)getpid(),
	};

	return seccomp_rule_add_array(list, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
				      &ourselves);
}

int syscalls_restrict(void)
{
	scmp_filter_ctx list = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int err = list ? 0 : -ENOMEM;

	if (!err)
		err = add_calls(list, SCMP_ACT_ALLOW, allowed, COUNT(allowed));
	if (!err)
		err = add_conditions(list, conditions, COUNT(conditions));
	if (!err)
		err = add_socket_options(list);
	if (!err)
		err = add_abort(list);
	if (!err && SANITIZED)
		err = add_conditions(list, sanitizers, COUNT(sanitizers));
	if (!err)
		err = add_calls(list, SCMP_ACT_KILL_PROCESS, deadly,
				COUNT(deadly));
	if (!err)
		err = seccomp_load(list);
	seccomp_release(list);
	return err;
}
