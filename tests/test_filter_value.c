#include "test.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "../tap/filter_value.h"

/* Sets of numbers --------------------------------------------------------- */

static const filter_number highest = ~(filter_number)0;

static struct filter_spans spans_of(const struct filter_span *spans,
				    size_t count)
{
	struct filter_spans set = { 0 };

	for (size_t i = 0; i < count; i++)
		assert_int_equal(filter_spans_add(&set, spans[i].first,
						  spans[i].last),
				 0);
	return set;
}

#define SPANS(...)                                                            \
	spans_of((const struct filter_span[]){ __VA_ARGS__ },                 \
		 sizeof((const struct filter_span[]){ __VA_ARGS__ }) /        \
			 sizeof(struct filter_span))

/* Frees @set. */
static void check_spans(struct filter_spans set, const struct filter_span *like,
			size_t count)
{
	assert_int_equal(set.count, count);
	for (size_t i = 0; i < count; i++) {
		assert_true(set.spans[i].first == like[i].first);
		assert_true(set.spans[i].last == like[i].last);
	}
	filter_spans_free(&set);
	assert_null(set.spans);
	assert_int_equal(set.count, 0);
}

#define CHECK_SPANS(set, ...)                                                 \
	check_spans(set, (const struct filter_span[]){ __VA_ARGS__ },         \
		    sizeof((const struct filter_span[]){ __VA_ARGS__ }) /     \
			    sizeof(struct filter_span))

static void a_tidy_set_is_in_order_and_apart(void **state)
{
	struct filter_spans set = SPANS({ 30, 39 }, { 10, 19 }, { 20, 20 },
					{ 12, 13 }, { 50, 60 }, { 55, 70 },
					{ 22, 22 }, { 50, 51 });

	(void)state;
	filter_spans_tidy(&set);
	CHECK_SPANS(set, { 10, 20 }, { 22, 22 }, { 30, 39 }, { 50, 70 });
}

static void a_set_of_nothing_is_tidy(void **state)
{
	struct filter_spans set = { 0 };

	(void)state;
	filter_spans_tidy(&set);
	assert_int_equal(set.count, 0);
	filter_spans_free(&set);
}

static void the_highest_number_is_no_end_of_the_world(void **state)
{
	struct filter_spans set = SPANS({ highest, highest }, { 5, highest },
					{ 0, 3 });

	(void)state;
	filter_spans_tidy(&set);
	CHECK_SPANS(set, { 0, 3 }, { 5, highest });
}

static void a_complement_is_all_else(void **state)
{
	struct filter_spans set = SPANS({ 10, 19 }, { 30, 30 });

	(void)state;
	assert_int_equal(filter_spans_complement(&set, 99), 0);
	CHECK_SPANS(set, { 0, 9 }, { 20, 29 }, { 31, 99 });
}

static void a_complement_may_begin_or_end_with_what_was_there(void **state)
{
	struct filter_spans ends = SPANS({ 0, 9 }, { 90, 99 });
	struct filter_spans last = SPANS({ 5, highest });

	(void)state;
	assert_int_equal(filter_spans_complement(&ends, 99), 0);
	CHECK_SPANS(ends, { 10, 89 });
	assert_int_equal(filter_spans_complement(&last, highest), 0);
	CHECK_SPANS(last, { 0, 4 });
}

static void the_complement_of_nothing_is_all_and_that_of_all_nothing(void **state)
{
	struct filter_spans set = { 0 };

	(void)state;
	assert_int_equal(filter_spans_complement(&set, highest), 0);
	assert_int_equal(set.count, 1);
	assert_true(set.spans[0].first == 0 && set.spans[0].last == highest);
	assert_int_equal(filter_spans_complement(&set, highest), 0);
	assert_int_equal(set.count, 0);
	filter_spans_free(&set);
}

/* Against a set of 256 bits. */
static void spans_are_a_set_of_numbers(void **state)
{
	(void)state;
	srandom(1);
	for (int round = 0; round < 2000; round++) {
		struct filter_spans set = { 0 };
		bool in[256] = { false };
		size_t i = 0;

		for (long n = random() % 12; n > 0; n--) {
			unsigned first = (unsigned)random() % 256;
			unsigned last = first + (unsigned)random() %
							(256 - first) / 8;

			filter_spans_add(&set, first, last);
			for (unsigned k = first; k <= last; k++)
				in[k] = true;
		}
		if (round % 2) {
			assert_int_equal(filter_spans_complement(&set, 255), 0);
			for (unsigned k = 0; k < 256; k++)
				in[k] = !in[k];
		} else {
			filter_spans_tidy(&set);
		}
		for (unsigned k = 0; k < 256; k++) {
			if (i < set.count && set.spans[i].last < k)
				i++;
			assert_int_equal(i < set.count &&
						 set.spans[i].first <= k,
					 in[k]);
		}
		/* As few as can be. */
		for (i = 1; i < set.count; i++)
			assert_true(set.spans[i].first >
				    set.spans[i - 1].last + 1);
		filter_spans_free(&set);
	}
}

/* Numbers ----------------------------------------------------------------- */

static void is_number(const char *text, uint64_t max, uint64_t expected)
{
	uint64_t n = ~expected;

	assert_int_equal(filter_value_number(text, max, &n), 0);
	assert_int_equal(n, expected);
}

static void is_no_number(const char *text, uint64_t max)
{
	uint64_t n = 77;

	if (filter_value_number(text, max, &n) != -EINVAL)
		fail_msg("'%s' was taken for %" PRIu64, text, n);
	assert_int_equal(n, 77);
}

static void numbers_are_decimal_or_hexadecimal(void **state)
{
	(void)state;
	is_number("0", 0, 0);
	is_number("65535", 65535, 65535);
	is_number("00010", 100, 10);
	is_number("0x0", 0, 0);
	is_number("0x88cc", 0xffff, 0x88cc);
	is_number("0X88CC", 0xffff, 0x88cc);
	is_number("1000000000000", (uint64_t)1 << 40, 1000000000000);
}

static void numbers_are_nothing_else(void **state)
{
	static const char *const texts[] = {
		"",    " ",   "x",    "0x",   "-1", "+1", " 1", "1 ",
		"1.0", "1e3", "0x1g", "12ab", "ab", "1-2", "0x-1", "0b1",
		"\xef\xbc\x91",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		is_no_number(texts[i], UINT64_MAX);
}

static void numbers_have_a_maximum(void **state)
{
	(void)state;
	is_no_number("1", 0);
	is_no_number("65536", 65535);
	is_no_number("0x10000", 65535);
	is_no_number("4294967296", UINT32_MAX);
	is_no_number("18446744073709551616", 100);
	is_no_number("18446744073709551617", UINT64_MAX);
	is_no_number("0x10000000000000001", UINT64_MAX);
	is_no_number("99999999999999999999999999999999999", UINT64_MAX);
}

static const struct filter_word words[] = { { "seven", 7 },
					    { "one-two", 12 },
					    { NULL, 0 } };

static void is_range(const char *text, uint64_t first, uint64_t last)
{
	struct filter_span span;

	assert_int_equal(filter_value_range(text, 1000, words, &span), 0);
	assert_true(span.first == first && span.last == last);
}

static void ranges_are_numbers_or_words_or_two_numbers(void **state)
{
	(void)state;
	is_range("0", 0, 0);
	is_range("1000", 1000, 1000);
	is_range("0-1000", 0, 1000);
	is_range("5-5", 5, 5);
	is_range("0x10-0x20", 16, 32);
	is_range("9-0xa", 9, 10);
	is_range("seven", 7, 7);
	is_range("one-two", 12, 12);
}

static void ranges_are_nothing_else(void **state)
{
	static const char *const texts[] = {
		"",	 "-",	   "1-",	"-1",	   "2-1",  "1-2-3",
		"1--2",	 "1-1001", "1001",	"1001-1002", "sev", "sevens",
		"Seven", "seven-8", "1-seven",	"1 - 2",
		"1-22222222222222222222222222222222222222222222",
		"11111111111111111111111111111111111111111111-2",
	};
	struct filter_span span = { 3, 4 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		if (filter_value_range(texts[i], 1000, words, &span) != -EINVAL)
			fail_msg("'%s' was taken", texts[i]);
		assert_true(span.first == 3 && span.last == 4);
	}
	assert_int_equal(filter_value_range("seven", 1000, NULL, &span),
			 -EINVAL);
}

/* Addresses --------------------------------------------------------------- */

static void is_mac(const char *text, uint64_t mac, uint64_t mask)
{
	uint64_t got, got_mask;

	if (filter_value_mac(text, &got, &got_mask))
		fail_msg("'%s' was not taken", text);
	assert_int_equal(got, mac);
	assert_int_equal(got_mask, mask);
}

static void mac_addresses_have_masks_or_lengths(void **state)
{
	const uint64_t all = 0xffffffffffff;

	(void)state;
	is_mac("02:00:00:00:00:01", 0x020000000001, all);
	is_mac("2:0:0:0:0:1", 0x020000000001, all);
	is_mac("aA:Bb:cC:dD:eE:Ff", 0xaabbccddeeff, all);
	is_mac("02:00:00:00:00:01/48", 0x020000000001, all);
	is_mac("02:11:22:33:44:55/24", 0x021122000000, 0xffffff000000);
	is_mac("ff:ff:ff:ff:ff:ff/1", 0x800000000000, 0x800000000000);
	is_mac("ff:ff:ff:ff:ff:ff/0", 0, 0);
	is_mac("02:11:22:33:44:55/47", 0x021122334454, 0xfffffffffffe);
	is_mac("02:00:00:00:00:00/ff:ff:ff:00:00:00", 0x020000000000,
	       0xffffff000000);
	is_mac("ff:ff:ff:ff:ff:ff/01:00:00:00:00:00", 0x010000000000,
	       0x010000000000);
	is_mac("ff:ff:ff:ff:ff:ff/0:0:0:0:0:0", 0, 0);
}

static void mac_addresses_are_nothing_else(void **state)
{
	static const char *const texts[] = {
		"",
		":",
		"02",
		"02:00:00:00:00",
		"02:00:00:00:00:",
		"02:00:00:00:00:01:02",
		"02:00:00:00:00:001",
		"002:00:00:00:00:01",
		"02::00:00:00:01",
		"02-00-00-00-00-01",
		"020000000001",
		"02:00:00:00:00:0g",
		"02:00:00:00:00:01 ",
		" 02:00:00:00:00:01",
		"0x2:0:0:0:0:1",
		"02:00:00:00:00:01/",
		"02:00:00:00:00:01/49",
		"02:00:00:00:00:01/-1",
		"02:00:00:00:00:01/ff:ff:ff:00:00",
		"02:00:00:00:00:01/ff:ff:ff:00:00:00:00",
		"02:00:00:00:00:01/ff:ff:ff:00:00:00/1",
		"02:00:00:00:00:01/24/24",
		"02:00:00:00:00:01/:",
		"10.0.0.1",
	};
	uint64_t mac, mask;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (filter_value_mac(texts[i], &mac, &mask) != -EINVAL)
			fail_msg("'%s' was taken", texts[i]);
}

static void is_ipv4(const char *text, uint32_t first, uint32_t last)
{
	struct filter_span span;

	if (filter_value_ipv4(text, &span))
		fail_msg("'%s' was not taken", text);
	assert_true(span.first == first && span.last == last);
}

static void ipv4_addresses_have_prefixes(void **state)
{
	(void)state;
	is_ipv4("10.1.2.3", 0x0a010203, 0x0a010203);
	is_ipv4("10.1.2.3/32", 0x0a010203, 0x0a010203);
	is_ipv4("10.1.2.3/31", 0x0a010202, 0x0a010203);
	is_ipv4("10.1.2.3/8", 0x0a000000, 0x0affffff);
	is_ipv4("255.255.255.255/1", 0x80000000, 0xffffffff);
	is_ipv4("0.0.0.0/0", 0, 0xffffffff);
	is_ipv4("255.255.255.255", 0xffffffff, 0xffffffff);
}

static void ipv4_addresses_are_nothing_else(void **state)
{
	static const char *const texts[] = {
		"",	       "10",	     "10.0.0",	    "10.0.0.256",
		"10.0.0.1.2",  "10.0.0.1/",  "10.0.0.1/33", "10.0.0.1/-1",
		"10.0.0.1/a",  "10.0.0.1/8/8", "10.0.0.1 ", "a.b.c.d",
		"10.0.0.01/x", "::1",	     "10.0.0.1/255.0.0.0",
		"/8",	       "10.0.0.1-10.0.0.9",
		"1111111111111111111111111111111111111111111111111111",
	};
	struct filter_span span;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (filter_value_ipv4(texts[i], &span) != -EINVAL)
			fail_msg("'%s' was taken", texts[i]);
}

static filter_number ipv6(uint64_t high, uint64_t low)
{
	return (filter_number)high << 64 | low;
}

static void is_ipv6(const char *text, filter_number first, filter_number last)
{
	struct filter_span span;

	if (filter_value_ipv6(text, &span))
		fail_msg("'%s' was not taken", text);
	assert_true(span.first == first && span.last == last);
}

static void ipv6_addresses_have_prefixes(void **state)
{
	const uint64_t db8 = 0x20010db800000000;

	(void)state;
	is_ipv6("2001:db8::1", ipv6(db8, 1), ipv6(db8, 1));
	is_ipv6("2001:DB8:0:0:0:0:0:1/128", ipv6(db8, 1), ipv6(db8, 1));
	is_ipv6("2001:db8::1/127", ipv6(db8, 0), ipv6(db8, 1));
	is_ipv6("2001:db8::/32", ipv6(db8, 0),
		ipv6(db8 | 0xffffffff, UINT64_MAX));
	is_ipv6("2001:db8::1:1/96", ipv6(db8, 0), ipv6(db8, 0xffffffff));
	is_ipv6("::/0", 0, highest);
	is_ipv6("::", 0, 0);
	is_ipv6("::ffff:10.0.0.1", ipv6(0, 0xffff0a000001),
		ipv6(0, 0xffff0a000001));
	is_ipv6("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", highest,
		highest);
}

static void ipv6_addresses_are_nothing_else(void **state)
{
	static const char *const texts[] = {
		"",	  ":",	      "1",	  ":::",	  "1::2::3",
		"::1/129", "::1/",    "::1/-1",	  "10.0.0.1",	  "::10000",
		"::1%eth0", "[::1]",  "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9",
		"::1/64/64", "::1/ffff::",
		"0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000",
	};
	struct filter_span span;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (filter_value_ipv6(texts[i], &span) != -EINVAL)
			fail_msg("'%s' was taken", texts[i]);
}

/* Flags ------------------------------------------------------------------- */

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16, URG = 32, ECE = 64,
       CWR = 128 };

/* Just the bytes of which (byte & @mask) == @flags. */
static void is_flags(const char *text, unsigned flags, unsigned mask)
{
	struct filter_spans set = { 0 };
	bool in[256] = { false };

	if (filter_value_tcp_flags(text, &set))
		fail_msg("'%s' was not taken", text);
	for (size_t i = 0; i < set.count; i++)
		for (filter_number n = set.spans[i].first;
		     n <= set.spans[i].last; n++)
			in[n] = true;
	for (unsigned n = 0; n < 256; n++)
		if (in[n] != ((n & mask) == flags))
			fail_msg("'%s' is wrong about 0x%02x", text, n);
	filter_spans_free(&set);
}

static void flags_alone_are_all_set(void **state)
{
	static const char *const names[] = { "fin", "syn", "rst", "psh",
					     "ack", "urg", "ece", "cwr" };

	(void)state;
	for (unsigned i = 0; i < 8; i++)
		is_flags(names[i], 1u << i, 1u << i);
	is_flags("syn+ack", SYN | ACK, SYN | ACK);
	is_flags("ack+syn", SYN | ACK, SYN | ACK);
	is_flags("fin+syn+rst+psh+ack+urg+ece+cwr", 255, 255);
}

static void of_a_mask_just_the_flags_are_set(void **state)
{
	(void)state;
	is_flags("syn/syn+ack", SYN, SYN | ACK);
	is_flags("syn/syn", SYN, SYN);
	is_flags("syn+ack/syn+ack+rst+fin", SYN | ACK, SYN | ACK | RST | FIN);
	is_flags("none/syn", 0, SYN);
	is_flags("none/fin+syn+rst+psh+ack+urg+ece+cwr", 0, 255);
}

static void established_is_ack_or_rst(void **state)
{
	struct filter_spans set = { 0 };
	bool in[256] = { false };

	(void)state;
	assert_int_equal(filter_value_tcp_flags("established", &set), 0);
	for (size_t i = 0; i < set.count; i++)
		for (filter_number n = set.spans[i].first;
		     n <= set.spans[i].last; n++)
			in[n] = true;
	for (unsigned n = 0; n < 256; n++)
		assert_int_equal(in[n], (n & (ACK | RST)) != 0);
	filter_spans_free(&set);
}

static void flags_are_nothing_else(void **state)
{
	static const char *const texts[] = {
		"",	     "none",	 "SYN",	      "syn+",	 "+syn",
		"syn++ack",  "syn,ack",	 "syn ack",   "s",	 "synack",
		"syn/",	     "/syn",	 "syn/foo",   "foo/syn", "syn/ack",
		"syn+ack/syn", "syn/syn/syn", "none+syn/syn", "syn/syn+none",
		"established/ack", "ack/established", "0x02", "2", "syn/+",
	};
	struct filter_spans set = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (filter_value_tcp_flags(texts[i], &set) != -EINVAL)
			fail_msg("'%s' was taken", texts[i]);
	assert_int_equal(set.count, 0);
	filter_spans_free(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tidy_set_is_in_order_and_apart),
		cmocka_unit_test(a_set_of_nothing_is_tidy),
		cmocka_unit_test(the_highest_number_is_no_end_of_the_world),
		cmocka_unit_test(a_complement_is_all_else),
		cmocka_unit_test(a_complement_may_begin_or_end_with_what_was_there),
		cmocka_unit_test(the_complement_of_nothing_is_all_and_that_of_all_nothing),
		cmocka_unit_test(spans_are_a_set_of_numbers),
		cmocka_unit_test(numbers_are_decimal_or_hexadecimal),
		cmocka_unit_test(numbers_are_nothing_else),
		cmocka_unit_test(numbers_have_a_maximum),
		cmocka_unit_test(ranges_are_numbers_or_words_or_two_numbers),
		cmocka_unit_test(ranges_are_nothing_else),
		cmocka_unit_test(mac_addresses_have_masks_or_lengths),
		cmocka_unit_test(mac_addresses_are_nothing_else),
		cmocka_unit_test(ipv4_addresses_have_prefixes),
		cmocka_unit_test(ipv4_addresses_are_nothing_else),
		cmocka_unit_test(ipv6_addresses_have_prefixes),
		cmocka_unit_test(ipv6_addresses_are_nothing_else),
		cmocka_unit_test(flags_alone_are_all_set),
		cmocka_unit_test(of_a_mask_just_the_flags_are_set),
		cmocka_unit_test(established_is_ack_or_rst),
		cmocka_unit_test(flags_are_nothing_else),
	};

	return cmocka_run_group_tests_name("filter_value", tests, NULL, NULL);
}
