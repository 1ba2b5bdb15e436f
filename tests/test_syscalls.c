#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../switch/syscalls.h"

enum { ENDED_BY = 1000, NOT_RESTRICTED = 200 };

/*
 * What @act answers in a process that has only the list: 0, or the errno; or
 * ENDED_BY and the signal.
 */
static int restricted(long (*act)(void))
{
	pid_t child = fork();
	int status;

	if (!child) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
		    syscalls_restrict())
			_exit(NOT_RESTRICTED);
		_exit(act() < 0 ? errno : 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) ? ENDED_BY + WTERMSIG(status)
				   : WEXITSTATUS(status);
}

static long open_file(void)
{
	return syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDONLY);
}

static long make_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM, 0);
}

static long command(void)
{
	int waiting;

	return ioctl(STDIN_FILENO, FIONREAD, &waiting);
}

static void what_is_not_in_the_list_is_refused(void **state)
{
	(void)state;
	assert_int_equal(restricted(open_file), EPERM);
	assert_int_equal(restricted(make_socket), EPERM);
	assert_int_equal(restricted(command), EPERM);
}

static long execute(void)
{
	char *const none[] = { NULL };

	return execve("/bin/true", none, none);
}

static long start(void)
{
	return fork();
}

static long make_ring(void)
{
	struct io_uring_params params = { 0 };

	return syscall(SYS_io_uring_setup, 4, &params);
}

static void what_is_never_its_own_doing_ends_it(void **state)
{
	(void)state;
	assert_int_equal(restricted(execute), ENDED_BY + SIGSYS);
	assert_int_equal(restricted(start), ENDED_BY + SIGSYS);
	assert_int_equal(restricted(make_ring), ENDED_BY + SIGSYS);
}

static long map(int protection)
{
	return (long)(intptr_t)mmap(NULL, 4096, protection,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static long map_memory(void)
{
	return map(PROT_READ | PROT_WRITE);
}

static long map_code(void)
{
	return map(PROT_READ | PROT_EXEC);
}

static long make_code(void)
{
	void *memory = (void *)(intptr_t)map_memory();

	return mprotect(memory, 4096, PROT_READ | PROT_EXEC);
}

static void memory_is_for_data(void **state)
{
	(void)state;
	assert_int_equal(restricted(map_memory), 0);
	assert_int_equal(restricted(map_code), EPERM);
	assert_int_equal(restricted(make_code), EPERM);
}

static long bpf(int command)
{
	union bpf_attr attr = { .map_fd = (uint32_t)-1 };

	return syscall(SYS_bpf, command, &attr, sizeof(attr));
}

static long look_up(void)
{
	return bpf(BPF_MAP_LOOKUP_ELEM);
}

static long load(void)
{
	return bpf(BPF_PROG_LOAD);
}

static void rules_change_but_no_program_is_loaded(void **state)
{
	(void)state;
	assert_int_not_equal(restricted(look_up), EPERM);
	assert_int_equal(restricted(load), EPERM);
}

static long duplicate(void)
{
	return fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
}

static long lock(void)
{
	struct flock all = { .l_type = F_RDLCK };

	return fcntl(STDIN_FILENO, F_SETLK, &all);
}

static void a_call_has_no_more_commands_than_are_needed(void **state)
{
	(void)state;
	assert_int_equal(restricted(duplicate), 0);
	assert_int_equal(restricted(lock), EPERM);
}

static long give_up(void)
{
	signal(SIGABRT, SIG_DFL);
	abort();
}

static long signal_parent(void)
{
	return syscall(SYS_tgkill, getppid(), getppid(), 0);
}

static void it_can_abort_and_signal_nobody_else(void **state)
{
	(void)state;
	assert_int_equal(restricted(give_up), ENDED_BY + SIGABRT);
	assert_int_equal(restricted(signal_parent), EPERM);
}

#ifdef __x86_64__
static long other_numbers(void)
{
	return syscall(0x40000000 + SYS_getpid);
}

static void the_other_numbers_of_calls_are_no_way_round(void **state)
{
	(void)state;
	assert_int_equal(restricted(other_numbers), ENDED_BY + SIGSYS);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_in_the_list_is_refused),
		cmocka_unit_test(what_is_never_its_own_doing_ends_it),
		cmocka_unit_test(memory_is_for_data),
		cmocka_unit_test(rules_change_but_no_program_is_loaded),
		cmocka_unit_test(a_call_has_no_more_commands_than_are_needed),
		cmocka_unit_test(it_can_abort_and_signal_nobody_else),
#ifdef __x86_64__
		cmocka_unit_test(the_other_numbers_of_calls_are_no_way_round),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
