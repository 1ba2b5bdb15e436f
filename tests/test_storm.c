/* Storm limits: the bucket is a date; against a model that pours. */
#include "test.h"

#include <stdlib.h>

#include "../switch/storm.h"

static const uint64_t second = 1000000000;

static unsigned admitted(struct storm *s, uint64_t at_ns, unsigned frames)
{
	unsigned n = 0;

	while (frames--)
		n += storm_admits(s, at_ns);
	return n;
}

static void without_a_limit_everything_passes(void **state)
{
	struct storm s = { .rate = 0 };

	(void)state;
	assert_int_equal(admitted(&s, 0, 1000000), 1000000);
}

static void at_once_pass_as_many_as_in_a_tenth_of_a_second_or_five(void **state)
{
	static const struct {
		uint32_t rate;
		unsigned burst;
	} cases[] = { { 1, 5 }, { 10, 5 }, { 59, 5 }, { 60, 6 }, { 1000, 100 },
		      { STORM_RATE_MAX, 100000 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct storm s = { .rate = cases[i].rate };

		assert_int_equal(storm_burst(s.rate), cases[i].burst);
		assert_int_equal(admitted(&s, second, 200000), cases[i].burst);
		assert_int_equal(admitted(&s, second, 10), 0);
	}
}

static void a_second_of_storm_is_the_rate_and_what_the_bucket_held(void **state)
{
	struct storm s = { .rate = 100 };
	unsigned n = 0;

	(void)state;
	for (uint64_t ns = 0; ns <= second; ns += second / 1000)
		n += admitted(&s, ns, 10);
	assert_int_equal(n, 110);
}

static void who_keeps_to_the_rate_loses_nothing(void **state)
{
	struct storm s = { .rate = 250 };

	(void)state;
	for (unsigned i = 0; i < 10000; i++)
		assert_true(storm_admits(&s, i * second / 250));
}

static void after_a_pause_the_bucket_is_full_and_not_fuller(void **state)
{
	struct storm s = { .rate = 100 };

	(void)state;
	assert_int_equal(admitted(&s, second, 100), 10);
	assert_int_equal(admitted(&s, second + second / 20, 100), 5);
	assert_int_equal(admitted(&s, 100 * second, 100), 10);
}

/* What a drop would fill: nanoseconds of the time that one frame takes. */
struct model {
	uint64_t frame_ns, room_ns, level_ns, seen_ns;
};

static bool model_admits(struct model *m, uint64_t now_ns)
{
	m->level_ns += now_ns - m->seen_ns;
	if (m->level_ns > m->room_ns)
		m->level_ns = m->room_ns;
	m->seen_ns = now_ns;
	if (m->level_ns < m->frame_ns)
		return false;
	m->level_ns -= m->frame_ns;
	return true;
}

static void it_is_a_bucket_into_which_frames_pour(void **state)
{
	(void)state;
	srandom(1);
	for (unsigned round = 0; round < 200; round++) {
		struct storm s = {
			.rate = 1 + (uint32_t)random() % (round % 2 ? 20 : 100000)
		};
		uint64_t frame_ns = second / s.rate, now_ns = 0;
		struct model m = { .frame_ns = frame_ns };

		m.level_ns = m.room_ns = storm_burst(s.rate) * frame_ns;
		for (unsigned i = 0; i < 2000; i++) {
			now_ns += (uint64_t)random() % (2 * frame_ns) *
				  (random() % 4 != 0);
			now_ns += random() % 100 ? 0 : 20 * frame_ns;
			assert_int_equal(storm_admits(&s, now_ns),
					 model_admits(&m, now_ns));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_limit_everything_passes),
		cmocka_unit_test(at_once_pass_as_many_as_in_a_tenth_of_a_second_or_five),
		cmocka_unit_test(a_second_of_storm_is_the_rate_and_what_the_bucket_held),
		cmocka_unit_test(who_keeps_to_the_rate_loses_nothing),
		cmocka_unit_test(after_a_pause_the_bucket_is_full_and_not_fuller),
		cmocka_unit_test(it_is_a_bucket_into_which_frames_pour),
	};

	return cmocka_run_group_tests_name("storm", tests, NULL, NULL);
}
