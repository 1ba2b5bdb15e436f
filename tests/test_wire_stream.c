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

/* --- in the middle of a stream --------------------------------------------- */

enum { OURS = 0x02 };

/* A frame of @len bytes from station @from behind its length; returns what is
 * behind it. Its payload is @fill. */
static uint8_t *put_frame(uint8_t *to, uint32_t len, uint8_t from, uint8_t fill)
{
	stream_header(to, len);
	to += STREAM_HEADER_BYTES;
	memset(to, fill, len);
	memset(to, 0xff, 6);
	memset(to + 6, 0, 6);
	to[6] = 0x02;
	to[11] = from;
	return to + len;
}

/* From station @context. */
static bool known(const void *context, uint64_t address)
{
	const uint8_t *from = context;

	return address == (0x02 | (uint64_t)*from << 40);
}

static const uint8_t ours = OURS, nobody = 0x77;

static void a_frame_of_a_known_station_is_found_behind_the_rest_of_another(void **state)
{
	uint8_t bytes[4096], *end;

	(void)state;
	for (uint32_t rest = 0; rest < 1514; rest += 13) {
		memset(bytes, 0xa5, rest);
		end = put_frame(bytes + rest, 60, OURS, 0);
		assert_int_equal(stream_find(bytes, (uint32_t)(end - bytes),
					     known, &ours),
				 (int32_t)rest);
		/* And if all of it is not there yet. */
		assert_int_equal(stream_find(bytes, rest + 16, known, &ours),
				 (int32_t)rest);
		assert_int_equal(stream_find(bytes, rest + 15, known, &ours), -1);
	}
}

static void a_beginning_that_nothing_can_follow_is_none(void **state)
{
	uint8_t bytes[4096], *end = put_frame(bytes, 60, OURS, 0);

	(void)state;
	memset(end, 0xff, 100);
	assert_int_equal(stream_find(bytes, (uint32_t)(end + 100 - bytes), known,
				     &ours),
			 -1);
	/* Only what follows is wrong: the true one is found behind it. */
	put_frame(end + 30, 60, OURS, 0);
	assert_int_equal(stream_find(bytes, (uint32_t)(end + 94 - bytes), known,
				     &ours),
			 (int32_t)(end + 30 - bytes));
}

static void of_strangers_two_in_a_row_are_frames_or_one_that_is_alone(void **state)
{
	uint8_t bytes[4096], *end = put_frame(bytes + 5, 60, OURS, 0), *two;

	(void)state;
	memset(bytes, 0xa5, 5);
	assert_int_equal(stream_find(bytes, (uint32_t)(end - bytes), known,
				     &nobody),
			 -1);
	assert_int_equal(stream_find(bytes + 5, 64, known, &nobody), 0);
	two = put_frame(end, 1514, OURS, 0);
	assert_int_equal(stream_find(bytes, (uint32_t)(two - bytes), known,
				     &nobody),
			 5);
	/* Of different stations they may be anything. */
	put_frame(end, 1514, OURS + 1, 0);
	assert_int_equal(stream_find(bytes, (uint32_t)(two - bytes), known,
				     &nobody),
			 -1);
}

/* A station's address in its own payload, as ARP and DHCP have it, is no
 * frame's source: no length is in front of it. */
static void an_address_in_a_payload_is_not_a_source(void **state)
{
	static const uint8_t arp[] = { 0x08, 0x06, 0x00, 0x01, 0x08, 0x00, 0x06,
				       0x04, 0x00, 0x01, 0x02, 0,    0,    0,
				       0,    OURS };
	uint8_t bytes[4096] = { 0 };

	(void)state;
	memcpy(bytes + 100, arp, sizeof(arp));
	memcpy(bytes + 300, arp + 10, 6); /* behind zeros */
	put_frame(bytes + 700, 60, OURS, 0);
	assert_int_equal(stream_find(bytes, 764, known, &ours), 700);
}

static void any_place_in_a_stream_leads_to_the_next_frame(void **state)
{
	static uint8_t stream[1 << 16];
	static uint32_t begins[512];
	uint32_t end = 0, count = 0, next = 0;

	(void)state;
	srandom(6);
	while (end + 2000 < sizeof(stream)) {
		uint32_t len = 14 + (uint32_t)random() % 1501;

		begins[count++] = end;
		end = (uint32_t)(put_frame(stream + end, len, OURS,
					   (uint8_t)random()) -
				 stream);
	}
	for (uint32_t at = 0; at < begins[count - 1]; at++) {
		next += at > begins[next];
		assert_int_equal(stream_find(stream + at, end - at, known,
					     &ours),
				 (int32_t)(begins[next] - at));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_frame_is_split_at_every_byte, fresh),
		cmocka_unit_test_setup(frames_that_come_joined_are_told_apart, fresh),
		cmocka_unit_test_setup(an_empty_frame_is_a_frame, fresh),
		cmocka_unit_test_setup(a_length_is_bad_above_69632, fresh),
		cmocka_unit_test_setup(a_header_is_big_endian, fresh),
		cmocka_unit_test(a_frame_of_a_known_station_is_found_behind_the_rest_of_another),
		cmocka_unit_test(a_beginning_that_nothing_can_follow_is_none),
		cmocka_unit_test(of_strangers_two_in_a_row_are_frames_or_one_that_is_alone),
		cmocka_unit_test(an_address_in_a_payload_is_not_a_source),
		cmocka_unit_test(any_place_in_a_stream_leads_to_the_next_frame),
		cmocka_unit_test(a_gibibyte_of_random_splits_is_byte_exact),
	};

	return cmocka_run_group_tests_name("wire_stream", tests, NULL, NULL);
}
