#include "test.h"

#include <stdbool.h>
#include <string.h>

#include "../switch/keeper_history.h"

static struct keeper_history h;

static int set_up(void **state)
{
	(void)state;
	memset(&h, 0, sizeof(h));
	return 0;
}

/* Soon after its start. */
static uint32_t crash_of(uint32_t key, const char *name)
{
	return keeper_history_crash(&h, 100, true, key, name);
}

static uint32_t crash(void)
{
	return crash_of(KEEPER_NOBODY, "");
}

static void pauses_grow_to_ten_seconds(void **state)
{
	static const uint32_t expected[] = { 0,	   0,	 0,    10,   100,  1000,
					     2000, 4000, 8000, 10000, 10000 };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(expected); i++)
		assert_int_equal(crash(), expected[i]);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(crash(), 10000);
}

static void one_that_has_run_for_a_second_is_not_waited_for(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++)
		crash();
	assert_int_equal(
		keeper_history_crash(&h, 1000, true, KEEPER_NOBODY, ""), 0);
}

static void one_that_was_not_ready_all_that_time_is(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++)
		crash();
	assert_int_equal(
		keeper_history_crash(&h, 30000, false, KEEPER_NOBODY, ""),
		10000);
}

static void a_minute_of_life_takes_the_blame_from_everybody(void **state)
{
	(void)state;
	crash_of(7, "web1");
	crash_of(7, "web1");
	keeper_history_crash(&h, 60000, true, 7, "web1");
	assert_false(keeper_history_is_enough(&h));
}

static void less_than_a_minute_does_not(void **state)
{
	(void)state;
	crash_of(7, "web1");
	crash_of(7, "web1");
	keeper_history_crash(&h, 59999, true, 7, "web1");
	assert_true(keeper_history_is_enough(&h));
}

static void the_third_crash_by_the_same_is_enough(void **state)
{
	(void)state;
	crash_of(7, "web1");
	crash_of(7, "web1");
	assert_false(keeper_history_is_enough(&h));
	crash_of(7, "web1");
	assert_true(keeper_history_is_enough(&h));
}

static void two_that_take_turns_are_found_one_after_the_other(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		crash_of(7, "web1");
		crash_of(8, "web2");
	}
	assert_false(keeper_history_is_enough(&h));
	crash_of(7, "web1");
	assert_true(keeper_history_is_enough(&h));
	crash_of(8, "web2");
	assert_true(keeper_history_is_enough(&h));
}

static void a_crash_that_is_nobodys_in_between_helps_nobody(void **state)
{
	(void)state;
	crash_of(7, "web1");
	crash();
	crash_of(7, "web1");
	crash();
	assert_false(keeper_history_is_enough(&h));
	crash_of(7, "web1");
	assert_true(keeper_history_is_enough(&h));
}

/* A mistake that is nobody's meets the one now and the other then. */
static void one_among_many_is_not_to_blame(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 100; i++) {
		crash_of(i % 4, "some");
		assert_false(keeper_history_is_enough(&h));
	}
}

static void a_key_that_has_got_to_another_is_not_the_same(void **state)
{
	(void)state;
	crash_of(7, "web1");
	crash_of(7, "web1");
	crash_of(7, "web2");
	assert_false(keeper_history_is_enough(&h));
}

static void nobody_is_never_enough(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++)
		crash();
	assert_false(keeper_history_is_enough(&h));
}

static void two_starts_in_vain_go_back_to_what_we_are(void **state)
{
	(void)state;
	keeper_history_planned(&h, true);
	assert_false(keeper_history_goes_back(&h));
	keeper_history_crash(&h, 1, false, KEEPER_NOBODY, "");
	assert_false(keeper_history_goes_back(&h));
	keeper_history_crash(&h, 1, false, KEEPER_NOBODY, "");
	assert_true(keeper_history_goes_back(&h));
	keeper_history_crash(&h, 1, true, KEEPER_NOBODY, "");
	assert_false(keeper_history_goes_back(&h));
}

static void a_planned_restart_is_no_crash(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++)
		crash_of(7, "web1");
	keeper_history_planned(&h, true);
	assert_false(keeper_history_is_enough(&h));
	assert_int_equal(crash(), 0);
}

#define TEST(f) cmocka_unit_test_setup(f, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(pauses_grow_to_ten_seconds),
		TEST(one_that_has_run_for_a_second_is_not_waited_for),
		TEST(one_that_was_not_ready_all_that_time_is),
		TEST(a_minute_of_life_takes_the_blame_from_everybody),
		TEST(less_than_a_minute_does_not),
		TEST(the_third_crash_by_the_same_is_enough),
		TEST(two_that_take_turns_are_found_one_after_the_other),
		TEST(a_crash_that_is_nobodys_in_between_helps_nobody),
		TEST(one_among_many_is_not_to_blame),
		TEST(a_key_that_has_got_to_another_is_not_the_same),
		TEST(nobody_is_never_enough),
		TEST(two_starts_in_vain_go_back_to_what_we_are),
		TEST(a_planned_restart_is_no_crash),
	};

	return cmocka_run_group_tests_name("keeper_history", tests, NULL, NULL);
}
