#include "test.h"

#include <stdlib.h>

#include "../switch/latency.h"

enum { UNIT = 1 << LATENCY_STAMP_SHIFT };

static struct latency *l;

static int tear_down(void **state)
{
	(void)state;
	free(l);
	l = NULL;
	return 0;
}

/* A frame that was read at @from_ns has gone out @ns later. */
static void note(uint64_t from_ns, uint64_t ns)
{
	latency_note(&l, latency_stamp(from_ns), from_ns + ns);
}

static unsigned only_bucket(void)
{
	unsigned found = LATENCY_BUCKETS;

	assert_int_equal(l->samples, 1);
	for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
		if (!l->bucket[i])
			continue;
		assert_int_equal(l->bucket[i], 1);
		assert_int_equal(found, LATENCY_BUCKETS);
		found = i;
	}
	assert_in_range(found, 0, LATENCY_BUCKETS - 1);
	return found;
}

static unsigned bucket_of(uint64_t ns)
{
	unsigned i;

	note(1000000, ns);
	i = only_bucket();
	free(l);
	l = NULL;
	return i;
}

static void a_stamp_is_never_that_of_a_frame_without_one(void **state)
{
	(void)state;
	assert_int_not_equal(latency_stamp(0), 0);
	assert_int_not_equal(latency_stamp(UNIT), 0);
	assert_int_not_equal(latency_stamp((uint64_t)UNIT << 32), 0);
}

static void bounds_double_and_the_last_bucket_has_none(void **state)
{
	(void)state;
	assert_int_equal(latency_bound(0), 1024);
	for (unsigned i = 1; i + 1 < LATENCY_BUCKETS; i++)
		assert_int_equal(latency_bound(i), 2 * latency_bound(i - 1));
	assert_int_equal(latency_bound(LATENCY_BUCKETS - 1), 0);
}

static void what_takes_no_time_is_in_the_first_bucket(void **state)
{
	(void)state;
	assert_int_equal(bucket_of(0), 0);
	note(12345, 0);
	assert_int_equal(l->sum_ns, 0);
}

/* Inclusive. The next one is seen two units of a stamp later. */
static void a_bound_belongs_to_its_bucket(void **state)
{
	(void)state;
	for (unsigned i = 0; i + 1 < LATENCY_BUCKETS; i++) {
		assert_int_equal(bucket_of(latency_bound(i)), i);
		assert_int_equal(bucket_of(latency_bound(i) + 2 * UNIT), i + 1);
	}
}

static void what_takes_long_is_in_the_last_bucket(void **state)
{
	(void)state;
	assert_int_equal(bucket_of(UINT64_C(1000000000)), LATENCY_BUCKETS - 1);
	assert_int_equal(bucket_of(UINT64_C(60000000000)), LATENCY_BUCKETS - 1);
}

static void samples_and_their_sum_add_up(void **state)
{
	uint64_t sum = 0, in_buckets = 0;

	(void)state;
	for (uint64_t ns = 0; ns < 3000000; ns += 2 * UNIT * 1000) {
		note(5000000, ns);
		sum += ns;
	}
	for (unsigned i = 0; i < LATENCY_BUCKETS; i++)
		in_buckets += l->bucket[i];
	assert_int_equal(l->samples, 94);
	assert_int_equal(in_buckets, 94);
	assert_int_equal(l->sum_ns, sum);
}

/* To two units: a stamp has no more. */
static void any_time_is_measured_to_its_precision(void **state)
{
	(void)state;
	srandom(1);
	for (int i = 0; i < 10000; i++) {
		uint64_t from = (uint64_t)random() * 12345;
		uint64_t ns = (uint64_t)random() % 1000000000;

		note(from, ns);
		assert_in_range(l->sum_ns, ns < 2 * UNIT ? 0 : ns - 2 * UNIT,
				ns + 2 * UNIT);
		free(l);
		l = NULL;
	}
}

/* A stamp has 32 bits: some 68 seconds. */
static void the_clock_may_pass_the_end_of_a_stamp(void **state)
{
	uint64_t end = (uint64_t)UNIT << 32;

	(void)state;
	note(end - 10 * UNIT, 100 * UNIT);
	assert_int_equal(l->sum_ns, 100 * UNIT);
	note(7 * end - 2 * UNIT, 4 * UNIT);
	assert_int_equal(l->sum_ns, 104 * UNIT);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_stamp_is_never_that_of_a_frame_without_one),
		TEST(bounds_double_and_the_last_bucket_has_none),
		TEST(what_takes_no_time_is_in_the_first_bucket),
		TEST(a_bound_belongs_to_its_bucket),
		TEST(what_takes_long_is_in_the_last_bucket),
		TEST(samples_and_their_sum_add_up),
		TEST(any_time_is_measured_to_its_precision),
		TEST(the_clock_may_pass_the_end_of_a_stamp),
	};

	return cmocka_run_group_tests_name("latency", tests, NULL, NULL);
}
