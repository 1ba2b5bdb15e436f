#include "test.h"

#include "../bench/sizes.h"

static struct sizes sizes;

static void one_size_is_always_the_same(void **state)
{
	(void)state;
	assert_int_equal(sizes_parse(&sizes, "1500"), 0);
	for (uint64_t n = 0; n < 100; n++)
		assert_int_equal(sizes_of(&sizes, n), 1500);
	assert_int_equal(sizes.max_bytes, 1500);
	assert_true(sizes.mean_bytes >= 1500 && sizes.mean_bytes <= 1500);
}

static void a_list_is_sent_in_turns(void **state)
{
	(void)state;
	assert_int_equal(sizes_parse(&sizes, "60,590,9014"), 0);
	assert_int_equal(sizes.cycle, 3);
	for (uint64_t n = 0; n < 30; n += 3)
		assert_int_equal(sizes_of(&sizes, n) + sizes_of(&sizes, n + 1) +
				 sizes_of(&sizes, n + 2), 60 + 590 + 9014);
	assert_int_equal(sizes.max_bytes, 9014);
}

static unsigned int count(uint64_t from, unsigned int frames, size_t bytes)
{
	unsigned int found = 0;

	for (uint64_t n = from; n < from + frames; n++)
		found += sizes_of(&sizes, n) == bytes;
	return found;
}

static void imix_is_seven_to_four_to_one(void **state)
{
	(void)state;
	assert_int_equal(sizes_parse(&sizes, "imix"), 0);
	assert_int_equal(sizes.cycle, 12);
	/* Wherever one begins to count. */
	for (uint64_t from = 0; from < 24; from++) {
		assert_int_equal(count(from, 12, 60), 7);
		assert_int_equal(count(from, 12, 590), 4);
		assert_int_equal(count(from, 12, 1514), 1);
	}
	assert_true(sizes.mean_bytes > 357.8 && sizes.mean_bytes < 357.9);
}

/* Not seven small ones and then four others. */
static void a_mix_is_spread_evenly(void **state)
{
	(void)state;
	assert_int_equal(sizes_parse(&sizes, "60x50,1500x50"), 0);
	for (uint64_t from = 0; from < 200; from++)
		assert_int_equal(count(from, 2, 60), 1);
	assert_int_equal(sizes_parse(&sizes, "60x7,590x4,1514"), 0);
	for (uint64_t from = 0; from < 24; from++)
		assert_in_range(count(from, 6, 60), 3, 4);
}

static void what_is_no_size_is_refused_and_changes_nothing(void **state)
{
	static const char *const bad[] = {
		"", "59", "65536", "60,", ",60", "60x", "60x0", "60x1001", "60 ",
		"-60", "+60", "60x7x2", "abc", "60,590,", "imix,60", "60x600,70x600",
		"60,60,60,60,60,60,60,60,60,60,60,60,60,60,60,60,60",
		"99999999999999999999", "0x40",
	};

	(void)state;
	assert_int_equal(sizes_parse(&sizes, "777"), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_not_equal(sizes_parse(&sizes, bad[i]), 0);
		assert_int_equal(sizes_of(&sizes, 0), 777);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_size_is_always_the_same),
		cmocka_unit_test(a_list_is_sent_in_turns),
		cmocka_unit_test(imix_is_seven_to_four_to_one),
		cmocka_unit_test(a_mix_is_spread_evenly),
		cmocka_unit_test(what_is_no_size_is_refused_and_changes_nothing),
	};

	return cmocka_run_group_tests_name("bench_sizes", tests, NULL, NULL);
}
