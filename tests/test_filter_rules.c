#include "test.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../tap/filter_rules.h"

static char why[768];

static struct filter_rules *parse_bytes(const char *text, size_t bytes)
{
	/* Nothing is behind the last byte, for a sanitizer to see. */
	char *copy = malloc(bytes ? bytes : 1);
	struct filter_rules *rules;

	assert_non_null(copy);
	memcpy(copy, text, bytes);
	why[0] = '\0';
	rules = filter_rules_parse("my.rules", copy, bytes, why, sizeof(why));
	free(copy);
	return rules;
}

/* The rules, the caller's. */
static struct filter_rules *taken(const char *text)
{
	struct filter_rules *rules = parse_bytes(text, strlen(text));

	if (!rules)
		fail_msg("%s, of:\n%s", why, text);
	return rules;
}

/* "my.rules:" and @where, "LINE:COLUMN: ", and @naming in what follows. */
static void refused_bytes(const char *text, size_t bytes, const char *where,
			  const char *naming)
{
	struct filter_rules *rules = parse_bytes(text, bytes);
	char place[64];

	if (rules)
		fail_msg("taken: %s", text);
	snprintf(place, sizeof(place), "my.rules:%s: ", where);
	if (strncmp(why, place, strlen(place)))
		fail_msg("'%s' is not at %s, of:\n%s", why, where, text);
	if (!strstr(why + strlen(place), naming))
		fail_msg("'%s' does not say '%s'", why, naming);
	assert_null(strchr(why, '\n'));
}

static void refused(const char *text, const char *where, const char *naming)
{
	refused_bytes(text, strlen(text), where, naming);
}

/* Statements -------------------------------------------------------------- */

enum { TO_HOST = 1 << FILTER_TO_HOST, TO_GUESTS = 1 << FILTER_TO_GUESTS };

static void nothing_said_is_accept(void **state)
{
	struct filter_rules *r = taken("");

	(void)state;
	assert_int_equal(r->statement_count, 0);
	assert_int_equal(r->name_count, 0);
	for (int d = 0; d < FILTER_DIRECTIONS; d++) {
		assert_int_equal(r->default_action[d], FILTER_ACCEPT);
		assert_int_equal(r->default_line[d], 0);
	}
	filter_rules_free(r);
}

static void defaults_are_said_anywhere(void **state)
{
	struct filter_rules *r = taken("default to-guests drop\n"
				       "accept\n"
				       "default to-host accept\n");

	(void)state;
	assert_int_equal(r->default_action[FILTER_TO_GUESTS], FILTER_DROP);
	assert_int_equal(r->default_line[FILTER_TO_GUESTS], 1);
	assert_int_equal(r->default_action[FILTER_TO_HOST], FILTER_ACCEPT);
	assert_int_equal(r->default_line[FILTER_TO_HOST], 3);
	assert_int_equal(r->statement_count, 1);
	filter_rules_free(r);
}

static void each_action_is_known_in_each_direction(void **state)
{
	static const struct {
		const char *text;
		enum filter_action action;
		unsigned directions;
	} cases[] = {
		{ "accept", FILTER_ACCEPT, TO_HOST | TO_GUESTS },
		{ "drop to-host", FILTER_DROP, TO_HOST },
		{ "count to-guests", FILTER_COUNT, TO_GUESTS },
		{ "rate-limit 5 packets/s", FILTER_LIMIT_PACKETS,
		  TO_HOST | TO_GUESTS },
		{ "rate-limit 5 Mbit/s to-host", FILTER_LIMIT_BITS, TO_HOST },
		{ "rate-limit 5 Mbit/s burst 1 MB to-guests vlan 1",
		  FILTER_LIMIT_BITS, TO_GUESTS },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct filter_rules *r = taken(cases[i].text);

		assert_int_equal(r->statement_count, 1);
		assert_int_equal(r->statements[0].action, cases[i].action);
		assert_int_equal(r->statements[0].directions,
				 cases[i].directions);
		assert_int_equal(r->statements[0].line, 1);
		assert_string_equal(r->statements[0].text, cases[i].text);
		filter_rules_free(r);
	}
}

static void translations_have_two_addresses(void **state)
{
	struct filter_rules *r = taken("translate 10.0.0.5 <-> 192.0.2.5\n"
				       "translate\t10.0.0.6   <->  10.0.0.5\n");

	(void)state;
	assert_int_equal(r->name_count, 2);
	assert_int_equal(r->names[0].inner, 0x0a000005);
	assert_int_equal(r->names[0].outer, 0xc0000205);
	assert_int_equal(r->names[0].line, 1);
	assert_string_equal(r->names[0].text, "translate 10.0.0.5 <-> 192.0.2.5");
	assert_int_equal(r->names[1].inner, 0x0a000006);
	assert_int_equal(r->names[1].outer, 0x0a000005);
	assert_string_equal(r->names[1].text, "translate 10.0.0.6 <-> 10.0.0.5");
	filter_rules_free(r);
}

/* Rates ------------------------------------------------------------------- */

static void check_limit(const char *words, uint64_t rate, uint64_t burst_ns)
{
	char text[128];
	struct filter_rules *r;

	snprintf(text, sizeof(text), "rate-limit %s", words);
	r = taken(text);
	if (r->statements[0].rate != rate)
		fail_msg("%s: rate %llu", text,
			 (unsigned long long)r->statements[0].rate);
	if (r->statements[0].burst_ns != burst_ns)
		fail_msg("%s: burst %llu ns", text,
			 (unsigned long long)r->statements[0].burst_ns);
	filter_rules_free(r);
}

static void rates_have_units(void **state)
{
	const uint64_t tenth_ns = 100000000;

	(void)state;
	check_limit("100 packets/s", 100, tenth_ns);
	check_limit("10000000 packets/s", 10000000, tenth_ns);
	check_limit("8000000 bit/s", 8000000, tenth_ns);
	check_limit("8000 kbit/s", 8000000, tenth_ns);
	check_limit("8 Mbit/s", 8000000, tenth_ns);
	check_limit("8 Gbit/s", 8000000000, tenth_ns);
	check_limit("1000 Gbit/s", 1000000000000, tenth_ns);
}

static void bursts_are_how_long_the_rate_takes_for_them(void **state)
{
	(void)state;
	check_limit("10 packets/s burst 1 packets", 10, 100000000);
	check_limit("10 packets/s burst 30 packets", 10, 3000000000);
	check_limit("3 packets/s burst 1 packets", 3, 333333333);
	check_limit("8 kbit/s burst 1000 bytes", 8000, 1000000000);
	check_limit("8 kbit/s burst 1 kB", 8000, 1000000000);
	check_limit("8 Mbit/s burst 2 MB", 8000000, 2000000000);
	check_limit("8 Mbit/s burst 1 bytes", 8000000, 1000);
}

static void a_burst_that_is_not_said_is_a_tenth_of_a_second_or_something(void **state)
{
	(void)state;
	/* 5 packets, 10 kB. */
	check_limit("1 packets/s", 1, 5000000000);
	check_limit("49 packets/s", 49, 5000000000 / 49);
	check_limit("50 packets/s", 50, 100000000);
	check_limit("60 packets/s", 60, 100000000);
	check_limit("8 kbit/s", 8000, 10000000000);
	check_limit("800 kbit/s", 800000, 100000000);
	check_limit("1 bit/s", 1, 80000 * 1000000000ull);
}

static void limits_that_cannot_be_are_refused(void **state)
{
	(void)state;
	refused("rate-limit", "1:11", "missing");
	refused("rate-limit 5", "1:13", "packets/s, bit/s");
	refused("rate-limit 5 packets", "1:14", "'packets' is not");
	refused("rate-limit 5 mbit/s", "1:14", "'mbit/s' is not");
	refused("rate-limit 5 MB/s", "1:14", "'MB/s' is not");
	refused("rate-limit 5Mbit/s", "1:12", "'5Mbit/s' is not");
	refused("rate-limit 0 packets/s", "1:12", "'0'");
	refused("rate-limit -1 packets/s", "1:12", "'-1'");
	refused("rate-limit 1.5 Mbit/s", "1:12", "'1.5'");
	refused("rate-limit to-host", "1:12", "'to-host'");
	refused("rate-limit to-host 5 packets/s", "1:12", "'to-host'");
	refused("rate-limit 18446744073709551617 bit/s", "1:12", "1844674407");
	refused("rate-limit 10000001 packets/s", "1:12", "packets/s");
	refused("rate-limit 1001 Gbit/s", "1:17", "Gbit/s");
	refused("rate-limit 1000000000000 Gbit/s", "1:26", "Gbit/s");
	refused("rate-limit 5 packets/s burst", "1:29", "missing");
	refused("rate-limit 5 packets/s burst 5", "1:31", "packets, bytes");
	refused("rate-limit 5 packets/s burst 0 packets", "1:30", "'0'");
	refused("rate-limit 5 packets/s burst 5 kB", "1:32", "packets");
	refused("rate-limit 5 Mbit/s burst 5 packets", "1:29", "packets");
	refused("rate-limit 5 Mbit/s burst 5 Mbit", "1:29", "'Mbit'");
	refused("rate-limit 5 Mbit/s burst 1000000 MB", "1:35", "more than");
	refused("rate-limit 5 Mbit/s burst 1000000000000 MB", "1:41",
		"more than");
	refused("rate-limit 5 Mbit/s to-host burst 5 kB", "1:29", "'burst'");
	refused("accept burst 5 packets", "1:8", "'burst'");
}

/* Matches ----------------------------------------------------------------- */

enum { LISTED_MAX = 8 };

static const uint64_t whole = UINT64_MAX;

/* @text is one rule with one match: one entry, one condition on @field, with
 * these ranges; the last one's end is 0 where it is not the first. */
static void check_match(const char *text, enum filter_field field,
			uint64_t mask, const struct filter_range *ranges,
			uint32_t count)
{
	struct filter_rules *r = taken(text);

	assert_int_equal(r->statement_count, 1);
	assert_int_equal(r->statements[0].entries, 1);
	assert_int_equal(r->entry_count, 1);
	assert_int_equal(r->entries[0].conditions, 1);
	if (r->conditions[0].field != field || r->conditions[0].mask != mask)
		fail_msg("%s: field %d", text, r->conditions[0].field);
	if (r->conditions[0].ranges != count)
		fail_msg("%s: %u ranges", text, r->conditions[0].ranges);
	for (uint32_t i = 0; i < count; i++) {
		const struct filter_range *got =
			&r->ranges[r->conditions[0].range_at + i];

		if (got->first != ranges[i].first || got->last != ranges[i].last)
			fail_msg("%s: range %u is %llu-%llu", text, i,
				 (unsigned long long)got->first,
				 (unsigned long long)got->last);
	}
	filter_rules_free(r);
}

#define CHECK_MATCH(text, field, ...)                                         \
	check_match(text, field, whole,                                       \
		    (const struct filter_range[]){ __VA_ARGS__ },             \
		    sizeof((const struct filter_range[]){ __VA_ARGS__ }) /    \
			    sizeof(struct filter_range))

struct word_case {
	const char *word;
	uint64_t number;
};

static void check_words(const char *match, enum filter_field field,
			const struct word_case *words, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char text[128];

		snprintf(text, sizeof(text), "drop %s %s", match,
			 words[i].word);
		CHECK_MATCH(text, field, { words[i].number, words[i].number });
	}
}

static void every_word_for_a_number_is_known(void **state)
{
	static const struct word_case ethertypes[] = {
		{ "arp", 0x0806 }, { "ipv4", 0x0800 }, { "ipv6", 0x86dd },
		{ "lldp", 0x88cc }, { "0x88cc", 0x88cc }, { "46", 46 },
		{ "0", 0 }, { "65535", 65535 },
	};
	static const struct word_case vlans[] = { { "none", FIELD_NO_VLAN },
						  { "0", 0 },
						  { "4095", 4095 } };
	static const struct word_case operations[] = {
		{ "request", 1 }, { "reply", 2 }, { "3", 3 }, { "65535", 65535 }
	};
	static const struct word_case protocols[] = {
		{ "icmp", 1 },	 { "igmp", 2 },	 { "tcp", 6 },
		{ "udp", 17 },	 { "gre", 47 },	 { "esp", 50 },
		{ "ah", 51 },	 { "icmpv6", 58 }, { "ospf", 89 },
		{ "sctp", 132 }, { "0", 0 },	 { "255", 255 },
	};
	static const struct word_case icmp[] = {
		{ "echo-reply", 0 },	     { "destination-unreachable", 3 },
		{ "redirect", 5 },	     { "echo-request", 8 },
		{ "time-exceeded", 11 },     { "parameter-problem", 12 },
		{ "timestamp-request", 13 }, { "timestamp-reply", 14 },
		{ "255", 255 },
	};
	static const struct word_case icmpv6[] = {
		{ "destination-unreachable", 1 },
		{ "packet-too-big", 2 },
		{ "time-exceeded", 3 },
		{ "parameter-problem", 4 },
		{ "echo-request", 128 },
		{ "echo-reply", 129 },
		{ "router-solicitation", 133 },
		{ "router-advertisement", 134 },
		{ "neighbor-solicitation", 135 },
		{ "neighbor-advertisement", 136 },
		{ "redirect", 137 },
		{ "0", 0 },
	};
	static const struct word_case ports[] = { { "0", 0 }, { "65535", 65535 } };

	(void)state;
	check_words("ethertype", FIELD_ETHERTYPE, ethertypes,
		    ARRAY_SIZE(ethertypes));
	check_words("vlan", FIELD_VLAN, vlans, ARRAY_SIZE(vlans));
	check_words("arp", FIELD_ARP, operations, ARRAY_SIZE(operations));
	check_words("protocol", FIELD_PROTOCOL, protocols,
		    ARRAY_SIZE(protocols));
	check_words("icmp-type", FIELD_ICMP_TYPE, icmp, ARRAY_SIZE(icmp));
	check_words("icmpv6-type", FIELD_ICMPV6_TYPE, icmpv6,
		    ARRAY_SIZE(icmpv6));
	check_words("src-port", FIELD_SRC_PORT, ports, ARRAY_SIZE(ports));
	check_words("dst-port", FIELD_DST_PORT, ports, ARRAY_SIZE(ports));
}

static void numbers_are_listed_and_in_ranges(void **state)
{
	(void)state;
	CHECK_MATCH("drop dst-port 80,443,8000-8100", FIELD_DST_PORT,
		    { 80, 80 }, { 443, 443 }, { 8000, 8100 });
	CHECK_MATCH("drop dst-port 8000-8100,80,81,8050-9000", FIELD_DST_PORT,
		    { 80, 81 }, { 8000, 9000 });
	CHECK_MATCH("drop src-port 0-65535", FIELD_SRC_PORT, { 0, 65535 });
	CHECK_MATCH("drop ethertype 0-1535", FIELD_ETHERTYPE, { 0, 1535 });
	CHECK_MATCH("drop ethertype ipv4,arp,0x86dd", FIELD_ETHERTYPE,
		    { 0x0800, 0x0800 }, { 0x0806, 0x0806 },
		    { 0x86dd, 0x86dd });
	CHECK_MATCH("drop vlan 100-200,none", FIELD_VLAN, { 100, 200 },
		    { FIELD_NO_VLAN, FIELD_NO_VLAN });
	CHECK_MATCH("drop icmp-type echo-request,0-2", FIELD_ICMP_TYPE,
		    { 0, 2 }, { 8, 8 });
}

/* What a frame has to have stays out of it. */
static void a_complement_is_of_what_frames_have(void **state)
{
	(void)state;
	CHECK_MATCH("drop dst-port !22", FIELD_DST_PORT, { 0, 21 },
		    { 23, 65535 });
	CHECK_MATCH("drop dst-port !80,443", FIELD_DST_PORT, { 0, 79 },
		    { 81, 442 }, { 444, 65535 });
	CHECK_MATCH("drop ethertype !arp", FIELD_ETHERTYPE, { 0, 0x805 },
		    { 0x807, 0xffff });
	CHECK_MATCH("drop arp !request", FIELD_ARP, { 0, 0 }, { 2, 65535 });
	CHECK_MATCH("drop protocol !tcp,udp", FIELD_PROTOCOL, { 0, 5 },
		    { 7, 16 }, { 18, 255 });
	CHECK_MATCH("drop icmp-type !8", FIELD_ICMP_TYPE, { 0, 7 }, { 9, 255 });
	CHECK_MATCH("drop icmpv6-type !0", FIELD_ICMPV6_TYPE, { 1, 255 });
	CHECK_MATCH("drop arp-sender !10.0.0.0/8", FIELD_ARP_SENDER,
		    { 0, 0x09ffffff }, { 0x0b000000, UINT32_MAX });
	CHECK_MATCH("drop src-mac !ff:ff:ff:ff:ff:ff", FIELD_SRC_MAC,
		    { 0, 0xfffffffffffe });
	CHECK_MATCH("drop tcp-flags !none/fin+syn+rst+psh+ack+urg+ece+cwr",
		    FIELD_TCP_FLAGS, { 1, 255 });
	/* Of VLANs, untagged is one. */
	CHECK_MATCH("drop vlan !none", FIELD_VLAN, { 0, 4095 });
	CHECK_MATCH("drop vlan !100", FIELD_VLAN, { 0, 99 },
		    { 101, FIELD_NO_VLAN });
}

static void a_complement_of_all_matches_nothing(void **state)
{
	static const char *const texts[] = {
		"drop dst-port !0-65535",
		"drop vlan !none,0-4095",
		"drop src-mac !00:00:00:00:00:00/0",
		"drop src !0.0.0.0/0,::/0",
		"drop tcp-flags !none/ack,ack",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct filter_rules *r = taken(texts[i]);
		const struct filter_statement *s = &r->statements[0];
		uint32_t ranges = 0;

		for (uint32_t j = 0; j < s->entries; j++) {
			const struct filter_entry *e = &r->entries[j];

			for (uint32_t k = 0; k < e->conditions; k++)
				ranges += r->conditions[e->condition_at + k].ranges;
		}
		assert_int_equal(ranges, 0);
		filter_rules_free(r);
	}
}

static void mac_addresses_are_ranges_or_have_a_field_for_their_mask(void **state)
{
	const uint64_t holes = FIELD_NO_MAC | 0xff00000000ff;

	(void)state;
	CHECK_MATCH("drop src-mac 02:00:00:00:00:01", FIELD_SRC_MAC,
		    { 0x020000000001, 0x020000000001 });
	CHECK_MATCH("drop dst-mac 02:00:00:00:00:00/24", FIELD_DST_MAC,
		    { 0x020000000000, 0x020000ffffff });
	CHECK_MATCH("drop dst-mac 02:00:00:00:00:00/ff:ff:ff:00:00:00",
		    FIELD_DST_MAC, { 0x020000000000, 0x020000ffffff });
	CHECK_MATCH("drop arp-sender-mac 02:00:00:00:00:01",
		    FIELD_ARP_SENDER_MAC, { 0x020000000001, 0x020000000001 });
	CHECK_MATCH("drop arp-target-mac 0:0:0:0:0:0,0:0:0:0:0:1",
		    FIELD_ARP_TARGET_MAC, { 0, 1 });
	check_match("drop dst-mac 02:00:00:00:00:01/ff:00:00:00:00:ff",
		    FIELD_DST_MAC, holes,
		    (const struct filter_range[]){
			    { 0x020000000001, 0x020000000001 } },
		    1);
}

static void addresses_in_arp_are_ranges(void **state)
{
	(void)state;
	CHECK_MATCH("drop arp-sender 10.0.0.1", FIELD_ARP_SENDER,
		    { 0x0a000001, 0x0a000001 });
	CHECK_MATCH("drop arp-target 10.0.0.0/8,11.0.0.0/8", FIELD_ARP_TARGET,
		    { 0x0a000000, 0x0bffffff });
}

static void ipv4_addresses_are_one_entry_whatever_is_listed(void **state)
{
	(void)state;
	CHECK_MATCH("drop src 10.0.0.1,10.0.0.9,10.0.0.0/30", FIELD_SRC4,
		    { 0x0a000000, 0x0a000003 }, { 0x0a000009, 0x0a000009 });
	CHECK_MATCH("drop dst 0.0.0.0/0", FIELD_DST4, { 0, UINT32_MAX });
}

static uint32_t entries_of(const char *text)
{
	struct filter_rules *r = taken(text);
	uint32_t entries = r->statements[0].entries;

	assert_int_equal(entries, r->entry_count);
	filter_rules_free(r);
	return entries;
}

static void each_ipv6_prefix_is_an_entry(void **state)
{
	(void)state;
	assert_int_equal(entries_of("drop src 2001:db8::1"), 1);
	assert_int_equal(entries_of("drop src 2001:db8::/32"), 1);
	assert_int_equal(entries_of("drop src 2001:db8::/32,fe80::/10"), 2);
	/* What is one span is one prefix. */
	assert_int_equal(entries_of("drop src fe80::/11,fea0::/11"), 1);
	assert_int_equal(entries_of("drop src ::/0"), 1);
	/* IPv4 is one more. */
	assert_int_equal(entries_of("drop src ::1,10.0.0.1,10.0.0.3"), 2);
	/* Lists combine. */
	assert_int_equal(entries_of("drop src fd00::,fd01:: dst ::1,::3,::5"), 6);
	/* From IPv6 to IPv4 there is nothing. */
	assert_int_equal(entries_of("drop src fd00::,fd01:: dst ::1,::3,1.1.1.1"),
			 4);
	assert_int_equal(entries_of("drop src !10.0.0.1 dst !10.0.0.2"), 2);
	/* Below and above, in three fields. */
	assert_in_range(entries_of("drop src !2001:db8::1"), 2, 8);
}

static void all_matches_of_a_line_are_conditions(void **state)
{
	struct filter_rules *r =
		taken("accept to-host vlan 5 src 10.0.0.0/8 protocol tcp "
		      "dst-port 22 src-port 1024-65535 tcp-flags established\n");

	(void)state;
	assert_int_equal(r->entry_count, 1);
	assert_int_equal(r->entries[0].conditions, 6);
	filter_rules_free(r);
}

/* Errors of matches ------------------------------------------------------- */

static void what_is_no_match_is_answered_with_those_that_exist(void **state)
{
	(void)state;
	refused("drop foo 5", "1:6",
		"'foo' is no match: src-mac, dst-mac, ethertype, vlan, arp, "
		"arp-sender, arp-target, arp-sender-mac, arp-target-mac, src, "
		"dst, protocol, src-port, dst-port, tcp-flags, icmp-type, "
		"icmpv6-type");
	refused("drop SRC 10.0.0.1", "1:6", "'SRC' is no match");
	refused("drop vlan 5 srcc 5", "1:13", "'srcc'");
	refused("drop vlan 5 to-host", "1:13", "'to-host'");
	refused("drop to-host to-guests", "1:14", "'to-guests'");
	refused("drop to-hosts", "1:6", "'to-hosts'");
	refused("drop 10.0.0.1", "1:6", "'10.0.0.1'");
	refused("drop ! 10.0.0.1", "1:6", "'!'");
}

static void matches_need_values(void **state)
{
	static const char *const names[] = {
		"src-mac",	  "dst-mac",  "ethertype",  "vlan",
		"arp",		  "arp-sender", "arp-target", "arp-sender-mac",
		"arp-target-mac", "src",      "dst",	    "protocol",
		"src-port",	  "dst-port", "tcp-flags",  "icmp-type",
		"icmpv6-type",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char text[64], where[32];
		int column;

		column = snprintf(text, sizeof(text), "drop %s", names[i]);
		snprintf(where, sizeof(where), "1:%d", column + 1);
		refused(text, where, names[i]);
		strcat(text, " !");
		snprintf(where, sizeof(where), "1:%d", column + 2);
		refused(text, where, names[i]);
	}
}

static void a_match_is_there_once(void **state)
{
	(void)state;
	refused("drop vlan 5 vlan 6", "1:13", "vlan is there twice");
	refused("drop src 10.0.0.1 dst 10.0.0.2 src 10.0.0.3", "1:32",
		"src is there twice");
}

static void bad_values_are_named_with_their_place(void **state)
{
	static const struct {
		const char *match, *value, *bad;
		int column; /* of @bad in @value, from 0 */
	} cases[] = {
		{ "src-mac", "02:00:00:00:00", "'02:00:00:00:00'", 0 },
		{ "dst-mac", "02:00:00:00:00:01/49", "/49'", 0 },
		{ "arp-sender-mac", "10.0.0.1", "'10.0.0.1'", 0 },
		{ "arp-target-mac", "!x", "'x'", 1 },
		{ "ethertype", "65536", "'65536'", 0 },
		{ "ethertype", "vlan", "'vlan'", 0 },
		{ "ethertype", "arp,ip", "'ip'", 4 },
		{ "vlan", "4096", "'4096'", 0 },
		{ "vlan", "1-4096", "'1-4096'", 0 },
		{ "vlan", "5,!6", "'!6'", 2 },
		{ "vlan", "!!6", "'!6'", 1 },
		{ "vlan", "all", "'all'", 0 },
		{ "arp", "who-has", "'who-has'", 0 },
		{ "arp", "65536", "'65536'", 0 },
		{ "arp-sender", "::1", "'::1'", 0 },
		{ "arp-target", "10.0.0.1/33", "'10.0.0.1/33'", 0 },
		{ "src", "10.0.0.1,fe80::1,example", "'example'", 17 },
		{ "dst", "fe80::1/129", "'fe80::1/129'", 0 },
		{ "protocol", "tcpp", "'tcpp'", 0 },
		{ "protocol", "256", "'256'", 0 },
		{ "src-port", "65536", "'65536'", 0 },
		{ "src-port", "80-22", "'80-22'", 0 },
		{ "dst-port", "ssh", "'ssh'", 0 },
		{ "dst-port", "!80,,81", "''", 4 },
		{ "tcp-flags", "syn+foo", "'syn+foo'", 0 },
		{ "tcp-flags", "syn/ack", "'syn/ack'", 0 },
		{ "tcp-flags", "none", "'none'", 0 },
		{ "icmp-type", "packet-too-big", "'packet-too-big'", 0 },
		{ "icmp-type", "256", "'256'", 0 },
		{ "icmpv6-type", "timestamp-reply", "'timestamp-reply'", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[128], where[32];

		snprintf(text, sizeof(text), "\ndrop %s %s", cases[i].match,
			 cases[i].value);
		snprintf(where, sizeof(where), "2:%zu",
			 strlen("drop ") + strlen(cases[i].match) +
				 (size_t)cases[i].column + 2);
		/* An empty part of a list is missing. */
		refused(text, where,
			strcmp(cases[i].bad, "''") ? cases[i].bad : "missing");
	}
}

static void lists_do_not_end_or_begin_with_commas(void **state)
{
	(void)state;
	refused("drop vlan ,5", "1:11", "missing");
	refused("drop vlan 5,", "1:13", "missing");
	refused("drop vlan 5, 6", "1:13", "missing");
	refused("drop vlan 5 ,6", "1:13", "',6' is no match");
	refused("drop src 10.0.0.1,", "1:19", "missing");
	refused("drop tcp-flags syn,", "1:20", "missing");
	refused("drop src-mac ,", "1:14", "missing");
}

/* Errors of statements ---------------------------------------------------- */

static void unknown_statements_are_refused(void **state)
{
	(void)state;
	refused("foo", "1:1", "'foo' is not accept, drop, count");
	refused("Accept", "1:1", "'Accept'");
	refused("accept\n  reject", "2:3", "'reject'");
	refused("-", "1:1", "'-'");
	refused("to-host drop", "1:1", "'to-host'");
	refused("burst", "1:1", "'burst'");
}

static void a_default_is_complete_and_said_once(void **state)
{
	(void)state;
	refused("default", "1:8", "to-host");
	refused("default drop", "1:9", "'drop' is not");
	refused("default both drop", "1:9", "'both' is not");
	refused("default to-host", "1:16", "accept or drop");
	refused("default to-host count", "1:17", "'count' is not");
	refused("default to-host rate-limit 5 packets/s", "1:17", "'rate-limit'");
	refused("default to-host drop vlan 5", "1:22", "'vlan'");
	refused("default to-host drop\n"
		"default to-guests drop\n"
		"default to-host drop\n",
		"3:9", "line 1");
}

static void a_translation_is_complete_and_said_once(void **state)
{
	(void)state;
	refused("translate", "1:10", "IPv4 address");
	refused("translate 10.0.0.1", "1:19", "<->");
	refused("translate 10.0.0.1 <->", "1:23", "IPv4 address");
	refused("translate 10.0.0.1 -> 10.0.0.2", "1:20", "'->'");
	refused("translate 10.0.0.1 10.0.0.2", "1:20", "'10.0.0.2'");
	refused("translate 10.0.0.0/24 <-> 10.0.1.0/24", "1:11",
		"'10.0.0.0/24'");
	refused("translate ::1 <-> ::2", "1:11", "'::1'");
	refused("translate 10.0.0.1 <-> x", "1:24", "'x'");
	refused("translate 10.0.0.1 <-> 10.0.0.2 to-host", "1:33", "'to-host'");
	refused("translate 10.0.0.1 <-> 10.0.0.2\n\n"
		"translate 10.0.0.1 <-> 10.0.0.3\n",
		"3:11", "line 1");
	refused("\ntranslate 10.0.0.1 <-> 10.0.0.2\n"
		"translate 10.0.0.3 <-> 10.0.0.2\n",
		"3:24", "line 2");
}

/* Text -------------------------------------------------------------------- */

static void lines_are_counted_and_words_put_together_anew(void **state)
{
	struct filter_rules *r =
		taken("# rules\n"
		      "\n"
		      "  \t \n"
		      "\tdrop\tto-host   vlan 5,6  # not these\n"
		      "accept#all\n"
		      "#drop\n"
		      "count src !10.0.0.0/8,::1#drop dst ::1");

	(void)state;
	assert_int_equal(r->statement_count, 3);
	assert_int_equal(r->statements[0].line, 4);
	assert_string_equal(r->statements[0].text, "drop to-host vlan 5,6");
	assert_int_equal(r->statements[1].line, 5);
	assert_string_equal(r->statements[1].text, "accept");
	assert_int_equal(r->statements[2].line, 7);
	assert_string_equal(r->statements[2].text, "count src !10.0.0.0/8,::1");
	filter_rules_free(r);
}

static void lines_may_end_as_in_dos_or_not_at_all(void **state)
{
	struct filter_rules *r = taken("drop vlan 5\r\n\r\naccept\r\n# x\r\ncount");

	(void)state;
	assert_int_equal(r->statement_count, 3);
	assert_string_equal(r->statements[0].text, "drop vlan 5");
	assert_string_equal(r->statements[1].text, "accept");
	assert_int_equal(r->statements[1].line, 3);
	assert_int_equal(r->statements[2].line, 5);
	filter_rules_free(r);
	refused("accept\r\ndrop vlan\r\n", "2:11", "vlan");
}

static void comments_are_in_any_language(void **state)
{
	struct filter_rules *r = taken("accept # \xc3\xbc\xe2\x82\xac \xff\n");

	(void)state;
	assert_int_equal(r->statement_count, 1);
	filter_rules_free(r);
}

static void what_is_not_text_is_refused(void **state)
{
	static const char zero[] = "accept\ndrop\0vlan 5\n";
	static const char in_comment[] = "# \x01";

	(void)state;
	refused_bytes(zero, sizeof(zero) - 1, "2:5", "0x00");
	refused_bytes("\0", 1, "1:1", "0x00");
	refused_bytes(in_comment, sizeof(in_comment) - 1, "1:3", "0x01");
	refused("accept \x1b[31m", "1:8", "0x1b");
	refused("accept\x7f", "1:7", "0x7f");
	refused("accept\v", "1:7", "0x0b");
	refused("\x7f""ELF", "1:1", "0x7f");
}

static void a_word_that_is_quoted_is_cut(void **state)
{
	char text[4096];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	refused(text, "1:1", "xxx' is not");
	assert_in_range(strlen(why), 64, 256);
	memcpy(text, "drop src ", 9);
	refused(text, "1:10", "xxx' is not");
	assert_in_range(strlen(why), 64, 256);
}

static void a_complaint_fits_where_it_is_put(void **state)
{
	char small[24];

	(void)state;
	memset(small, 'x', sizeof(small));
	assert_null(filter_rules_parse("my.rules", "drop foo", 8, small,
				       sizeof(small)));
	assert_string_equal(small, "my.rules:1:6: 'foo' is ");
	memset(small, 'x', sizeof(small));
	assert_null(filter_rules_parse("a-long-name/of.a.file/of.rules", "x", 1,
				       small, sizeof(small)));
	assert_string_equal(small, "a-long-name/of.a.file/o");
}

/* Limits ------------------------------------------------------------------ */

/* @count times @line, then @last; the caller's. */
static char *repeat(const char *line, uint32_t count, const char *last)
{
	char *text = NULL;
	size_t bytes;
	FILE *to = open_memstream(&text, &bytes);

	assert_non_null(to);
	for (uint32_t i = 0; i < count; i++)
		fprintf(to, "%s", line);
	fprintf(to, "%s", last);
	assert_int_equal(fclose(to), 0);
	return text;
}

static void a_line_may_be_long(void **state)
{
	char *text = repeat("22,", 50000, "22");
	char *rule = repeat("drop dst-port ", 1, text);
	struct filter_rules *r = taken(rule);

	(void)state;
	assert_int_equal(r->range_count, 1);
	assert_string_equal(r->statements[0].text, rule);
	filter_rules_free(r);
	free(rule);
	free(text);
	/* In blanks, too. */
	text = repeat("          ", 10000, "accept foo 5");
	refused(text, "1:100008", "'foo'");
	free(text);
}

static void a_line_has_words_to_some_limit(void **state)
{
	char *text = repeat("x ", 5000, "");

	(void)state;
	refused(text, "1:257", "128 words");
	free(text);
}

static void all_matches_fit_a_line(void **state)
{
	struct filter_rules *r = taken(
		"rate-limit 5 packets/s burst 5 packets to-host "
		"src-mac 2:0:0:0:0:1 dst-mac 2:0:0:0:0:1 ethertype ipv4 "
		"vlan 5 arp request arp-sender 1.1.1.1 arp-target 1.1.1.1 "
		"arp-sender-mac 2:0:0:0:0:1 arp-target-mac 2:0:0:0:0:1 "
		"src 1.1.1.1 dst 1.1.1.1 protocol tcp src-port 5 dst-port 5 "
		"tcp-flags syn icmp-type 0 icmpv6-type 0");

	(void)state;
	assert_int_equal(r->entries[0].conditions, 17);
	filter_rules_free(r);
}

static void there_may_be_16384_rules(void **state)
{
	char *text = repeat("drop\n", 16384, "default to-host drop\n");
	struct filter_rules *r = taken(text);

	(void)state;
	assert_int_equal(r->statement_count, 16384);
	assert_int_equal(r->statements[16383].line, 16384);
	filter_rules_free(r);
	free(text);
	text = repeat("drop\n\n", 16384, "  drop\n");
	refused(text, "32769:1", "16384 rules");
	free(text);
}

static void there_may_be_4096_translations(void **state)
{
	char *text = NULL;
	size_t bytes;
	FILE *to = open_memstream(&text, &bytes);
	struct filter_rules *r;

	(void)state;
	assert_non_null(to);
	for (int i = 0; i < 4096; i++)
		fprintf(to, "translate 10.0.%d.%d <-> 10.1.%d.%d\n", i / 256,
			i % 256, i / 256, i % 256);
	fflush(to);
	r = taken(text);
	assert_int_equal(r->name_count, 4096);
	filter_rules_free(r);
	fprintf(to, "translate 11.0.0.1 <-> 11.0.0.2\n");
	assert_int_equal(fclose(to), 0);
	refused(text, "4097:1", "4096 translations");
	free(text);
}

/* 2 x 32 x 512 combinations: one too many, since one is the default's. */
static void combinations_have_a_limit(void **state)
{
	char *text = NULL;
	size_t bytes;
	FILE *to = open_memstream(&text, &bytes);

	(void)state;
	assert_non_null(to);
	fprintf(to, "accept\ndrop src ");
	for (int i = 0; i < 32; i++)
		fprintf(to, "%sfd00::%x", i ? "," : "", 2 * i);
	fprintf(to, " dst ");
	for (int i = 0; i < 1024; i++)
		fprintf(to, "%sfd00::%x", i ? "," : "", 2 * i);
	assert_int_equal(fclose(to), 0);
	refused(text, "2:1", "combination");
	free(text);
}

/* What is not a prefix is a field of its own, which are few. */
static void kinds_of_masks_have_a_limit(void **state)
{
	char *text = NULL;
	size_t bytes;
	FILE *to = open_memstream(&text, &bytes);

	(void)state;
	assert_non_null(to);
	fprintf(to, "drop src-mac ");
	for (int i = 0; i < 8; i++)
		fprintf(to, "%s02:00:00:00:00:00/ff:00:00:00:00:%02x",
			i ? "," : "", 1 << i);
	fflush(to);
	filter_rules_free(taken(text));
	for (int i = 0; i < 8; i++)
		fprintf(to, ",02:00:00:00:00:00/ff:00:00:00:%02x:00", 1 << i);
	assert_int_equal(fclose(to), 0);
	assert_null(parse_bytes(text, strlen(text)));
	assert_non_null(strstr(why, "masks"));
	free(text);
	refused("drop dst-mac !1:0:0:0:0:0/1:0:0:0:0:0,2:0:0:0:0:0/2:0:0:0:0:0,"
		"4:0:0:0:0:0/4:0:0:0:0:0,8:0:0:0:0:0/8:0:0:0:0:0",
		"1:14", "masks");
}

static void freeing_nothing_is_nothing(void **state)
{
	(void)state;
	filter_rules_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_said_is_accept),
		cmocka_unit_test(defaults_are_said_anywhere),
		cmocka_unit_test(each_action_is_known_in_each_direction),
		cmocka_unit_test(translations_have_two_addresses),
		cmocka_unit_test(rates_have_units),
		cmocka_unit_test(bursts_are_how_long_the_rate_takes_for_them),
		cmocka_unit_test(a_burst_that_is_not_said_is_a_tenth_of_a_second_or_something),
		cmocka_unit_test(limits_that_cannot_be_are_refused),
		cmocka_unit_test(every_word_for_a_number_is_known),
		cmocka_unit_test(numbers_are_listed_and_in_ranges),
		cmocka_unit_test(a_complement_is_of_what_frames_have),
		cmocka_unit_test(a_complement_of_all_matches_nothing),
		cmocka_unit_test(mac_addresses_are_ranges_or_have_a_field_for_their_mask),
		cmocka_unit_test(addresses_in_arp_are_ranges),
		cmocka_unit_test(ipv4_addresses_are_one_entry_whatever_is_listed),
		cmocka_unit_test(each_ipv6_prefix_is_an_entry),
		cmocka_unit_test(all_matches_of_a_line_are_conditions),
		cmocka_unit_test(what_is_no_match_is_answered_with_those_that_exist),
		cmocka_unit_test(matches_need_values),
		cmocka_unit_test(a_match_is_there_once),
		cmocka_unit_test(bad_values_are_named_with_their_place),
		cmocka_unit_test(lists_do_not_end_or_begin_with_commas),
		cmocka_unit_test(unknown_statements_are_refused),
		cmocka_unit_test(a_default_is_complete_and_said_once),
		cmocka_unit_test(a_translation_is_complete_and_said_once),
		cmocka_unit_test(lines_are_counted_and_words_put_together_anew),
		cmocka_unit_test(lines_may_end_as_in_dos_or_not_at_all),
		cmocka_unit_test(comments_are_in_any_language),
		cmocka_unit_test(what_is_not_text_is_refused),
		cmocka_unit_test(a_word_that_is_quoted_is_cut),
		cmocka_unit_test(a_complaint_fits_where_it_is_put),
		cmocka_unit_test(a_line_may_be_long),
		cmocka_unit_test(a_line_has_words_to_some_limit),
		cmocka_unit_test(all_matches_fit_a_line),
		cmocka_unit_test(there_may_be_16384_rules),
		cmocka_unit_test(there_may_be_4096_translations),
		cmocka_unit_test(combinations_have_a_limit),
		cmocka_unit_test(kinds_of_masks_have_a_limit),
		cmocka_unit_test(freeing_nothing_is_nothing),
	};

	return cmocka_run_group_tests_name("filter_rules", tests, NULL, NULL);
}
