#include "test.h"

#include <stdlib.h>

#include "../bench/search.h"

static struct search s;

/*
 * Search at a switch that holds rates up to @true_rate, where one trial in
 * @disturbed of those that would hold fails all the same; 0: none. Returns the
 * number of trials.
 */
static unsigned int search(double first, double true_rate, double precision,
			   unsigned int trials, int disturbed)
{
	unsigned int count = 0;

	search_init(&s, first, 1, precision, trials);
	while (!s.is_done) {
		const bool is_disturbed = disturbed && random() % disturbed == 0;

		assert_true(count < 2000);
		assert_true(s.rate >= 1);
		search_note(&s, s.rate <= true_rate && !is_disturbed);
		count++;
	}
	return count;
}

static void the_rate_is_found_from_above_and_from_below(void **state)
{
	(void)state;
	for (double first = 1e3; first < 1e7; first *= 2.3) {
		assert_in_range(search(first, 123456, 0.01, 1, 0), 5, 30);
		assert_true(s.low <= 123456 && s.high > 123456);
		assert_true(s.high - s.low <= 0.01 * s.high);
	}
}

static void what_full_speed_delivers_is_a_good_beginning(void **state)
{
	(void)state;
	assert_in_range(search(100000, 95000, 0.02, 1, 0), 1, 6);
}

/* A rate is decided when the trials that are left cannot change it. */
static void most_trials_decide_and_no_more_than_needed(void **state)
{
	(void)state;
	search_init(&s, 1000, 1, 0.02, 3);
	assert_int_equal(search_note(&s, true), SEARCH_OPEN);
	assert_int_equal(search_note(&s, false), SEARCH_OPEN);
	assert_true(s.low <= 0 && s.high <= 0);
	assert_int_equal(search_note(&s, true), SEARCH_HELD);
	assert_true(s.low >= 1000 && s.rate > 1000);
	assert_int_equal(search_note(&s, false), SEARCH_OPEN);
	assert_int_equal(search_note(&s, false), SEARCH_FAILED);
	assert_true(s.high > 1000);
}

static void disturbances_do_not_find_another_rate(void **state)
{
	int near = 0;

	(void)state;
	srandom(1);
	for (int i = 0; i < 200; i++) {
		search(110000, 100000, 0.02, 5, 12);
		assert_true(s.low <= 100000);
		near += s.low > 90000;
	}
	/* One trial in twelve: with a single trial half of them would not be. */
	assert_in_range(near, 190, 200);
}

static void a_switch_that_holds_nothing_ends_it(void **state)
{
	(void)state;
	search(100000, 0, 0.02, 3, 0);
	assert_true(s.low <= 0);
}

static void a_switch_that_holds_everything_ends_it(void **state)
{
	(void)state;
	search(100000, 1e300, 0.02, 3, 0);
	assert_true(s.high <= 0 && s.low >= 100000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_rate_is_found_from_above_and_from_below),
		cmocka_unit_test(what_full_speed_delivers_is_a_good_beginning),
		cmocka_unit_test(most_trials_decide_and_no_more_than_needed),
		cmocka_unit_test(disturbances_do_not_find_another_rate),
		cmocka_unit_test(a_switch_that_holds_nothing_ends_it),
		cmocka_unit_test(a_switch_that_holds_everything_ends_it),
	};

	return cmocka_run_group_tests_name("bench_search", tests, NULL, NULL);
}
