/*
 * The compiler here is one that takes as long as the test says: which of the
 * two ends first, the job or who waits for it, is no matter of luck.
 */
#include "test.h"

#include <fcntl.h>
#include <poll.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../switch/expression_job.h"
#include "../tap/filter_expression.h"

enum { PATIENCE_MS = 10000 };

struct filter_expression {
	char text[64];
};

static sem_t begun, may_end, freed;

struct filter_expression *filter_expression_new(const char *text, char *why,
						size_t why_bytes)
{
	struct filter_expression *e;

	sem_post(&begun);
	sem_wait(&may_end);
	if (!strcmp(text, "wrong")) {
		snprintf(why, why_bytes, "syntax error");
		return NULL;
	}
	e = malloc(sizeof(*e));
	snprintf(e->text, sizeof(e->text), "%s", text);
	return e;
}

/* As the job does at its end, whether there is one or not. */
void filter_expression_free(struct filter_expression *e)
{
	free(e);
	sem_post(&freed);
}

static int set_up(void **state)
{
	(void)state;
	sem_init(&begun, 0, 0);
	sem_init(&may_end, 0, 0);
	sem_init(&freed, 0, 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	sem_destroy(&begun);
	sem_destroy(&may_end);
	sem_destroy(&freed);
	return 0;
}

static void wait_for(sem_t *semaphore)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_MS / 1000;
	assert_int_equal(sem_timedwait(semaphore, &until), 0);
}

static bool is_readable(const struct expression_job *job, int timeout_ms)
{
	struct pollfd p = { .fd = expression_job_fd(job), .events = POLLIN };

	return poll(&p, 1, timeout_ms) == 1 && p.revents == POLLIN;
}

static struct expression_job *start(const char *text)
{
	struct expression_job *job = expression_job_start(text);

	assert_non_null(job);
	wait_for(&begun);
	return job;
}

static struct expression_job *done(const char *text)
{
	struct expression_job *job = start(text);

	sem_post(&may_end);
	assert_true(is_readable(job, PATIENCE_MS));
	return job;
}

/* The last of the two who know of a job frees what it has, and closes its
 * descriptor behind that: there is nothing to wait for the latter by. */
static void wait_gone(int fd)
{
	wait_for(&freed);
	for (int i = 0; i < PATIENCE_MS && fcntl(fd, F_GETFD) >= 0; i++)
		poll(NULL, 0, 1);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
}

static struct filter_expression *end(struct expression_job *job, char why[64])
{
	int fd = expression_job_fd(job);
	struct filter_expression *e = expression_job_end(job, why, 64);

	wait_gone(fd);
	return e;
}

static void a_job_is_readable_when_it_is_done_and_not_before(void **state)
{
	struct expression_job *job = start("icmp");
	char why[64];

	(void)state;
	assert_false(is_readable(job, 0));
	sem_post(&may_end);
	assert_true(is_readable(job, PATIENCE_MS));
	free(end(job, why));
}

static void the_expression_is_the_callers_and_the_job_is_gone(void **state)
{
	char why[64] = "?";
	struct filter_expression *e = end(done("icmp"), why);

	(void)state;
	assert_non_null(e);
	assert_string_equal(e->text, "icmp");
	assert_string_equal(why, "");
	free(e);
}

static void the_text_may_go_as_soon_as_the_job_has_begun(void **state)
{
	char *text = strdup("port 80");
	struct expression_job *job = expression_job_start(text);
	struct filter_expression *e;
	char why[64];

	(void)state;
	memset(text, 'x', strlen(text));
	free(text);
	sem_post(&may_end);
	assert_true(is_readable(job, PATIENCE_MS));
	e = end(job, why);
	assert_string_equal(e->text, "port 80");
	free(e);
}

static void a_wrong_expression_has_the_compilers_reason(void **state)
{
	char why[64] = "";

	(void)state;
	assert_null(end(done("wrong"), why));
	assert_string_equal(why, "syntax error");
}

static void a_job_abandoned_before_it_is_done_ends_by_itself(void **state)
{
	struct expression_job *job = start("icmp");
	int fd = expression_job_fd(job);

	(void)state;
	expression_job_abandon(job);
	assert_int_not_equal(fcntl(fd, F_GETFD), -1); /* it still needs it */
	assert_int_equal(sem_trywait(&freed), -1);
	sem_post(&may_end);
	wait_gone(fd);
}

static void a_job_abandoned_when_it_is_done_leaves_nothing(void **state)
{
	struct expression_job *job = done("icmp");
	int fd = expression_job_fd(job);

	(void)state;
	expression_job_abandon(job);
	wait_gone(fd);
}

static void a_wrong_one_may_be_abandoned_too(void **state)
{
	struct expression_job *job = start("wrong");
	int fd = expression_job_fd(job);

	(void)state;
	expression_job_abandon(job);
	sem_post(&may_end);
	wait_gone(fd);
}

/* Those for which nobody waits any more are still at work. */
static void only_so_many_are_at_work_at_a_time(void **state)
{
	struct expression_job *jobs[EXPRESSION_JOBS_MAX];
	char why[64];

	(void)state;
	for (int i = 0; i < EXPRESSION_JOBS_MAX; i++)
		jobs[i] = start("icmp");
	assert_null(expression_job_start("icmp"));
	expression_job_abandon(jobs[0]);
	assert_null(expression_job_start("icmp"));
	for (int i = 0; i < EXPRESSION_JOBS_MAX; i++)
		sem_post(&may_end);
	for (int i = 1; i < EXPRESSION_JOBS_MAX; i++) {
		assert_true(is_readable(jobs[i], PATIENCE_MS));
		free(end(jobs[i], why));
	}
	wait_for(&freed); /* the first one */
	free(end(done("icmp"), why));
}

/* The sanitizers watch. */
static void jobs_end_in_any_order(void **state)
{
	char why[64];

	(void)state;
	for (int round = 0; round < 1 << EXPRESSION_JOBS_MAX; round++) {
		struct expression_job *jobs[EXPRESSION_JOBS_MAX];

		for (int i = 0; i < EXPRESSION_JOBS_MAX; i++)
			jobs[i] = start(i % 2 ? "icmp" : "wrong");
		for (int i = 0; i < EXPRESSION_JOBS_MAX; i++)
			if (round & 1 << i)
				expression_job_abandon(jobs[i]);
		for (int i = 0; i < EXPRESSION_JOBS_MAX; i++)
			sem_post(&may_end);
		for (int i = 0; i < EXPRESSION_JOBS_MAX; i++) {
			if (round & 1 << i)
				continue;
			assert_true(is_readable(jobs[i], PATIENCE_MS));
			free(expression_job_end(jobs[i], why, sizeof(why)));
		}
		for (int i = 0; i < EXPRESSION_JOBS_MAX; i++)
			wait_for(&freed);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_job_is_readable_when_it_is_done_and_not_before),
		TEST(the_expression_is_the_callers_and_the_job_is_gone),
		TEST(the_text_may_go_as_soon_as_the_job_has_begun),
		TEST(a_wrong_expression_has_the_compilers_reason),
		TEST(a_job_abandoned_before_it_is_done_ends_by_itself),
		TEST(a_job_abandoned_when_it_is_done_leaves_nothing),
		TEST(a_wrong_one_may_be_abandoned_too),
		TEST(only_so_many_are_at_work_at_a_time),
		TEST(jobs_end_in_any_order),
	};

	return cmocka_run_group_tests_name("expression_job", tests, NULL, NULL);
}
