/*
 * The opener here is one that lets the test say when the expression is compiled,
 * and what comes of it: nothing of that is a matter of luck.
 */
#include "test.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../switch/expression_job.h"
#include "../switch/opener.h"
#include "../tap/filter_expression.h"

enum { STEP_BYTES = 8, TOO_LONG = (1 << 17) + STEP_BYTES };

struct filter_expression {
	size_t bytes;
	uint8_t code[TOO_LONG];
};

static int far_end, refusal;

int opener_compile(struct opener *op, const char *text)
{
	int ends[2];

	(void)op, (void)text;
	if (refusal)
		return refusal;
	assert_int_equal(socketpair(AF_UNIX,
				    SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	far_end = ends[1];
	return ends[0];
}

/* "5" is a program of five steps. */
struct filter_expression *filter_expression_new(const char *text, char *why,
						size_t why_bytes)
{
	struct filter_expression *e = calloc(1, sizeof(*e));

	assert_non_null(e);
	e->bytes = STEP_BYTES * strtoul(text, NULL, 10);
	assert_true(e->bytes <= sizeof(e->code));
	memset(e->code, 7, e->bytes);
	if (e->bytes)
		return e;
	snprintf(why, why_bytes, "syntax error");
	free(e);
	return NULL;
}

void filter_expression_free(struct filter_expression *e)
{
	free(e);
}

const void *filter_expression_code(const struct filter_expression *e,
				   size_t *bytes)
{
	*bytes = e->bytes;
	return e->code;
}

struct filter_expression *filter_expression_import(const void *code,
						   size_t bytes)
{
	struct filter_expression *e = calloc(1, sizeof(*e));

	assert_non_null(e);
	e->bytes = bytes;
	memcpy(e->code, code, bytes);
	if (*e->code == 7)
		return e;
	free(e); /* it would not be safe to run */
	return NULL;
}

static int set_up(void **state)
{
	(void)state;
	far_end = -1;
	refusal = 0;
	return 0;
}

static bool is_readable(const struct expression_job *job)
{
	struct pollfd p = { .fd = expression_job_fd(job), .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static struct expression_job *start(const char *text)
{
	char why[128];
	struct expression_job *job = expression_job_start(NULL, text, why,
							  sizeof(why));

	assert_non_null(job);
	assert_string_equal(expression_job_text(job), text);
	return job;
}

static void compile(const char *text)
{
	expression_job_compile(text, far_end);
	close(far_end);
}

/* The end of one of which nothing comes; @why says what. */
static void assert_ends_in(struct expression_job *job, const char *why)
{
	char said[256] = "";

	assert_null(expression_job_end(job, said, sizeof(said)));
	assert_non_null(strstr(said, why));
}

static void it_is_done_when_it_is_compiled_and_not_before(void **state)
{
	struct expression_job *job = start("5");
	struct filter_expression *e;
	char why[256];

	(void)state;
	assert_false(is_readable(job));
	compile("5");
	assert_true(is_readable(job));
	e = expression_job_end(job, why, sizeof(why));
	assert_non_null(e);
	assert_int_equal(e->bytes, 5 * STEP_BYTES);
	free(e);
}

static void what_is_wrong_with_it_is_said(void **state)
{
	struct expression_job *job = start("wrong");

	(void)state;
	compile("wrong");
	assert_ends_in(job, "syntax error");
}

static void a_program_that_is_too_long_is_refused_by_who_compiles(void **state)
{
	char text[32];
	struct expression_job *job;

	(void)state;
	snprintf(text, sizeof(text), "%d", TOO_LONG / STEP_BYTES);
	job = start(text);
	compile(text);
	assert_ends_in(job, "at most 16384");
}

static void the_longest_program_fits(void **state)
{
	char text[32], why[256];
	struct filter_expression *e;
	struct expression_job *job;

	(void)state;
	snprintf(text, sizeof(text), "%d", TOO_LONG / STEP_BYTES - 1);
	job = start(text);
	compile(text);
	e = expression_job_end(job, why, sizeof(why));
	assert_non_null(e);
	assert_int_equal(e->bytes, TOO_LONG - STEP_BYTES);
	free(e);
}

/* It lives for a limited time: the network may never answer. */
static void who_compiles_may_end_without_a_word(void **state)
{
	struct expression_job *job = start("5");

	(void)state;
	close(far_end);
	assert_true(is_readable(job));
	assert_ends_in(job, "in time");
}

/* The answer begins with its length in bytes, and a text of 256. */
static void answer(uint32_t length, uint8_t first, size_t bytes)
{
	uint8_t message[4 + 256 + 64];

	memset(message, first, sizeof(message));
	memcpy(message, &length, sizeof(length));
	assert_int_equal(send(far_end, message, bytes, 0), bytes);
	close(far_end);
}

static void an_answer_of_another_length_than_it_says_is_none(void **state)
{
	static const struct { uint32_t says; size_t bytes; } cases[] = {
		{ 8, 1 },	{ 8, 4 },	  { 8, 4 + 256 },
		{ 16, 4 + 256 + 8 }, { 0, 4 + 256 + 8 }, { UINT32_MAX, 4 + 256 + 8 },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct expression_job *job = start("5");

		answer(cases[i].says, 7, cases[i].bytes);
		assert_ends_in(job, "in time");
	}
}

static void a_program_that_is_not_safe_is_not_run(void **state)
{
	struct expression_job *job = start("5");

	(void)state;
	answer(8, 6, 4 + 256 + 8);
	assert_ends_in(job, "");
}

static void a_text_without_end_is_cut(void **state)
{
	struct expression_job *job = start("wrong");
	char why[512];

	(void)state;
	answer(0, 'x', 4 + 256);
	assert_null(expression_job_end(job, why, sizeof(why)));
	assert_int_equal(strlen(why), 255);
}

static void assert_refused(int err, const char *reason)
{
	char why[128] = "";

	refusal = err;
	assert_null(expression_job_start(NULL, "5", why, sizeof(why)));
	assert_non_null(strstr(why, reason));
}

static void why_it_cannot_begin_is_said(void **state)
{
	(void)state;
	assert_refused(-EAGAIN, "try again");
	assert_refused(-ENOTCONN, "ringctl restart");
	assert_refused(-EMFILE, "open files");
}

/* Whoever compiles must not be ended by a signal either. */
static void nobody_has_to_wait_for_it(void **state)
{
	(void)state;
	expression_job_abandon(start("5"));
	compile("5");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(it_is_done_when_it_is_compiled_and_not_before, set_up),
		cmocka_unit_test_setup(what_is_wrong_with_it_is_said, set_up),
		cmocka_unit_test_setup(a_program_that_is_too_long_is_refused_by_who_compiles, set_up),
		cmocka_unit_test_setup(the_longest_program_fits, set_up),
		cmocka_unit_test_setup(who_compiles_may_end_without_a_word, set_up),
		cmocka_unit_test_setup(an_answer_of_another_length_than_it_says_is_none, set_up),
		cmocka_unit_test_setup(a_program_that_is_not_safe_is_not_run, set_up),
		cmocka_unit_test_setup(a_text_without_end_is_cut, set_up),
		cmocka_unit_test_setup(why_it_cannot_begin_is_said, set_up),
		cmocka_unit_test_setup(nobody_has_to_wait_for_it, set_up),
	};

	return cmocka_run_group_tests_name("expression_job", tests, NULL, NULL);
}
