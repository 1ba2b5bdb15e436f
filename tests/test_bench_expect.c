#include "test.h"

#include <string.h>

#include "../bench/expect.h"
#include "../bench/keys.h"
#include "../bench/units.h"

static struct expect e;
static const char *why;

static void assert_read(const char *text, const char *key, double value)
{
	assert_int_equal(expect_parse(&e, text, &why), 0);
	assert_string_equal(e.key->name, key);
	assert_true(e.value >= value * 0.999999 && e.value <= value * 1.000001);
}

static void values_are_read_in_the_unit_of_their_key(void **state)
{
	(void)state;
	assert_read("loss<0.1%", "loss", 0.001);
	assert_read("loss<0.001", "loss", 0.001);
	assert_read("latency_p99_ns<=50us", "latency_p99_ns", 50e3);
	assert_read("latency_p99_ns<=50", "latency_p99_ns", 50);
	assert_read("roundtrip_max_ns<2s", "roundtrip_max_ns", 2e9);
	assert_read("latency_max_ns<1.5ms", "latency_max_ns", 1.5e6);
	assert_read("frames_per_s>=100k", "frames_per_s", 1e5);
	assert_read("frames_per_s>=1.5Mframes/s", "frames_per_s", 1.5e6);
	assert_read("bits_per_s>2Gbit/s", "bits_per_s", 2e9);
	assert_read("switch_rss_kib<64MiB", "switch_rss_kib", 65536);
	assert_read("elapsed_s>200ms", "elapsed_s", 0.2);
	assert_read("corrupt=0", "corrupt", 0);
	assert_read("cpu_x_floor<1.3", "cpu_x_floor", 1.3);
}

static void some_keys_have_short_names(void **state)
{
	(void)state;
	assert_read("rate>100k", "frames_per_s", 1e5);
	assert_read("p50<20us", "latency_p50_ns", 2e4);
	assert_read("p99.9<1ms", "latency_p999_ns", 1e6);
	assert_read("throughput>1M", "throughput_frames_per_s", 1e6);
	assert_read("cpu<2us", "switch_cpu_ns_per_frame", 2e3);
}

static void assert_holds(const char *text, bool below, bool equal, bool above)
{
	assert_int_equal(expect_parse(&e, text, &why), 0);
	assert_int_equal(expect_holds(&e, 9), below);
	assert_int_equal(expect_holds(&e, 10), equal);
	assert_int_equal(expect_holds(&e, 11), above);
}

static void operators_say_what_they_say(void **state)
{
	(void)state;
	assert_holds("lost<10", true, false, false);
	assert_holds("lost<=10", true, true, false);
	assert_holds("lost>10", false, false, true);
	assert_holds("lost>=10", false, true, true);
	assert_holds("lost=10", false, true, false);
	assert_holds("lost==10", false, true, false);
	assert_holds("lost!=10", true, false, true);
}

static void what_is_no_expectation_is_refused_with_the_reason(void **state)
{
	static const char *const bad[] = {
		"", "loss", "loss<", "<1", "los<1", "loss<1ms", "loss<x", "loss<-1",
		"loss<1%%", "lost<1us", "mode=rate", "p99<1sec", "loss<0.1% ",
		"loss <1", "loss~1", "rate>1Gbit/s", "lost<nan", "lost<0x10",
		"a_name_that_is_much_longer_than_any_key_that_there_could_be<1",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		why = "";
		assert_int_not_equal(expect_parse(&e, bad[i], &why), 0);
		assert_true(strlen(why) > 10);
	}
}

static void rates_are_of_frames_or_of_bits(void **state)
{
	struct rate rate;

	(void)state;
	assert_int_equal(units_rate("200Mbit/s", &rate), 0);
	assert_true(rate.is_bits && rate.value >= 2e8 && rate.value <= 2e8);
	assert_int_equal(units_rate("1.5k", &rate), 0);
	assert_true(!rate.is_bits && rate.value >= 1500 && rate.value <= 1500);
	assert_int_equal(units_rate("20frames/s", &rate), 0);
	assert_int_not_equal(units_rate("0", &rate), 0);
	assert_int_not_equal(units_rate("5byte/s", &rate), 0);
	assert_int_not_equal(units_rate("fast", &rate), 0);
	assert_int_not_equal(units_rate("1e99", &rate), 0);
}

static void every_key_is_there_once_and_has_a_row_or_none(void **state)
{
	(void)state;
	for (const struct key *key = keys; key->name; key++) {
		assert_ptr_equal(key_find(key->name), key);
		assert_int_equal(key->row != NULL, key->label != NULL);
	}
}

static void assert_shown(const char *key, double value, const char *text)
{
	char shown[64];

	key_format(shown, sizeof(shown), key_find(key), value);
	assert_string_equal(shown, text);
}

static void people_get_units_that_fit(void **state)
{
	(void)state;
	assert_shown("latency_p50_ns", 12345, "12.3 us");
	assert_shown("latency_p50_ns", 999, "999 ns");
	assert_shown("bits_per_s", 1.5e9, "1.50 Gbit/s");
	assert_shown("frames_per_s", 1234567, "1,234,567 frames/s");
	assert_shown("sent", 999, "999");
	assert_shown("sent", 100000, "100,000");
	assert_shown("loss", 0.0012, "0.12 %");
	assert_shown("switch_rss_kib", 20480, "20.0 MiB");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_read_in_the_unit_of_their_key),
		cmocka_unit_test(some_keys_have_short_names),
		cmocka_unit_test(operators_say_what_they_say),
		cmocka_unit_test(what_is_no_expectation_is_refused_with_the_reason),
		cmocka_unit_test(rates_are_of_frames_or_of_bits),
		cmocka_unit_test(every_key_is_there_once_and_has_a_row_or_none),
		cmocka_unit_test(people_get_units_that_fit),
	};

	return cmocka_run_group_tests_name("bench_expect", tests, NULL, NULL);
}
