#include "test.h"

#include <stdlib.h>

#include "../bench/track.h"

static struct tracker t;

static int begin_with_one(void **state)
{
	(void)state;
	return tracker_init(&t, 1);
}

static int tear_down(void **state)
{
	(void)state;
	tracker_fini(&t);
	return 0;
}

static void assert_counts(uint64_t delivered, uint64_t reordered,
			  uint64_t duplicated, uint64_t stale)
{
	assert_int_equal(t.delivered, delivered);
	assert_int_equal(t.reordered, reordered);
	assert_int_equal(t.duplicated, duplicated);
	assert_int_equal(t.stale, stale);
}

static void frames_in_order_are_delivered_and_nothing_else(void **state)
{
	(void)state;
	for (uint64_t seq = 0; seq < 3 * t.window; seq++)
		tracker_enter(&t, 0, seq);
	assert_counts(3 * t.window, 0, 0, 0);
}

static void a_gap_is_not_delivered_and_no_disorder(void **state)
{
	(void)state;
	for (uint64_t seq = 0; seq < 1000; seq++)
		if (seq % 10)
			tracker_enter(&t, 0, seq);
	assert_counts(900, 0, 0, 0);
}

static void one_that_comes_late_is_reordered_once(void **state)
{
	(void)state;
	tracker_enter(&t, 0, 0);
	tracker_enter(&t, 0, 2);
	tracker_enter(&t, 0, 1);
	tracker_enter(&t, 0, 3);
	assert_counts(4, 1, 0, 0);
}

static void one_that_comes_again_is_a_duplicate_and_no_delivery(void **state)
{
	(void)state;
	tracker_enter(&t, 0, 0);
	tracker_enter(&t, 0, 0);
	tracker_enter(&t, 0, 5);
	tracker_enter(&t, 0, 0);
	tracker_enter(&t, 0, 3);
	tracker_enter(&t, 0, 3);
	assert_counts(3, 1, 3, 0);
}

static void the_whole_window_is_remembered(void **state)
{
	(void)state;
	for (uint64_t seq = 0; seq < t.window; seq++)
		tracker_enter(&t, 0, seq);
	for (uint64_t seq = 0; seq < t.window; seq++)
		tracker_enter(&t, 0, seq);
	assert_counts(t.window, 0, t.window, 0);
}

static void what_is_older_than_the_window_is_stale(void **state)
{
	const uint64_t window = t.window;

	(void)state;
	tracker_enter(&t, 0, 1);
	tracker_enter(&t, 0, window);
	tracker_enter(&t, 0, 0);
	assert_counts(2, 0, 0, 1);
	/* The oldest that is in the window has the place of one before it. */
	tracker_enter(&t, 0, window + 1);
	tracker_enter(&t, 0, 2);
	assert_counts(4, 1, 0, 1);
}

static void a_leap_of_any_length_forgets_all(void **state)
{
	const uint64_t window = t.window;

	(void)state;
	for (uint64_t seq = 0; seq < 100; seq++)
		tracker_enter(&t, 0, seq);
	tracker_enter(&t, 0, 7 * window + 50);
	for (uint64_t seq = 6 * window + 51; seq < 7 * window + 50; seq++)
		tracker_enter(&t, 0, seq);
	assert_counts(100 + window, window - 1, 0, 0);
}

static void flows_have_nothing_to_do_with_each_other(void **state)
{
	(void)state;
	tracker_fini(&t);
	assert_int_equal(tracker_init(&t, 3), 0);
	for (uint64_t seq = 0; seq < 100; seq++)
		tracker_enter(&t, 1, seq);
	tracker_enter(&t, 0, 50);
	tracker_enter(&t, 2, 50);
	assert_counts(102, 0, 0, 0);
	assert_int_equal(t.track[1].delivered, 100);
	assert_int_equal(t.track[2].delivered, 1);
}

static void many_flows_have_small_windows_and_still_one(void **state)
{
	(void)state;
	assert_int_equal(t.window, TRACK_WINDOW_MAX);
	tracker_fini(&t);
	assert_int_equal(tracker_init(&t, 200000), 0);
	assert_int_equal(t.window, TRACK_WINDOW_MIN);
}

/* Against a list of all numbers that were ever seen. */
static void it_counts_as_a_simple_model_does(void **state)
{
	enum { NUMBERS = 20000 };
	uint8_t *seen = calloc(NUMBERS, 1);
	uint64_t next = 0, delivered = 0, reordered = 0, duplicated = 0, stale = 0;

	(void)state;
	tracker_fini(&t);
	assert_int_equal(tracker_init(&t, 1 << 20), 0);
	srandom(1);
	for (int i = 0; i < 100000; i++) {
		const uint64_t middle = (uint64_t)i * NUMBERS / 110000;
		const uint64_t back = (uint64_t)random() %
				      (random() % 8 ? 4 : 1500);
		const uint64_t seq = middle > back ? middle - back : 0;

		tracker_enter(&t, 77, seq);
		if (seq < next && next - seq > t.window) {
			stale++;
			continue;
		}
		duplicated += seen[seq];
		delivered += !seen[seq];
		reordered += !seen[seq] && seq < next;
		seen[seq] = 1;
		next = seq >= next ? seq + 1 : next;
	}
	free(seen);
	assert_true(stale > 100 && duplicated > 100 && reordered > 100);
	assert_counts(delivered, reordered, duplicated, stale);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin_with_one, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(frames_in_order_are_delivered_and_nothing_else),
		TEST(a_gap_is_not_delivered_and_no_disorder),
		TEST(one_that_comes_late_is_reordered_once),
		TEST(one_that_comes_again_is_a_duplicate_and_no_delivery),
		TEST(the_whole_window_is_remembered),
		TEST(what_is_older_than_the_window_is_stale),
		TEST(a_leap_of_any_length_forgets_all),
		TEST(flows_have_nothing_to_do_with_each_other),
		TEST(many_flows_have_small_windows_and_still_one),
		TEST(it_counts_as_a_simple_model_does),
	};

	return cmocka_run_group_tests_name("bench_track", tests, NULL, NULL);
}
