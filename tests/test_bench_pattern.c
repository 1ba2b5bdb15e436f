#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "../bench/pattern.h"

static const uint8_t dst[MAC_BYTES] = { 2, MAC_PORT, 0, 0, 0, 1 };
static const uint8_t src[MAC_BYTES] = { 2, MAC_PORT, 0, 0, 0, 2 };
static const struct pattern sent = { 3, 12345678901ULL, 5555, 6666 };
static const size_t lengths[] = { 60, 61, 67, 68, 590, 1514, 9014, 65535 };

static uint8_t frame[FRAME_MAX_BYTES + 1], other[FRAME_MAX_BYTES];

static void write_to(uint8_t *bytes, size_t len, uint64_t seq)
{
	struct pattern p = sent;

	p.seq = seq;
	pattern_write(bytes, len, dst, src, TYPE_TRAFFIC, &p);
}

static enum pattern_verdict verdict(size_t len)
{
	struct pattern p;

	return pattern_read(frame, len, &p);
}

static void what_is_written_is_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct pattern p = { 0 };

		write_to(frame, lengths[i], sent.seq);
		assert_int_equal(pattern_read(frame, lengths[i], &p),
				 PATTERN_GOOD);
		assert_int_equal(p.flow, sent.flow);
		assert_int_equal(p.seq, sent.seq);
		assert_int_equal(p.due_ns, sent.due_ns);
		assert_int_equal(p.offered_ns, sent.offered_ns);
	}
}

static void any_bit_of_any_byte_matters(void **state)
{
	(void)state;
	for (size_t i = 0; i < 6; i++) {
		write_to(frame, lengths[i], 7);
		for (size_t bit = 0; bit < 8 * lengths[i]; bit++) {
			frame[bit / 8] ^= (uint8_t)(1 << bit % 8);
			assert_int_equal(verdict(lengths[i]), PATTERN_CORRUPT);
			frame[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		assert_int_equal(verdict(lengths[i]), PATTERN_GOOD);
	}
}

static void a_frame_that_was_cut_or_has_more_is_corrupt(void **state)
{
	(void)state;
	write_to(frame, 1514, 7);
	for (size_t len = 14; len < 1514; len++)
		assert_int_equal(verdict(len), PATTERN_CORRUPT);
	assert_int_equal(verdict(1515), PATTERN_CORRUPT);
}

static void a_frame_torn_from_two_is_corrupt(void **state)
{
	(void)state;
	write_to(other, 1514, 8);
	for (size_t at = 1; at < 1514; at++) {
		/* Headers are the same up to the number. */
		if (at >= 19 && at < 42)
			continue;
		write_to(frame, 1514, 7);
		memcpy(frame + at, other + at, 1514 - at);
		assert_int_equal(verdict(1514), at < 19 ? PATTERN_GOOD :
				 PATTERN_CORRUPT);
	}
}

static void words_at_each_others_place_are_corrupt(void **state)
{
	(void)state;
	write_to(other, 1514, 7);
	write_to(frame, 1514, 7);
	memcpy(frame + 106, other + 114, 8);
	memcpy(frame + 114, other + 106, 8);
	assert_int_equal(verdict(1514), PATTERN_CORRUPT);
}

static void what_is_not_ours_is_foreign(void **state)
{
	(void)state;
	memset(frame, 0, sizeof(frame));
	assert_int_equal(verdict(0), PATTERN_FOREIGN);
	assert_int_equal(verdict(13), PATTERN_FOREIGN);
	memset(frame, 0xff, 1514);
	assert_int_equal(verdict(1514), PATTERN_FOREIGN);
	frame[12] = 0x86;
	frame[13] = 0xdd;
	assert_int_equal(verdict(90), PATTERN_FOREIGN);
}

static void an_announcement_is_not_traffic(void **state)
{
	const struct pattern p = { 0 };

	(void)state;
	pattern_write(frame, 60, dst, src, TYPE_ANNOUNCE, &p);
	assert_int_equal(verdict(60), PATTERN_ANNOUNCE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(any_bit_of_any_byte_matters),
		cmocka_unit_test(a_frame_that_was_cut_or_has_more_is_corrupt),
		cmocka_unit_test(a_frame_torn_from_two_is_corrupt),
		cmocka_unit_test(words_at_each_others_place_are_corrupt),
		cmocka_unit_test(what_is_not_ours_is_foreign),
		cmocka_unit_test(an_announcement_is_not_traffic),
	};

	return cmocka_run_group_tests_name("bench_pattern", tests, NULL, NULL);
}
