#include "test.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "../switch/limits.h"
#include "../switch/wire_stream.h"

/* What a parser has made of the bytes given to it so far. */
struct reader {
	struct stream_parser parser;
	uint8_t frame[STREAM_FRAME_MAX];
	uint32_t len; /* of the last complete frame */
	unsigned complete;
	enum stream_verdict verdict;
};

static struct reader reader;

/* Pieces follow each other without gaps and lie within what was given. */
static void take(const uint8_t *given, const uint8_t *end,
		 const struct stream_piece *piece, uint32_t *next)
{
	assert_true(piece->bytes >= given && piece->bytes + piece->len <= end);
	assert_int_equal(piece->offset, *next);
	assert_true(piece->offset + piece->len <= piece->frame_len);
	memcpy(reader.frame + piece->offset, piece->bytes, piece->len);
	*next = piece->offset + piece->len;
	assert_int_equal(piece->last, *next == piece->frame_len);
	if (piece->last) {
		reader.len = piece->frame_len;
		reader.complete++;
		*next = 0;
	}
}

static void feed(const uint8_t *bytes, size_t len)
{
	const uint8_t *at = bytes, *end = bytes + len;
	uint32_t next = stream_at_boundary(&reader.parser)
				? 0
				: reader.parser.have;
	struct stream_piece piece;

	do {
		reader.verdict = stream_next(&reader.parser, &at, end, &piece);
		if (reader.verdict == STREAM_PIECE)
			take(bytes, end, &piece, &next);
	} while (reader.verdict == STREAM_PIECE);
	if (reader.verdict == STREAM_MORE)
		assert_ptr_equal(at, end);
}

static int fresh(void **state)
{
	(void)state;
	memset(&reader, 0, sizeof(reader));
	return 0;
}

static void a_frame_is_split_at_every_byte(void **state)
{
	uint8_t bytes[] = { 0, 0, 0, 5, 'h', 'e', 'l', 'l', 'o' };

	for (size_t split = 0; split <= sizeof(bytes); split++) {
		fresh(state);
		feed(bytes, split);
		assert_int_equal(reader.complete, split == sizeof(bytes));
		feed(bytes + split, sizeof(bytes) - split);
		assert_int_equal(reader.complete, 1);
		assert_int_equal(reader.len, 5);
		assert_memory_equal(reader.frame, "hello", 5);
		assert_true(stream_at_boundary(&reader.parser));
	}
}

static void frames_that_come_joined_are_told_apart(void **state)
{
	static const uint8_t bytes[] = { 0, 0, 0, 1, 'a', 0, 0, 0, 0,
					 0, 0, 0, 2, 'b', 'c' };

	(void)state;
	feed(bytes, sizeof(bytes));
	assert_int_equal(reader.complete, 3);
	assert_memory_equal(reader.frame, "bc", 2);
}

static void an_empty_frame_is_a_frame(void **state)
{
	static const uint8_t bytes[] = { 0, 0, 0, 0 };

	(void)state;
	feed(bytes, sizeof(bytes));
	assert_int_equal(reader.complete, 1);
	assert_int_equal(reader.len, 0);
}

static void a_length_is_bad_above_69632(void **state)
{
	static const uint32_t bad[] = { STREAM_FRAME_MAX + 1, 0x7fffffff,
					0x80000000, 0xffffffff };
	uint8_t bytes[5] = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		fresh(state);
		stream_header(bytes, bad[i]);
		feed(bytes, 3);
		assert_int_equal(reader.verdict, STREAM_MORE);
		feed(bytes + 3, 2);
		assert_int_equal(reader.verdict, STREAM_BAD);
		assert_int_equal(reader.parser.length, bad[i]);
		assert_int_equal(reader.complete, 0);
	}
	fresh(state);
	stream_header(bytes, STREAM_FRAME_MAX);
	feed(bytes, sizeof(bytes));
	assert_int_equal(reader.verdict, STREAM_MORE);
}

static void a_header_is_big_endian(void **state)
{
	/* As QEMU 7.2 sent it: 442 bytes. */
	static const uint8_t seen[] = { 0x00, 0x00, 0x01, 0xba };
	uint8_t bytes[STREAM_HEADER_BYTES];

	(void)state;
	stream_header(bytes, 442);
	assert_memory_equal(bytes, seen, sizeof(seen));
}

/* --- 1 GiB, byte for byte ------------------------------------------------ */

enum { CHUNK = 1 << 20, MANY = 1024 };

static uint64_t seed;

static uint32_t draw(uint32_t below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((seed >> 33) % below);
}

/* Mostly usual lengths, some of every other. */
static uint32_t draw_length(void)
{
	switch (draw(8)) {
	case 0:
		return draw(STREAM_FRAME_MAX + 1);
	case 1:
		return draw(20);
	default:
		return 60 + draw(1455);
	}
}

/* What is written: frames out of one pattern, at places that go on and on, so
 * that a byte that is lost, doubled or moved shows. */
struct writer {
	const uint8_t *pattern; /* CHUNK + STREAM_FRAME_MAX bytes */
	uint32_t lengths[MANY]; /* of frames not yet read, a ring */
	uint32_t places[MANY];
	unsigned written, read;
	uint64_t bytes;
};

static size_t write_some(struct writer *w, uint8_t *out)
{
	size_t filled = 0;

	while (w->written - w->read < MANY) {
		uint32_t len = draw_length();

		if (filled + STREAM_HEADER_BYTES + len > CHUNK)
			break;
		w->lengths[w->written % MANY] = len;
		w->places[w->written % MANY] = draw(CHUNK);
		stream_header(out + filled, len);
		memcpy(out + filled + STREAM_HEADER_BYTES,
		       w->pattern + w->places[w->written % MANY], len);
		filled += STREAM_HEADER_BYTES + len;
		w->written++;
	}
	w->bytes += filled;
	return filled;
}

/* Compare where the bytes lie: a copy would cost more than the parser. */
static void read_some(struct writer *w, struct stream_parser *parser,
		      const uint8_t *at, const uint8_t *end)
{
	enum stream_verdict verdict;
	struct stream_piece piece;

	while ((verdict = stream_next(parser, &at, end, &piece)) == STREAM_PIECE) {
		unsigned frame = w->read % MANY;

		if (piece.frame_len != w->lengths[frame] ||
		    memcmp(piece.bytes,
			   w->pattern + w->places[frame] + piece.offset,
			   piece.len))
			fail_msg("frame %u is not what was written", w->read);
		w->read += piece.last;
	}
	assert_int_equal(verdict, STREAM_MORE);
}

static void a_gibibyte_of_random_splits_is_byte_exact(void **state)
{
	const uint64_t wanted = UINT64_C(1) << 30;
	uint8_t *pattern = malloc(CHUNK + STREAM_FRAME_MAX);
	uint8_t *chunk = malloc(CHUNK);
	struct stream_parser parser = { 0 };
	struct writer w = { .pattern = pattern };

	(void)state;
	assert_non_null(pattern);
	assert_non_null(chunk);
	seed = 20261121;
	for (size_t i = 0; i < CHUNK + STREAM_FRAME_MAX; i++)
		pattern[i] = (uint8_t)draw(256);
	while (w.bytes < wanted) {
		size_t len = write_some(&w, chunk), at = 0;

		while (at < len) {
			/* Single bytes, a few, and what a read gives. */
			size_t n = draw(4) ? 1 + draw(65536) : 1 + draw(8);

			n = n < len - at ? n : len - at;
			read_some(&w, &parser, chunk + at, chunk + at + n);
			at += n;
		}
		assert_int_equal(w.read, w.written);
	}
	assert_true(stream_at_boundary(&parser));
	free(pattern);
	free(chunk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_frame_is_split_at_every_byte, fresh),
		cmocka_unit_test_setup(frames_that_come_joined_are_told_apart, fresh),
		cmocka_unit_test_setup(an_empty_frame_is_a_frame, fresh),
		cmocka_unit_test_setup(a_length_is_bad_above_69632, fresh),
		cmocka_unit_test_setup(a_header_is_big_endian, fresh),
		cmocka_unit_test(a_gibibyte_of_random_splits_is_byte_exact),
	};

	return cmocka_run_group_tests_name("wire_stream", tests, NULL, NULL);
}
