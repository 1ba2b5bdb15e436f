#include "test.h"

#include <stdlib.h>

#include "../bench/pace.h"

#define SECOND 1000000000ULL

static struct pace p;

static void begin(double rate, uint64_t burst, uint64_t start)
{
	pace_init(&p, rate, burst, 0, 0);
	pace_start(&p, start);
}

static void without_a_rate_any_number_may_go(void **state)
{
	(void)state;
	begin(0, 1, 5);
	assert_int_equal(p.kind, PACE_FULL);
	assert_true(pace_allowed(&p, 5, 1000000) > 1000000);
}

static void a_schedule_does_not_drift(void **state)
{
	(void)state;
	begin(3, 1, 77);
	assert_int_equal(pace_due(&p, 0), 77);
	assert_in_range(pace_due(&p, 3000000), 77 + 1000000 * SECOND - 200,
			77 + 1000000 * SECOND + 200);
	begin(1e6, 1, 77);
	assert_int_equal(pace_due(&p, 3600000000ULL), 77 + 3600 * SECOND);
}

static void in_a_second_as_many_are_due_as_the_rate_says(void **state)
{
	(void)state;
	for (double rate = 1; rate < 1e7; rate *= 3.7) {
		begin(rate, 1, SECOND);
		assert_in_range(pace_allowed(&p, 2 * SECOND, 0),
				(uint64_t)rate, (uint64_t)rate + 1);
	}
}

/* Whatever the sender was kept from doing: the schedule is as it was. */
static void a_late_sender_may_send_all_that_was_due(void **state)
{
	(void)state;
	begin(1000, 1, 0);
	assert_int_equal(pace_allowed(&p, SECOND - 1, 3), 1000);
	assert_int_equal(pace_due(&p, 3), 3000000);
	assert_int_equal(pace_next(&p, 3), 3000000);
}

static void what_is_due_is_allowed_and_nothing_more(void **state)
{
	(void)state;
	srandom(1);
	for (int i = 0; i < 100000; i++) {
		const uint64_t burst = 1 + (uint64_t)random() % 40;
		const uint64_t start = (uint64_t)random() * 1000;
		uint64_t now, allowed;

		begin(1 + (double)random() / 300, burst, start);
		now = start + (uint64_t)random() * 20;
		allowed = pace_allowed(&p, now, 0);
		assert_true(allowed > 0 && allowed % burst == 0);
		assert_true(pace_due(&p, allowed - 1) <= now);
		assert_true(pace_due(&p, allowed) > now);
	}
}

static void a_burst_is_due_at_once_and_the_rate_stays(void **state)
{
	(void)state;
	begin(1000, 10, 0);
	assert_int_equal(pace_due(&p, 9), 0);
	assert_int_equal(pace_due(&p, 10), 10000000);
	assert_int_equal(pace_allowed(&p, 0, 0), 10);
	assert_int_equal(pace_allowed(&p, 9999999, 10), 10);
	assert_int_equal(pace_allowed(&p, 10000000, 10), 20);
	assert_int_equal(pace_due(&p, 1000), SECOND);
}

static void a_pause_is_behind_what_was_sent(void **state)
{
	(void)state;
	pace_init(&p, 0, 2, 100, 0);
	pace_start(&p, 1000);
	assert_int_equal(pace_allowed(&p, 1099, 0), 0);
	assert_int_equal(pace_next(&p, 0), 1100);
	assert_int_equal(pace_allowed(&p, 1100, 0), 2);
	/* Not while one of them is still to be sent. */
	assert_int_equal(pace_allowed(&p, 4000, 1), 2);
	assert_int_equal(pace_allowed(&p, 4500, 1), 2);
	assert_int_equal(pace_allowed(&p, 5000, 2), 2);
	assert_int_equal(pace_next(&p, 2), 5100);
	assert_int_equal(pace_allowed(&p, 5100, 2), 4);
}

static void a_jitter_is_less_than_its_limit_and_not_always_the_same(void **state)
{
	uint64_t least = UINT64_MAX, greatest = 0;

	(void)state;
	pace_init(&p, 0, 1, 100, 50);
	for (int i = 0; i < 1000; i++) {
		pace_start(&p, 0);
		assert_in_range(p.next_ns, 100, 149);
		least = p.next_ns < least ? p.next_ns : least;
		greatest = p.next_ns > greatest ? p.next_ns : greatest;
	}
	assert_true(greatest - least > 25);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_rate_any_number_may_go),
		cmocka_unit_test(a_schedule_does_not_drift),
		cmocka_unit_test(in_a_second_as_many_are_due_as_the_rate_says),
		cmocka_unit_test(a_late_sender_may_send_all_that_was_due),
		cmocka_unit_test(what_is_due_is_allowed_and_nothing_more),
		cmocka_unit_test(a_burst_is_due_at_once_and_the_rate_stays),
		cmocka_unit_test(a_pause_is_behind_what_was_sent),
		cmocka_unit_test(
			a_jitter_is_less_than_its_limit_and_not_always_the_same),
	};

	return cmocka_run_group_tests_name("bench_pace", tests, NULL, NULL);
}
