#include "test.h"

#include <errno.h>
#include <stdlib.h>

#include "../bench/plan.h"

enum { PORTS = 6 };

static struct plan plan;

static int tear_down(void **state)
{
	(void)state;
	plan_fini(&plan);
	return 0;
}

static void begin(enum plan_pattern pattern)
{
	plan_fini(&plan);
	assert_int_equal(plan_init(&plan, pattern, PORTS), 0);
}

/* Whether there is a flow, and from a sender that has it. */
static bool sends(uint32_t from, uint32_t to)
{
	for (unsigned int i = 0; i < plan.sender_count; i++) {
		const struct plan_sender *sender = &plan.senders[i];

		for (uint32_t f = 0; f < sender->count; f++) {
			const struct plan_flow *flow =
				&plan.flows[sender->first + f];

			assert_int_equal(flow->from, sender->port);
			if (flow->from == from && flow->to == to)
				return true;
		}
	}
	return false;
}

static void assert_flows(unsigned int count, bool (*wanted)(uint32_t, uint32_t))
{
	assert_int_equal(plan.flow_count, count);
	for (uint32_t from = 0; from < PORTS; from++)
		for (uint32_t to = 0; to < PORTS; to++)
			assert_int_equal(sends(from, to), wanted(from, to));
}

static bool is_pair(uint32_t from, uint32_t to)
{
	return from % 2 == 0 && to == from + 1;
}

static bool is_from_first(uint32_t from, uint32_t to)
{
	return from == 0 && to != 0;
}

static bool is_to_first(uint32_t from, uint32_t to)
{
	return to == 0 && from != 0;
}

static bool is_any(uint32_t from, uint32_t to)
{
	return from != to;
}

static void patterns_are_what_they_are_called(void **state)
{
	(void)state;
	begin(PLAN_PAIRS);
	assert_flows(PORTS / 2, is_pair);
	begin(PLAN_ONE_TO_MANY);
	assert_flows(PORTS - 1, is_from_first);
	begin(PLAN_MANY_TO_ONE);
	assert_flows(PORTS - 1, is_to_first);
	begin(PLAN_ALL_TO_ALL);
	assert_flows(PORTS * (PORTS - 1), is_any);
}

static void a_broadcast_is_for_all_others(void **state)
{
	(void)state;
	begin(PLAN_BROADCAST);
	assert_int_equal(plan.receivers, PORTS - 1);
	assert_int_equal(plan_track(&plan, 0, 0), -1);
	for (unsigned int port = 1; port < PORTS; port++)
		assert_int_equal(plan_track(&plan, 0, port), port);
}

/* Books are kept where a frame is for somebody, and nowhere twice. */
static void each_flow_has_books_of_its_own_where_it_ends(void **state)
{
	(void)state;
	for (int pattern = 0; pattern < PLAN_PATTERN_COUNT; pattern++) {
		unsigned int count[PORTS * PORTS] = { 0 };

		begin((enum plan_pattern)pattern);
		assert_in_range(plan_tracks(&plan), 1, PORTS * PORTS);
		for (uint32_t flow = 0; flow < plan.flow_count; flow++) {
			unsigned int ends = 0;

			for (unsigned int port = 0; port < PORTS; port++) {
				const int64_t track = plan_track(&plan, flow, port);

				if (track < 0)
					continue;
				assert_true(plan_receives(&plan, port));
				assert_true((uint64_t)track < plan_tracks(&plan));
				assert_int_equal(count[track]++, 0);
				ends++;
			}
			assert_int_equal(ends, plan.receivers);
		}
		assert_int_equal(plan_track(&plan, plan.flow_count, 1), -1);
	}
}

static void numbers_that_do_not_fit_are_refused(void **state)
{
	(void)state;
	assert_int_equal(plan_init(&plan, PLAN_PAIRS, 5), -EINVAL);
	assert_int_equal(plan_init(&plan, PLAN_BROADCAST, 1), -EINVAL);
	assert_int_equal(plan_init(&plan, PLAN_ALL_TO_ALL, 2000), -E2BIG);
	assert_int_equal(plan_init(&plan, PLAN_ALL_TO_ALL, 1000), 0);
	assert_int_equal(plan.flow_count, 999000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(patterns_are_what_they_are_called),
		TEST(a_broadcast_is_for_all_others),
		TEST(each_flow_has_books_of_its_own_where_it_ends),
		TEST(numbers_that_do_not_fit_are_refused),
	};

	return cmocka_run_group_tests_name("bench_plan", tests, NULL, NULL);
}
