/*
 * Blocks against the draft's drawings (draft-ietf-opsawg-pcapng, 4.1 to 4.6),
 * read field by field. Whether other programs agree is for system_capture.py.
 */
#include "test.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "../switch/pcapng.h"

enum { ROOM = 1 << 18, UNTOUCHED = 0xee, MARGIN = 64 };

/* The block under test, and how far it has been read. */
static uint8_t bytes[ROOM + MARGIN];
static size_t at;

static int fresh(void **state)
{
	(void)state;
	memset(bytes, UNTOUCHED, sizeof(bytes));
	at = 0;
	return 0;
}

static void expect(const void *expected, size_t n)
{
	assert_memory_equal(bytes + at, expected, n);
	at += n;
}

static void expect16(uint16_t value)
{
	expect(&value, sizeof(value));
}

static void expect32(uint32_t value)
{
	expect(&value, sizeof(value));
}

static void expect64(uint64_t value)
{
	expect(&value, sizeof(value));
}

/* An option and its padding. */
static void expect_option(uint16_t code, const void *value, uint16_t n)
{
	expect16(code);
	expect16(n);
	expect(value, n);
	while (at % 4)
		expect("", 1);
}

static void expect_begin(uint32_t type, size_t length)
{
	expect32(type);
	expect32((uint32_t)length);
}

static void expect_end(size_t length)
{
	expect16(0); /* opt_endofopt */
	expect16(0);
	expect32((uint32_t)length);
	assert_int_equal(at, length);
	assert_int_equal(length % 4, 0);
	assert_int_equal(bytes[at], UNTOUCHED);
}

static void a_section_is_as_drawn(void **state)
{
	size_t n = pcapng_section(bytes, ROOM, "ringswitch 1");

	(void)state;
	expect_begin(0x0a0d0d0a, n);
	expect32(0x1a2b3c4d);
	expect16(1);
	expect16(0);
	expect64(UINT64_MAX); /* -1 */
	expect_option(4, "ringswitch 1", 12);
	expect_end(n);
}

static void an_interface_is_as_drawn(void **state)
{
	size_t n = pcapng_interface(bytes, ROOM, "uml1", "uml:/tmp/ctl", 262144);

	(void)state;
	expect_begin(1, n);
	expect16(1); /* LINKTYPE_ETHERNET */
	expect16(0);
	expect32(262144);
	expect_option(2, "uml1", 4);
	expect_option(3, "uml:/tmp/ctl", 12);
	expect_option(9, "\x09", 1);
	expect_end(n);
}

static void an_interface_without_description_has_none(void **state)
{
	size_t n = pcapng_interface(bytes, ROOM, "a", "", 0);

	(void)state;
	expect_begin(1, n);
	expect16(1);
	expect16(0);
	expect32(0);
	expect_option(2, "a", 1);
	expect_option(9, "\x09", 1);
	expect_end(n);
}

static void statistics_are_as_drawn(void **state)
{
	const uint64_t received = 0x0102030405060708, dropped = UINT64_MAX;
	size_t n = pcapng_statistics(bytes, ROOM, 7, 0x1122334455667788,
				     received, dropped);

	(void)state;
	expect_begin(5, n);
	expect32(7);
	expect32(0x11223344);
	expect32(0x55667788);
	expect_option(4, &received, 8);
	expect_option(5, &dropped, 8);
	expect_end(n);
}

static struct pcapng_packet some_packet(uint32_t captured)
{
	static uint8_t data[256];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i + 1);
	return (struct pcapng_packet){
		.interface = 3,
		.time_ns = 0xfedcba9876543210,
		.data = data,
		.captured = captured,
		.bytes = captured + 1000,
	};
}

static void expect_packet(const struct pcapng_packet *p, size_t n)
{
	expect_begin(6, n);
	expect32(p->interface);
	expect32(0xfedcba98);
	expect32(0x76543210);
	expect32(p->captured);
	expect32(p->bytes);
	expect(p->data, p->captured);
	while (at % 4)
		expect("", 1);
	if (p->direction) {
		uint32_t flags = p->direction;

		expect_option(2, &flags, 4);
	}
	if (p->comment && *p->comment)
		expect_option(1, p->comment, (uint16_t)strlen(p->comment));
	expect_end(n);
}

/* Every padding of the frame, each with every padding of the comment. */
static void a_packet_is_as_drawn_whatever_its_lengths(void **state)
{
	static const char *const comments[] = {
		NULL, "", "a", "ab", "abc", "abcd", "dropped: mac_limit",
	};

	for (uint32_t captured = 0; captured < 70; captured++) {
		for (size_t c = 0; c < ARRAY_SIZE(comments); c++) {
			struct pcapng_packet p = some_packet(captured);

			fresh(state);
			p.direction = captured % 2 ? PCAPNG_IN : PCAPNG_OUT;
			p.comment = comments[c];
			expect_packet(&p, pcapng_packet(bytes, ROOM, &p));
		}
	}
}

static void a_packet_without_direction_has_no_flags(void **state)
{
	struct pcapng_packet p = some_packet(60);

	(void)state;
	expect_packet(&p, pcapng_packet(bytes, ROOM, &p));
}

static void in_is_one_and_out_is_two(void **state)
{
	(void)state;
	assert_int_equal(PCAPNG_IN, 1);
	assert_int_equal(PCAPNG_OUT, 2);
}

static void a_frame_without_bytes_may_be_nowhere(void **state)
{
	struct pcapng_packet p = { .direction = PCAPNG_NONE };

	(void)state;
	assert_int_equal(pcapng_packet(bytes, ROOM, &p), 12 + 20 + 4);
}

/* --- texts of all lengths ------------------------------------------------ */

static char text[UINT16_MAX + 10];

/* The length that the comment of @text has in a packet. */
static uint16_t comment_length(void)
{
	struct pcapng_packet p = some_packet(0);
	size_t n;
	uint16_t length;

	p.comment = text;
	n = pcapng_packet(bytes, ROOM, &p);
	memcpy(&length, bytes + 28 + 2, sizeof(length));
	assert_memory_equal(bytes + 28 + 4, text, length);
	assert_int_equal(n, 12 + 20 + 4 + ((size_t)length + 3) / 4 * 4 + 4);
	return length;
}

static void comments_may_be_as_long_as_an_option(void **state)
{
	(void)state;
	memset(text, 0, sizeof(text));
	for (size_t n = 1; n <= UINT16_MAX; n++) {
		text[n - 1] = (char)('a' + n % 26);
		if (n < 70 || n > UINT16_MAX - 8)
			assert_int_equal(comment_length(), n);
	}
	text[UINT16_MAX] = 'x';
	assert_int_equal(comment_length(), UINT16_MAX);
}

/* A character of two, three and four bytes, ending behind the last place. */
static void what_is_too_long_is_cut_between_characters(void **state)
{
	static const char *const characters[] = {
		"\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x90\x8c",
	};

	(void)state;
	for (size_t c = 0; c < ARRAY_SIZE(characters); c++) {
		size_t n = strlen(characters[c]);

		for (size_t inside = 1; inside < n; inside++) {
			memset(text, 'x', UINT16_MAX);
			strcpy(text + UINT16_MAX - inside, characters[c]);
			assert_int_equal(comment_length(), UINT16_MAX - inside);
		}
		memset(text, 'x', UINT16_MAX);
		strcpy(text + UINT16_MAX - n, characters[c]);
		strcat(text, "y");
		assert_int_equal(comment_length(), UINT16_MAX);
	}
}

static void names_are_cut_like_comments(void **state)
{
	uint16_t length;

	(void)state;
	memset(text, 'n', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_not_equal(pcapng_interface(bytes, ROOM, text, text, 0), 0);
	memcpy(&length, bytes + 18, sizeof(length));
	assert_int_equal(length, UINT16_MAX);
}

/* --- room ---------------------------------------------------------------- */

static size_t section(size_t room)
{
	return pcapng_section(bytes, room, "ringswitch");
}

static size_t interface(size_t room)
{
	return pcapng_interface(bytes, room, "web1", "tap", 65535);
}

static size_t packet(size_t room)
{
	struct pcapng_packet p = some_packet(61);

	p.direction = PCAPNG_OUT;
	p.comment = "dropped: too_long";
	return pcapng_packet(bytes, room, &p);
}

static size_t bare_packet(size_t room)
{
	struct pcapng_packet p = some_packet(60);

	return pcapng_packet(bytes, room, &p);
}

static size_t statistics(size_t room)
{
	return pcapng_statistics(bytes, room, 0, 1, 2, 3);
}

static bool untouched_from(size_t offset)
{
	for (size_t i = offset; i < offset + MARGIN; i++)
		if (bytes[i] != UNTOUCHED)
			return false;
	return true;
}

static void no_writer_writes_beyond_its_room(void **state)
{
	static size_t (*const writers[])(size_t) = {
		section, interface, packet, bare_packet, statistics,
	};

	for (size_t w = 0; w < ARRAY_SIZE(writers); w++) {
		size_t need = writers[w](ROOM);

		assert_true(need > 0 && need % 4 == 0);
		for (size_t room = 0; room <= need + 1; room++) {
			fresh(state);
			assert_int_equal(writers[w](room),
					 room < need ? 0 : need);
			assert_true(untouched_from(room < need ? room : need));
		}
	}
}

static void a_frame_that_is_too_long_is_not_even_read(void **state)
{
	struct pcapng_packet p = { .captured = UINT32_MAX, .bytes = UINT32_MAX };

	(void)state;
	assert_int_equal(pcapng_packet(bytes, ROOM, &p), 0);
	assert_true(untouched_from(ROOM));
}

static void a_block_may_begin_at_any_byte(void **state)
{
	struct pcapng_packet p = some_packet(13);
	uint8_t aligned[128];
	size_t n = pcapng_packet(aligned, sizeof(aligned), &p);

	(void)state;
	for (size_t shift = 1; shift < 8; shift++) {
		assert_int_equal(pcapng_packet(bytes + shift, ROOM, &p), n);
		assert_memory_equal(bytes + shift, aligned, n);
	}
}

static void the_bound_is_reached_and_never_passed(void **state)
{
	(void)state;
	for (uint32_t captured = 0; captured < 10; captured++) {
		struct pcapng_packet p = some_packet(captured);

		p.direction = PCAPNG_IN;
		memset(text, 0, sizeof(text));
		p.comment = text;
		assert_true(pcapng_packet(bytes, ROOM, &p) <=
			    pcapng_packet_bytes(captured, 0));
		for (size_t n = 1; n < 10; n++) {
			text[n - 1] = 'x';
			assert_int_equal(pcapng_packet(bytes, ROOM, &p),
					 pcapng_packet_bytes(captured, n));
		}
	}
	memset(text, 'x', sizeof(text) - 1);
	assert_int_equal(pcapng_packet_bytes(0, sizeof(text) - 1),
			 pcapng_packet_bytes(0, UINT16_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_section_is_as_drawn, fresh),
		cmocka_unit_test_setup(an_interface_is_as_drawn, fresh),
		cmocka_unit_test_setup(an_interface_without_description_has_none,
				       fresh),
		cmocka_unit_test_setup(statistics_are_as_drawn, fresh),
		cmocka_unit_test(a_packet_is_as_drawn_whatever_its_lengths),
		cmocka_unit_test_setup(a_packet_without_direction_has_no_flags,
				       fresh),
		cmocka_unit_test(in_is_one_and_out_is_two),
		cmocka_unit_test(a_frame_without_bytes_may_be_nowhere),
		cmocka_unit_test(comments_may_be_as_long_as_an_option),
		cmocka_unit_test(what_is_too_long_is_cut_between_characters),
		cmocka_unit_test(names_are_cut_like_comments),
		cmocka_unit_test(no_writer_writes_beyond_its_room),
		cmocka_unit_test_setup(a_frame_that_is_too_long_is_not_even_read,
				       fresh),
		cmocka_unit_test(a_block_may_begin_at_any_byte),
		cmocka_unit_test(the_bound_is_reached_and_never_passed),
	};

	return cmocka_run_group_tests_name("pcapng", tests, NULL, NULL);
}
