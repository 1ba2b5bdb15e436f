#include "test.h"

#include <stdlib.h>

#include "../bench/histogram.h"

/* A prime: no fraction of it is a whole number. */
enum { SAMPLES = 19997 };

static struct histogram h;
static uint64_t samples[SAMPLES];

static int set_up(void **state)
{
	(void)state;
	h = (struct histogram){ 0 };
	srandom(1);
	return 0;
}

static uint64_t uniform(void)
{
	return (uint64_t)random() % 1000000;
}

/* As times are that are mostly short: halves again and again. */
static uint64_t exponential(void)
{
	uint64_t ns = 4000 + (uint64_t)random() % 4000;

	while (random() % 2)
		ns *= 2;
	return ns;
}

/* Either on this processor or on another that has to wake. */
static uint64_t two_humps(void)
{
	return (random() % 10 ? 9000U : 2000000U) + (uint64_t)random() % 1000;
}

/* One in some is as long as the others together. */
static uint64_t heavy_tail(void)
{
	return 1000000000000ULL / (1 + (uint64_t)random() % 100000000);
}

static uint64_t small(void)
{
	return (uint64_t)random() % 300;
}

static uint64_t constant(void)
{
	return 123456;
}

static int compare(const void *left, const void *right)
{
	const uint64_t a = *(const uint64_t *)left;
	const uint64_t b = *(const uint64_t *)right;

	return (a > b) - (a < b);
}

/* The least sample with at least @per_10000 of all at or below it. */
static uint64_t exact(uint64_t per_10000)
{
	uint64_t rank = (per_10000 * SAMPLES + 9999) / 10000;

	return samples[rank ? rank - 1 : 0];
}

static void fill(uint64_t (*shape)(void))
{
	h = (struct histogram){ 0 };
	for (int i = 0; i < SAMPLES; i++) {
		samples[i] = shape();
		histogram_add(&h, samples[i]);
	}
	qsort(samples, SAMPLES, sizeof(samples[0]), compare);
}

static uint64_t (*const shapes[])(void) = {
	uniform, exponential, two_humps, heavy_tail, small, constant,
};
static const uint64_t fractions[] = { 0, 1, 100, 2500, 5000, 9000, 9900, 9990,
				      9999, 10000 };

static void a_percentile_is_at_most_a_256th_off(void **state)
{
	(void)state;
	for (size_t s = 0; s < sizeof(shapes) / sizeof(shapes[0]); s++) {
		fill(shapes[s]);
		for (size_t f = 0; f < sizeof(fractions) / sizeof(fractions[0]);
		     f++) {
			const uint64_t want = exact(fractions[f]);
			const uint64_t got = histogram_percentile(
				&h, (double)fractions[f] / 10000);

			assert_in_range(got, want - want / 256, want + want / 256);
		}
	}
}

static void count_sum_and_ends_are_exact(void **state)
{
	(void)state;
	for (size_t s = 0; s < sizeof(shapes) / sizeof(shapes[0]); s++) {
		uint64_t sum = 0;

		fill(shapes[s]);
		for (int i = 0; i < SAMPLES; i++)
			sum += samples[i];
		assert_int_equal(h.count, SAMPLES);
		assert_int_equal(h.sum_ns, sum);
		assert_int_equal(h.min_ns, samples[0]);
		assert_int_equal(h.max_ns, samples[SAMPLES - 1]);
	}
}

/* Every bucket's middle is near to each value of it, over the whole range. */
static void the_error_is_bounded_at_every_size(void **state)
{
	(void)state;
	for (unsigned int bit = 0; bit < HISTOGRAM_MAX_BITS; bit++) {
		for (int i = 0; i < 100; i++) {
			const uint64_t low = (uint64_t)1 << bit;
			const uint64_t ns = low + ((uint64_t)random() << 9) % low;

			h = (struct histogram){ 0 };
			histogram_add(&h, ns);
			/* So that it is not held within the least and greatest. */
			h.min_ns = 0;
			h.max_ns = UINT64_MAX;
			assert_in_range(histogram_percentile(&h, 0.5),
					ns - ns / 256, ns + ns / 256);
		}
	}
}

static void what_is_less_than_128_is_exact(void **state)
{
	(void)state;
	for (uint64_t ns = 0; ns < 128; ns++) {
		h = (struct histogram){ 0 };
		histogram_add(&h, ns);
		h.max_ns = UINT64_MAX;
		assert_int_equal(histogram_percentile(&h, 0.5), ns);
	}
}

static void no_percentile_is_outside_of_what_there_was(void **state)
{
	(void)state;
	for (uint64_t ns = 1000000; ns < 1020000; ns += 7) {
		h = (struct histogram){ 0 };
		histogram_add(&h, ns);
		assert_int_equal(histogram_percentile(&h, 0.001), ns);
		assert_int_equal(histogram_percentile(&h, 0.999), ns);
	}
}

static void what_is_too_long_counts_as_the_longest(void **state)
{
	(void)state;
	histogram_add(&h, 5);
	histogram_add(&h, 1ULL << (HISTOGRAM_MAX_BITS + 5));
	assert_int_equal(h.count, 2);
	assert_int_equal(h.max_ns, 1ULL << (HISTOGRAM_MAX_BITS + 5));
	assert_int_equal(histogram_percentile(&h, 0.5), 5);
	assert_true(histogram_percentile(&h, 1) >
		    1ULL << (HISTOGRAM_MAX_BITS - 1));
}

static void of_nothing_there_is_no_percentile(void **state)
{
	(void)state;
	assert_int_equal(histogram_percentile(&h, 0.5), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, set_up)
	const struct CMUnitTest tests[] = {
		TEST(a_percentile_is_at_most_a_256th_off),
		TEST(count_sum_and_ends_are_exact),
		TEST(the_error_is_bounded_at_every_size),
		TEST(what_is_less_than_128_is_exact),
		TEST(no_percentile_is_outside_of_what_there_was),
		TEST(what_is_too_long_counts_as_the_longest),
		TEST(of_nothing_there_is_no_percentile),
	};

	return cmocka_run_group_tests_name("bench_histogram", tests, NULL, NULL);
}
