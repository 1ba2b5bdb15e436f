/*
 * Lets User-Mode Linux before 6.13 run on processors with AMX.
 *
 * UML keeps its processes' vector registers in a buffer of 2696 bytes, enough
 * up to AVX-512, and writes them back with PTRACE_SETREGSET. The host accepts
 * only the whole register file, and with AMX that is 11008 bytes: every guest
 * dies before its init has run one instruction, with "ptrace set fp regs
 * failed, errno = 14". The layout is the same up to where UML's buffer ends,
 * and nothing in a guest can use AMX without asking for it, so it is enough to
 * read all, overlay what UML has, and write all.
 *
 * For LD_PRELOAD, see uml.sh. On other machines it is not used.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* Nearly three times what any processor has today. */
#define XSTATE_MAX 32768

static long set_xstate(pid_t pid, const struct iovec *part)
{
	/*
	 * Static, because this runs on a kernel stack of UML, a page or two.
	 * UML's kernel has one thread, so there is only one caller.
	 */
	static unsigned char whole[XSTATE_MAX];
	struct iovec all = { .iov_base = whole, .iov_len = sizeof(whole) };

	if (syscall(SYS_ptrace, PTRACE_GETREGSET, pid, NT_X86_XSTATE, &all))
		return -1;
	if (part->iov_len < all.iov_len)
		memcpy(whole, part->iov_base, part->iov_len);
	else
		all = *part;
	return syscall(SYS_ptrace, PTRACE_SETREGSET, pid, NT_X86_XSTATE, &all);
}

long ptrace(enum __ptrace_request request, ...)
{
	va_list args;
	pid_t pid;
	void *addr, *data;
	long peeked, ret;

	va_start(args, request);
	pid = va_arg(args, pid_t);
	addr = va_arg(args, void *);
	data = va_arg(args, void *);
	va_end(args);

	if (request == PTRACE_SETREGSET && addr == (void *)NT_X86_XSTATE)
		return set_xstate(pid, data);

	/* The kernel stores what PEEK reads; libc returns it. */
	if (request < PTRACE_PEEKTEXT || request > PTRACE_PEEKUSER)
		return syscall(SYS_ptrace, request, pid, addr, data);
	ret = syscall(SYS_ptrace, request, pid, addr, &peeked);
	return ret ? ret : peeked;
}
