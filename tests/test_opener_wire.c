/*
 * What the opener takes from a switch that may have been taken over, and how
 * both read what the other says.
 */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../switch/opener_wire.h"

struct message {
	uint32_t words[16];
};

struct pair {
	int ends[2];
};

static int set_up(void **state)
{
	struct pair *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	*state = p;
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, p->ends);
}

static int tear_down(void **state)
{
	struct pair *p = *state;

	close(p->ends[0]);
	close(p->ends[1]);
	free(p);
	return 0;
}

static unsigned open_descriptors(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* So many copies of standard input. */
static struct opener_fds some(unsigned n)
{
	struct opener_fds fds = { .count = n };

	memset(fds.fd, 0, sizeof(fds.fd));
	return fds;
}

static void a_message_comes_with_its_descriptors(void **state)
{
	const struct pair *p = *state;
	struct message out = { { 1, 2, 3 } }, in;
	struct opener_fds fds = some(OPENER_FDS_MAX), got;
	unsigned before = open_descriptors();

	assert_int_equal(opener_wire_send(p->ends[0], &out, sizeof(out), &fds), 0);
	assert_int_equal(opener_wire_receive(p->ends[1], &in, sizeof(in), &got), 0);
	assert_memory_equal(&in, &out, sizeof(in));
	assert_int_equal(got.count, OPENER_FDS_MAX);
	assert_int_equal(open_descriptors(), before + OPENER_FDS_MAX);
	for (unsigned i = 0; i < got.count; i++)
		assert_int_equal(fcntl(got.fd[i], F_GETFD), FD_CLOEXEC);
	opener_fds_close(&got);
	assert_int_equal(open_descriptors(), before);
}

static void nothing_there_is_not_the_end(void **state)
{
	const struct pair *p = *state;
	struct opener_fds got;
	struct message in;

	assert_int_equal(opener_wire_receive(p->ends[1], &in, sizeof(in), &got), -EAGAIN);
	close(p->ends[0]);
	assert_int_equal(opener_wire_receive(p->ends[1], &in, sizeof(in), &got), -EPIPE);
	assert_int_equal(got.count, 0);
}

static void nobody_listening_is_no_signal(void **state)
{
	const struct pair *p = *state;
	struct message out = { { 0 } };

	close(p->ends[1]);
	assert_int_equal(opener_wire_send(p->ends[0], &out, sizeof(out), NULL), -EPIPE);
}

/* Of another length: its descriptors do not stay open. */
static void assert_thrown_away(const struct pair *p, size_t bytes)
{
	uint8_t out[2 * sizeof(struct message)] = { 0 };
	struct opener_fds fds = some(3), got;
	unsigned before = open_descriptors();
	struct message in;

	assert_int_equal(opener_wire_send(p->ends[0], out, bytes, &fds), 0);
	assert_int_equal(opener_wire_receive(p->ends[1], &in, sizeof(in), &got), -EPROTO);
	assert_int_equal(got.count, 0);
	assert_int_equal(open_descriptors(), before);
}

static void a_message_of_another_length_is_thrown_away(void **state)
{
	assert_thrown_away(*state, 1);
	assert_thrown_away(*state, sizeof(struct message) - 1);
	assert_thrown_away(*state, sizeof(struct message) + 1);
}

static struct opener_job *sound(void)
{
	struct opener_job *job = calloc(1, sizeof(*job));

	assert_non_null(job);
	return job;
}

static void an_empty_job_is_sound(void **state)
{
	struct opener_job *job = sound();

	(void)state;
	assert_true(opener_wire_check(job, 0));
	free(job);
}

/* Breaks @bytes at @at of a job that was sound. */
static void assert_refused(size_t at, size_t bytes)
{
	struct opener_job *job = sound();

	memset((uint8_t *)job + at, 0x7f, bytes);
	assert_false(opener_wire_check(job, 0));
	free(job);
}

#define REFUSED(member) \
	assert_refused(offsetof(struct opener_job, member), \
		       sizeof(((struct opener_job *)0)->member))

static void a_number_out_of_range_is_refused(void **state)
{
	(void)state;
	REFUSED(what);
	REFUSED(endpoint.kind);
	REFUSED(has_watch);
	REFUSED(filter.bytes);
	REFUSED(filter.fd_count);
}

static void a_text_without_end_is_refused(void **state)
{
	(void)state;
	REFUSED(endpoint.argument);
	REFUSED(endpoint.remote);
	REFUSED(endpoint.name);
	REFUSED(endpoint.filter);
	REFUSED(endpoint.rules);
	REFUSED(endpoint.accept_to_guests);
	REFUSED(endpoint.mirror);
	REFUSED(file.path);
}

/* Which is right for each job. */
static void descriptors_that_do_not_belong_to_a_job_are_refused(void **state)
{
	struct opener_job *job = sound();

	(void)state;
	assert_false(opener_wire_check(job, 1));
	job->what = OPENER_DGRAM_LOOK;
	assert_false(opener_wire_check(job, 0));
	assert_true(opener_wire_check(job, 1));
	job->has_watch = 1;
	assert_false(opener_wire_check(job, 1));
	assert_true(opener_wire_check(job, 2));
	job->what = OPENER_TAP;
	job->filter.fd_count = FILTER_FDS;
	assert_true(opener_wire_check(job, 0));
	job->again = 1;
	assert_false(opener_wire_check(job, 0));
	assert_true(opener_wire_check(job, FILTER_FDS));
	job->what = OPENER_TAP_BARE;
	assert_false(opener_wire_check(job, 0));
	assert_true(opener_wire_check(job, 1));
	free(job);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_message_comes_with_its_descriptors, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nothing_there_is_not_the_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nobody_listening_is_no_signal, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_message_of_another_length_is_thrown_away, set_up, tear_down),
		cmocka_unit_test(an_empty_job_is_sound),
		cmocka_unit_test(a_number_out_of_range_is_refused),
		cmocka_unit_test(a_text_without_end_is_refused),
		cmocka_unit_test(descriptors_that_do_not_belong_to_a_job_are_refused),
	};

	return cmocka_run_group_tests_name("opener_wire", tests, NULL, NULL);
}
