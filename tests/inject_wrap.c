/*
 * What the linker puts in place of the functions in inject_calls.h, and of some
 * that a line there does not describe.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <bsd/libutil.h>
#include <cap-ng.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <microhttpd.h>
#include <net/if.h>
/* Its struct bpf_insn is another than the kernel's. */
#define PCAP_DONT_INCLUDE_PCAP_BPF_H
#include <pcap/pcap.h>
#include <poll.h>
#include <pwd.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "../switch/forward.h"
#include "../switch/frame.h"
#include "inject.h"

#define HOW() inject_at(__builtin_return_address(0))

/* Arguments are copied as they are: brackets around them would be wrong. */
#define DECLARE(type, name, parameters) \
	type __real_##name parameters;  \
	type __wrap_##name parameters;

#define FAILS(type, name, then, parameters, arguments)  \
	DECLARE(type, name, parameters)                  \
	type __wrap_##name parameters                    \
	{                                                \
		int how = HOW();                         \
                                                         \
		if (how <= 0)                            \
			return __real_##name arguments;  \
		errno = how;                             \
		return then;                             \
	}

#define GIVES(type, name, parameters, arguments)                          \
	DECLARE(type, name, parameters)                                   \
	type __wrap_##name parameters                                     \
	{                                                                 \
		int how = HOW();                                          \
                                                                          \
		return how > 0 ? (type)-how : __real_##name arguments;    \
	}

#include "inject_calls.h"

/* Failing a call: errno is set, -1 is what it returns. */
static int fail(int how)
{
	errno = how;
	return -1;
}

/* Only a stream takes or gives less than it is asked for. */
static bool is_stream(int fd)
{
	int type = 0;
	socklen_t bytes = sizeof(type);

	return !__real_getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &bytes) &&
	       type == SOCK_STREAM;
}

static size_t half(int how, int fd, size_t bytes)
{
	return how == INJECT_SHORT && bytes > 1 && is_stream(fd) ? bytes / 2
								 : bytes;
}

#define TRANSFERS(name, look, parameters, ...)                                \
	DECLARE(ssize_t, name, parameters)                                    \
	ssize_t __wrap_##name parameters                                      \
	{                                                                     \
		int how = HOW();                                              \
                                                                              \
		look;                                                         \
		if (how > 0)                                                  \
			return fail(how);                                     \
		return __real_##name(fd, data, half(how, fd, bytes), ##__VA_ARGS__); \
	}

#define NOTHING (void)0
#define GOES_OUT inject_look(INJECT_GOES_OUT, data, bytes)

TRANSFERS(read, NOTHING, (int fd, void *data, size_t bytes))
TRANSFERS(write, GOES_OUT, (int fd, const void *data, size_t bytes))
TRANSFERS(recv, NOTHING, (int fd, void *data, size_t bytes, int flags), flags)
TRANSFERS(send, GOES_OUT,
	  (int fd, const void *data, size_t bytes, int flags), flags)
TRANSFERS(sendto, NOTHING,
	  (int fd, const void *data, size_t bytes, int flags,
	   const struct sockaddr *to, socklen_t to_bytes),
	  flags, to, to_bytes)
TRANSFERS(pread, NOTHING, (int fd, void *data, size_t bytes, off_t at), at)
TRANSFERS(pwrite, NOTHING,
	  (int fd, const void *data, size_t bytes, off_t at), at)

DECLARE(ssize_t, recvmsg, (int fd, struct msghdr *message, int flags))
ssize_t __wrap_recvmsg(int fd, struct msghdr *message, int flags)
{
	int how = HOW();

	return how > 0 ? fail(how) : __real_recvmsg(fd, message, flags);
}

/* Short: half of the first piece of what was to be sent. */
DECLARE(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags))
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
	int how = HOW();
	struct msghdr less = *message;
	struct iovec first;

	if (how > 0)
		return fail(how);
	if (how != INJECT_SHORT || !less.msg_iovlen || !is_stream(fd))
		return __real_sendmsg(fd, message, flags);
	first = less.msg_iov[0];
	first.iov_len = half(how, fd, first.iov_len);
	less.msg_iov = &first;
	less.msg_iovlen = 1;
	return __real_sendmsg(fd, &less, flags);
}

/* Each frame is a part; on a stream a header is one as well. */
static void look_at_parts(const struct msghdr *message)
{
	for (size_t i = 0; i < message->msg_iovlen; i++)
		inject_look(INJECT_GOES_OUT, message->msg_iov[i].iov_base,
			    message->msg_iov[i].iov_len);
}

/* Short: half of the messages, or of the first one on a stream. */
DECLARE(int, sendmmsg,
	(int fd, struct mmsghdr *messages, unsigned count, int flags))
int __wrap_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
	int how = HOW();

	for (unsigned i = 0; i < count; i++)
		look_at_parts(&messages[i].msg_hdr);
	if (how > 0)
		return fail(how);
	if (how == INJECT_SHORT && count > 1)
		count /= 2;
	return __real_sendmmsg(fd, messages, count, flags);
}

/* It is closed whatever it says (close(2)). */
DECLARE(int, close, (int fd))
int __wrap_close(int fd)
{
	int how = HOW();
	int result = __real_close(fd);

	return how > 0 ? fail(how) : result;
}

DECLARE(int, fclose, (FILE *stream))
int __wrap_fclose(FILE *stream)
{
	int how = HOW();
	int result = __real_fclose(stream);

	return how > 0 ? fail(how) : result;
}

DECLARE(int, fflush, (FILE *stream))
int __wrap_fflush(FILE *stream)
{
	int how = HOW();

	return how > 0 ? fail(how) : __real_fflush(stream);
}

DECLARE(size_t, fread, (void *data, size_t bytes, size_t count, FILE *from))
size_t __wrap_fread(void *data, size_t bytes, size_t count, FILE *from)
{
	int how = HOW();

	if (how <= 0)
		return __real_fread(data, bytes, count, from);
	errno = how;
	return 0;
}

/* One argument more than is said, of any kind that fits a register. */
DECLARE(int, open, (const char *path, int flags, ...))
int __wrap_open(const char *path, int flags, ...)
{
	int how = HOW();
	va_list more;
	unsigned mode;

	va_start(more, flags);
	mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(more, unsigned) : 0;
	va_end(more);
	return how > 0 ? fail(how) : __real_open(path, flags, mode);
}

DECLARE(int, openat, (int at, const char *path, int flags, ...))
int __wrap_openat(int at, const char *path, int flags, ...)
{
	int how = HOW();
	va_list more;
	unsigned mode;

	va_start(more, flags);
	mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(more, unsigned) : 0;
	va_end(more);
	return how > 0 ? fail(how) : __real_openat(at, path, flags, mode);
}

DECLARE(int, fcntl, (int fd, int command, ...))
int __wrap_fcntl(int fd, int command, ...)
{
	int how = HOW();
	va_list more;
	long argument;

	va_start(more, command);
	argument = va_arg(more, long);
	va_end(more);
	return how > 0 ? fail(how) : __real_fcntl(fd, command, argument);
}

DECLARE(int, ioctl, (int fd, unsigned long request, ...))
int __wrap_ioctl(int fd, unsigned long request, ...)
{
	int how = HOW();
	va_list more;
	void *argument;

	va_start(more, request);
	argument = va_arg(more, void *);
	va_end(more);
	return how > 0 ? fail(how) : __real_ioctl(fd, request, argument);
}

DECLARE(int, prctl, (int option, ...))
int __wrap_prctl(int option, ...)
{
	int how = HOW();
	unsigned long a[4];
	va_list more;

	va_start(more, option);
	for (int i = 0; i < 4; i++)
		a[i] = va_arg(more, unsigned long);
	va_end(more);
	return how > 0 ? fail(how) : __real_prctl(option, a[0], a[1], a[2], a[3]);
}

DECLARE(long, syscall, (long number, ...))
long __wrap_syscall(long number, ...)
{
	int how = HOW();
	long a[6];
	va_list more;

	va_start(more, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(more, long);
	va_end(more);
	return how > 0 ? fail(how)
		       : __real_syscall(number, a[0], a[1], a[2], a[3], a[4],
					a[5]);
}

DECLARE(int, sd_notifyf, (int unset, const char *format, ...))
int __wrap_sd_notifyf(int unset, const char *format, ...)
{
	int how = HOW();
	char text[256];
	va_list more;

	va_start(more, format);
	vsnprintf(text, sizeof(text), format, more);
	va_end(more);
	return how > 0 ? -how : __real_sd_notify(unset, text);
}

DECLARE(struct MHD_Daemon *, MHD_start_daemon,
	(unsigned flags, uint16_t port, MHD_AcceptPolicyCallback accepts,
	 void *accepts_with, MHD_AccessHandlerCallback handles,
	 void *handles_with, ...))
struct MHD_Daemon *__wrap_MHD_start_daemon(unsigned flags, uint16_t port,
					   MHD_AcceptPolicyCallback accepts,
					   void *accepts_with,
					   MHD_AccessHandlerCallback handles,
					   void *handles_with, ...)
{
	int how = HOW();
	struct MHD_Daemon *daemon = NULL;
	va_list more;

	va_start(more, handles_with);
	if (how <= 0)
		daemon = MHD_start_daemon_va(flags, port, accepts, accepts_with,
					     handles, handles_with, more);
	else
		errno = how;
	va_end(more);
	return daemon;
}

/* Whoever adds a connection has given it away, whether it was wanted or not. */
DECLARE(enum MHD_Result, MHD_add_connection,
	(struct MHD_Daemon * daemon, int fd, const struct sockaddr *address,
	 socklen_t bytes))
enum MHD_Result __wrap_MHD_add_connection(struct MHD_Daemon *daemon, int fd,
					  const struct sockaddr *address,
					  socklen_t bytes)
{
	int how = HOW();

	if (how <= 0)
		return __real_MHD_add_connection(daemon, fd, address, bytes);
	__real_close(fd);
	errno = how;
	return MHD_NO;
}

/* Not a call that fails: where every frame comes along that has been read. */
DECLARE(void, forward_frame,
	(struct forward *fw, struct port *in, struct frame *f, uint32_t now_s))
void __wrap_forward_frame(struct forward *fw, struct port *in, struct frame *f,
			  uint32_t now_s)
{
	if (f->len <= f->pool->slot_bytes)
		inject_look(INJECT_COMES_IN, f->data, f->len);
	__real_forward_frame(fw, in, f, now_s);
}

#define SUBMITS(name, parameters, arguments)              \
	DECLARE(int, name, parameters)                    \
	int __wrap_##name parameters                      \
	{                                                 \
		int how = HOW();                          \
		int result;                               \
                                                          \
		if (how > 0)                              \
			return -how;                      \
		inject_requests(ring);                    \
		result = __real_##name arguments;         \
		inject_completions(ring);                 \
		return result;                            \
	}

SUBMITS(io_uring_submit, (struct io_uring * ring), (ring))
SUBMITS(io_uring_submit_and_wait, (struct io_uring * ring, unsigned count),
	(ring, count))
SUBMITS(io_uring_submit_and_get_events, (struct io_uring * ring), (ring))
SUBMITS(io_uring_submit_and_wait_timeout,
	(struct io_uring * ring, struct io_uring_cqe **cqe, unsigned count,
	 struct __kernel_timespec *wait, sigset_t *mask),
	(ring, cqe, count, wait, mask))
