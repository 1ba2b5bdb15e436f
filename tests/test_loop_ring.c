/*
 * What a ring lets its process do, tried on a real one.
 */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../switch/loop.h"
#include "../switch/options.h"

/* Highest numbers to try: more than any kernel has now. */
enum { OPERATIONS = 70, CHANGES = 48 };

/* A number that no descriptor of a test has. */
enum { FREE_NUMBER = 200 };

static struct loop loop;
static int ends[2]; /* of a socket pair */

static int open_ring(unsigned without)
{
	char why[256];

	if (loop_init(&loop, without, 0, why, sizeof(why))) {
		print_error("%s\n", why);
		return -1;
	}
	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends);
}

static int set_up(void **state)
{
	(void)state;
	return open_ring(0);
}

static int set_up_without_fixed_files(void **state)
{
	(void)state;
	return open_ring(WITHOUT_FIXED_FILES);
}

static int tear_down(void **state)
{
	(void)state;
	close(ends[0]);
	close(ends[1]);
	loop_fini(&loop);
	return 0;
}

/* Before Linux 6.14 no test of registered files can be made. */
static void needs_fixed_files(void)
{
	if (loop.fixed_files)
		return;
	print_message("skipped: this kernel lets go of registered files too late\n");
	skip();
}

static int answer(void)
{
	struct io_uring_cqe *cqe;
	int res;

	assert_int_equal(io_uring_submit_and_wait(&loop.ring, 1), 1);
	assert_int_equal(io_uring_peek_cqe(&loop.ring, &cqe), 0);
	res = cqe->res;
	io_uring_cqe_seen(&loop.ring, cqe);
	return res;
}

/* What operation @op on @fd is answered with @flags set. Should it be allowed,
 * there is something to read. */
static int attempt(int op, int fd, unsigned flags)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&loop.ring);
	static char path[] = "/etc/passwd";

	assert_int_equal(write(ends[1], "x", 1), 1);
	io_uring_prep_rw(op, sqe, fd, path, sizeof(path), 0);
	sqe->flags = (uint8_t)flags;
	return answer();
}

/* The answer to a request for one byte of @fd, made as the switch does. */
static int receive(int fd)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&loop.ring);
	char byte;

	io_uring_prep_recv(sqe, fd, &byte, 1, MSG_DONTWAIT);
	loop_file_use(&loop, sqe);
	return answer();
}

static bool is_allowed(int op)
{
	switch (op) {
	case IORING_OP_ACCEPT:
	case IORING_OP_RECV:
	case IORING_OP_READ:
	case IORING_OP_POLL_ADD:
	case IORING_OP_TIMEOUT:
	case IORING_OP_ASYNC_CANCEL:
	case LOOP_OP_READ_MULTISHOT:
		return true;
	default:
		return false;
	}
}

/* -EINVAL: there is no such operation. */
static void refuses_other_operations(void **state)
{
	unsigned flags = loop.fixed_files ? IOSQE_FIXED_FILE : 0;

	(void)state;
	for (int op = 0; op < OPERATIONS; op++)
		if (!is_allowed(op) && attempt(op, AT_FDCWD, flags) != -EACCES)
			assert_true(op > IORING_OP_SEND_ZC &&
				    attempt(op, AT_FDCWD, flags) == -EINVAL);
	assert_int_equal(attempt(IORING_OP_OPENAT, AT_FDCWD, flags), -EACCES);
	assert_int_equal(attempt(IORING_OP_SOCKET, AF_UNIX, flags), -EACCES);
	assert_int_equal(attempt(IORING_OP_CONNECT, ends[0], flags), -EACCES);
}

static void refuses_a_descriptor_that_is_not_registered(void **state)
{
	(void)state;
	needs_fixed_files();
	assert_int_equal(attempt(IORING_OP_RECV, ends[0], 0), -EACCES);
	assert_int_equal(attempt(IORING_OP_SEND, ends[0], 0), -EACCES);
	assert_int_equal(attempt(IORING_OP_RECV, ends[0], IOSQE_FIXED_FILE),
			 -EBADF);
}

/* By some a request is handed to a thread, or waits for others. */
static void refuses_flags_that_it_does_not_need(void **state)
{
	static const unsigned flags[] = { IOSQE_ASYNC, IOSQE_IO_DRAIN,
					  IOSQE_IO_LINK, IOSQE_IO_HARDLINK,
					  IOSQE_CQE_SKIP_SUCCESS };
	unsigned fixed = loop.fixed_files ? IOSQE_FIXED_FILE : 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		assert_int_equal(attempt(IORING_OP_RECV, 0, flags[i] | fixed),
				 -EACCES);
}

/* -EINVAL: there is no such change, or it is none of a ring. */
static void refuses_to_be_changed(void **state)
{
	int err;

	(void)state;
	for (unsigned op = 0; op < CHANGES; op++) {
		if (op == IORING_REGISTER_FILES_UPDATE ||
		    op == IORING_REGISTER_PBUF_RING ||
		    op == IORING_UNREGISTER_PBUF_RING)
			continue;
		err = io_uring_register((unsigned)loop.ring.ring_fd, op, NULL, 0);
		if (err != -EACCES)
			assert_true(err == -EINVAL && op > 25);
	}
	err = io_uring_register((unsigned)loop.ring.ring_fd,
				IORING_REGISTER_PERSONALITY, NULL, 0);
	assert_int_equal(err, -EACCES);
}

static void what_is_added_can_be_received_from(void **state)
{
	(void)state;
	loop_file_add(&loop, ends[0]);
	assert_int_equal(receive(ends[0]), -EAGAIN);
	assert_int_equal(write(ends[1], "x", 1), 1);
	assert_int_equal(receive(ends[0]), 1);
}

static void what_is_removed_cannot(void **state)
{
	(void)state;
	needs_fixed_files();
	loop_file_add(&loop, ends[0]);
	loop_file_remove(&loop, ends[0]);
	assert_int_equal(attempt(IORING_OP_RECV, ends[0], IOSQE_FIXED_FILE),
			 -EBADF);
}

/* Under way is a request for another, as there always is one. */
static void the_other_side_sees_the_end_of_what_is_removed_and_closed(void **state)
{
	struct pollfd other = { .fd = ends[1], .events = POLLIN };
	struct io_uring_sqe *sqe = io_uring_get_sqe(&loop.ring);
	int quiet[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, quiet), 0);
	loop_file_add(&loop, quiet[0]);
	loop_file_add(&loop, ends[0]);
	io_uring_prep_poll_add(sqe, quiet[0], POLLIN);
	loop_file_use(&loop, sqe);
	assert_int_equal(io_uring_submit(&loop.ring), 1);
	loop_file_remove(&loop, ends[0]);
	assert_int_equal(poll(&other, 1, 0), 0);
	close(ends[0]);
	assert_int_equal(poll(&other, 1, 0), 1);
	assert_true(other.revents & POLLHUP);
	close(quiet[0]);
	close(quiet[1]);
}

static void a_number_can_be_used_anew_for_another_file(void **state)
{
	int number = ends[0];

	(void)state;
	for (int i = 0; i < 100; i++) {
		int pair[2];

		loop_file_add(&loop, number);
		assert_int_equal(receive(number), -EAGAIN);
		loop_file_remove(&loop, number);
		close(number);
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
		assert_int_equal(pair[0], number);
		close(ends[1]);
		ends[1] = pair[1];
	}
	loop_file_add(&loop, number);
	assert_int_equal(write(ends[1], "x", 1), 1);
	assert_int_equal(receive(number), 1);
}

/* Whether this ends with an abort: of a mistake of ours it is to be heard. */
static bool aborts(void (*act)(void))
{
	struct rlimit no_core = { 0, 0 };
	int status, child = fork();

	if (child < 0)
		return false;
	if (!child) {
		/* Nothing of what cmocka or a sanitizer does with it. */
		signal(SIGABRT, SIG_DFL);
		setrlimit(RLIMIT_CORE, &no_core);
		fclose(stderr);
		act();
		_exit(0);
	}
	return waitpid(child, &status, 0) == child && WIFSIGNALED(status) &&
	       WTERMSIG(status) == SIGABRT;
}

static void add_it_again(void)
{
	loop_file_add(&loop, ends[0]);
}

static void name_it(void)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&loop.ring);

	io_uring_prep_poll_add(sqe, ends[0], POLLIN);
	loop_file_use(&loop, sqe);
}

static void a_forgotten_removal_is_heard_of(void **state)
{
	(void)state;
	loop_file_add(&loop, ends[0]);
	assert_true(aborts(add_it_again));
	loop_file_remove(&loop, ends[0]);
	assert_false(aborts(add_it_again));
}

static void a_forgotten_addition_is_heard_of(void **state)
{
	(void)state;
	assert_true(aborts(name_it));
	loop_file_add(&loop, ends[0]);
	assert_false(aborts(name_it));
}

/* The kernel is out of memory, say; or, as here, the number is nobody's. */
static void what_could_not_be_added_is_added_with_the_next_request(void **state)
{
	(void)state;
	needs_fixed_files();
	assert_int_equal(loop_file_add(&loop, FREE_NUMBER), -EBADF);
	assert_int_equal(receive(FREE_NUMBER), -EBADF);
	assert_int_equal(dup2(ends[0], FREE_NUMBER), FREE_NUMBER);
	assert_int_equal(receive(FREE_NUMBER), -EAGAIN);
	loop_file_remove(&loop, FREE_NUMBER);
	close(FREE_NUMBER);
}

static void a_number_beyond_the_table_is_refused(void **state)
{
	(void)state;
	needs_fixed_files();
	assert_int_equal(loop_file_add(&loop, LOOP_FILES_MAX), -EMFILE);
	loop_file_remove(&loop, LOOP_FILES_MAX);
	loop_file_remove(&loop, -1);
}

#define ring_test(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
#define both_ways(test) \
	ring_test(test), \
	{ #test " (without fixed files)", test, set_up_without_fixed_files, \
	  tear_down, NULL }

int main(void)
{
	const struct CMUnitTest tests[] = {
		both_ways(refuses_other_operations),
		ring_test(refuses_a_descriptor_that_is_not_registered),
		both_ways(refuses_flags_that_it_does_not_need),
		both_ways(refuses_to_be_changed),
		both_ways(what_is_added_can_be_received_from),
		ring_test(what_is_removed_cannot),
		both_ways(the_other_side_sees_the_end_of_what_is_removed_and_closed),
		both_ways(a_number_can_be_used_anew_for_another_file),
		both_ways(a_forgotten_removal_is_heard_of),
		both_ways(a_forgotten_addition_is_heard_of),
		ring_test(what_could_not_be_added_is_added_with_the_next_request),
		ring_test(a_number_beyond_the_table_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
