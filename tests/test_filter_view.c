#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "filter_case.h"
#include "filter_random.h"

/* The filter sees a copy of just the frame's length, so that a sanitizer sees
 * whatever it reads beyond. */
static struct filter_verdict judge(const struct filter_case *c,
				   enum filter_direction direction,
				   const struct make_frame *m)
{
	uint8_t *copy = malloc(m->length);
	struct filter_verdict v;

	assert_non_null(copy);
	memcpy(copy, m->bytes, m->length);
	v.drop = filter_view_drops(&c->view, direction, copy, m->length,
				   &v.line);
	free(copy);
	return v;
}

/* Returns the line that decides. */
static uint32_t agree(const struct filter_case *c,
		      enum filter_direction direction,
		      const struct make_frame *m, uint64_t seed)
{
	struct filter_verdict filter = judge(c, direction, m), model;

	model.drop = model_drops(c->model, direction, m->bytes, m->length,
				 &model.line);
	if (filter.drop == model.drop && filter.line == model.line)
		return filter.line;
	filter_case_print_frame(filter_direction_names[direction], m);
	filter_case_print(c, "model", model);
	filter_case_print(c, "filter", filter);
	fail_msg("they differ; seed %llu", (unsigned long long)seed);
	return 0;
}

/* Against the model ------------------------------------------------------- */

enum { FILES = 3000, FRAMES_A_FILE = 120, LINES = 30, LINES_OF_LARGE = 3000 };

/* Now and then a large file, with more kinds of rules than the filter has room
 * to keep apart. */
static uint32_t lines_of(struct dice *d, uint64_t seed)
{
	return dice_roll(d, seed % 60 ? LINES : LINES_OF_LARGE);
}

static void the_filter_does_what_the_words_say(void **state)
{
	unsigned by_rule = 0, by_default = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= FILES; seed++) {
		struct dice d = { seed };
		struct filter_case c =
			filter_case_read(random_rules(&d, lines_of(&d, seed)));
		struct make_frame m;

		for (int i = 0; i < FRAMES_A_FILE; i++) {
			enum filter_direction direction =
				i % 2 ? FILTER_TO_HOST : FILTER_TO_GUESTS;
			uint32_t line;

			random_frame(&d, &m);
			line = agree(&c, direction, &m, seed);
			if (line == c.rules->default_line[direction])
				by_default++;
			else
				by_rule++;
		}
		filter_case_free(&c);
	}
	/* Neither is so rare that nothing has been tried. */
	assert_in_range(by_rule, FILES * FRAMES_A_FILE / 10,
			FILES * FRAMES_A_FILE);
	assert_in_range(by_default, FILES * FRAMES_A_FILE / 10,
			FILES * FRAMES_A_FILE);
}

/* Many rules -------------------------------------------------------------- */

enum { MANY = 10000 };

/*
 * A shape of rules: the @i-th as words, and a frame that it matches. The
 * numbers of most rules are far apart in order, so that searches have to go
 * everywhere: scatter() is one to one.
 */
struct shape {
	const char *name;
	void (*rule)(FILE *to, uint32_t i);
	void (*frame)(struct make_frame *m, uint32_t i);
};

static uint32_t scatter(uint32_t i)
{
	return i * 0x9e3779b1;
}

static void write_ipv4(FILE *to, uint32_t address)
{
	fprintf(to, "%u.%u.%u.%u", address >> 24, address >> 16 & 255,
		address >> 8 & 255, address & 255);
}

static void write_mac(FILE *to, uint64_t mac)
{
	for (int i = 40; i >= 0; i -= 8)
		fprintf(to, "%02x%s", (unsigned)(mac >> i & 255), i ? ":" : "");
}

static uint64_t scattered_mac(uint32_t i)
{
	return (uint64_t)scatter(i) << 16 | (i & 0xffff);
}

static void make_packet(struct make_frame *m, uint32_t src, uint32_t dst,
			unsigned src_port, unsigned dst_port)
{
	m->length = 0;
	make_ethernet(m, 0x020000000001, 0x020000000002);
	make_16(m, 0x0800);
	make_ipv4(m, &(struct make_ipv4){ .src = src, .dst = dst,
					  .protocol = 6 });
	make_tcp(m, src_port, dst_port, 0x10);
}

static void address_rule(FILE *to, uint32_t i)
{
	fputs("drop src ", to);
	write_ipv4(to, scatter(i));
}

static void address_frame(struct make_frame *m, uint32_t i)
{
	make_packet(m, scatter(i), 1, 1, 1);
}

static void prefix_rule(FILE *to, uint32_t i)
{
	fputs("drop dst ", to);
	write_ipv4(to, scatter(i) & ~(0xffffffff >> (16 + i % 16)));
	fprintf(to, "/%u", 16 + i % 16);
}

static void prefix_frame(struct make_frame *m, uint32_t i)
{
	make_packet(m, 1, scatter(i), 1, 1);
}

static void list_rule(FILE *to, uint32_t i)
{
	fputs("drop src ", to);
	for (uint32_t j = 0; j < 8; j++) {
		write_ipv4(to, scatter(8 * i + j));
		if (j < 7)
			fputc(',', to);
	}
}

static void list_frame(struct make_frame *m, uint32_t i)
{
	make_packet(m, scatter(8 * i + i % 8), 1, 1, 1);
}

static void port_rule(FILE *to, uint32_t i)
{
	fprintf(to, "drop protocol tcp dst-port %u", scatter(i) >> 16);
}

static void port_frame(struct make_frame *m, uint32_t i)
{
	make_packet(m, 1, 1, 1, scatter(i) >> 16);
}

/* Each holds those before: the first is the narrowest that does. */
static void range_rule(FILE *to, uint32_t i)
{
	fprintf(to, "drop src-port %u-%u dst-port %u-%u", MANY - i,
		65535 - MANY + i, MANY - i, 65535 - MANY + i);
}

static void range_frame(struct make_frame *m, uint32_t i)
{
	make_packet(m, 1, 1, MANY - i, 65535 - MANY + i / 2);
}

static void flow_rule(FILE *to, uint32_t i)
{
	fputs("drop src ", to);
	write_ipv4(to, 0x0a000000 + i % 100);
	fputs(" dst ", to);
	write_ipv4(to, 0xc0000000 + i / 100);
	fprintf(to, " protocol tcp src-port 1024-65535 dst-port %u "
		    "tcp-flags ack",
		i % 7);
}

static void flow_frame(struct make_frame *m, uint32_t i)
{
	make_packet(m, 0x0a000000 + i % 100, 0xc0000000 + i / 100,
		    1024 + i, i % 7);
}

/* All but one: what is dropped is what the first rules leave. */
static void complement_rule(FILE *to, uint32_t i)
{
	fputs("drop src !", to);
	write_ipv4(to, scatter(i) | 0x80000000);
	fputs("/1 dst ", to);
	write_ipv4(to, scatter(i));
}

static void complement_frame(struct make_frame *m, uint32_t i)
{
	make_packet(m, 1, scatter(i), 1, 1);
}

static void mac_rule(FILE *to, uint32_t i)
{
	fputs("drop src-mac ", to);
	write_mac(to, scattered_mac(i));
}

static void mac_frame(struct make_frame *m, uint32_t i)
{
	make_packet(m, 1, 1, 1, 1);
	m->length = 6;
	make_48(m, scattered_mac(i));
	m->length = 54;
}

static void mask_rule(FILE *to, uint32_t i)
{
	mac_rule(to, i);
	fputs(i % 2 ? "/ff:ff:00:00:ff:ff" : "/00:ff:ff:ff:ff:ff", to);
}

static void vlan_rule(FILE *to, uint32_t i)
{
	fprintf(to, "drop vlan %u ethertype ipv4 dst-port %u", i % 4096,
		i / 4096);
}

static void vlan_frame(struct make_frame *m, uint32_t i)
{
	m->length = 0;
	make_ethernet(m, 0x020000000001, 0x020000000002);
	make_tag(m, 0x8100, 0xe000 | i % 4096);
	make_16(m, 0x0800);
	make_ipv4(m, &(struct make_ipv4){ .src = 1, .dst = 1,
					  .protocol = 17 });
	make_udp(m, 1, i / 4096);
}

/* Whose address is whose: what rules against spoofing are like. */
static void arp_rule(FILE *to, uint32_t i)
{
	fputs("accept arp-sender ", to);
	write_ipv4(to, scatter(i));
	fputs(" arp-sender-mac ", to);
	write_mac(to, scattered_mac(i));
}

static void arp_frame(struct make_frame *m, uint32_t i)
{
	m->length = 0;
	make_ethernet(m, 0xffffffffffff, scattered_mac(i));
	make_16(m, 0x0806);
	make_arp(m, &(struct make_arp){ .operation = 1,
					.sender_mac = scattered_mac(i),
					.sender = scatter(i) });
}

static void write_ipv6(FILE *to, uint32_t i)
{
	fprintf(to, "2001:db8:%x:%x:%x::%x:%x", i % 16, scatter(i) >> 16,
		scatter(i) & 0xffff, i / 16 % 16, i);
}

static void ipv6_rule(FILE *to, uint32_t i)
{
	fputs("drop src ", to);
	write_ipv6(to, i);
}

static void ipv6_frame(struct make_frame *m, uint32_t i)
{
	m->length = 0;
	make_ethernet(m, 0x020000000001, 0x020000000002);
	make_16(m, 0x86dd);
	make_32(m, 0x60000000);
	make_32(m, 0x00003b40);
	make_32(m, 0x20010db8);
	make_16(m, i % 16);
	make_32(m, scatter(i));
	make_16(m, 0);
	make_16(m, i / 16 % 16);
	make_16(m, i);
	make_fill(m, 16, 0xfe);
}

static void ipv6_prefix_rule(FILE *to, uint32_t i)
{
	ipv6_rule(to, i);
	fprintf(to, "/%u", 78 + i % 50);
}

/* Each is three combinations, of which there may be fewer than 32768. */
static void ipv6_list_rule(FILE *to, uint32_t i)
{
	ipv6_rule(to, 2 * i);
	fputc(',', to);
	write_ipv6(to, 2 * i + 1);
	fputs(",192.0.2.1", to);
}

static void ipv6_list_frame(struct make_frame *m, uint32_t i)
{
	ipv6_frame(m, 2 * i + i % 2);
}

static const struct shape shapes[] = {
	{ "addresses", address_rule, address_frame },
	{ "prefixes", prefix_rule, prefix_frame },
	{ "lists of addresses", list_rule, list_frame },
	{ "ports", port_rule, port_frame },
	{ "ranges of ports", range_rule, range_frame },
	{ "flows", flow_rule, flow_frame },
	{ "complements", complement_rule, complement_frame },
	{ "MAC addresses", mac_rule, mac_frame },
	{ "MAC masks", mask_rule, mac_frame },
	{ "VLANs", vlan_rule, vlan_frame },
	{ "ARP", arp_rule, arp_frame },
	{ "IPv6 addresses", ipv6_rule, ipv6_frame },
	{ "IPv6 prefixes", ipv6_prefix_rule, ipv6_frame },
	{ "lists of IPv6 addresses", ipv6_list_rule, ipv6_list_frame },
};

/* Lines 1 to @count; @last is the next. */
static char *write_shape(const struct shape *s, uint32_t count,
			 const char *last)
{
	char *text = NULL;
	size_t bytes;
	FILE *to = open_memstream(&text, &bytes);

	assert_non_null(to);
	for (uint32_t i = 0; i < count; i++) {
		s->rule(to, i);
		fputc('\n', to);
	}
	fprintf(to, "%s\n", last);
	assert_int_equal(fclose(to), 0);
	return text;
}

/* Rule @rule of @shape, and by turns the directions. */
static void try_rule(const struct filter_case *c, const struct shape *shape,
		     uint32_t rule, uint32_t turn)
{
	struct make_frame m;

	shape->frame(&m, rule);
	agree(c, turn % 2 ? FILTER_TO_HOST : FILTER_TO_GUESTS, &m, rule);
}

/* The first, the last, one that is too many; then any. */
static uint32_t some_rule(struct dice *d, uint32_t turn)
{
	return turn == 0   ? 0
	       : turn == 1 ? MANY - 1
	       : turn == 2 ? MANY
			   : dice_roll(d, MANY);
}

static void ten_thousand_rules_of_a_shape_are_each_found(void **state)
{
	enum { TRIES = 60 };

	(void)state;
	for (size_t s = 0; s < ARRAY_SIZE(shapes); s++) {
		struct filter_case c = filter_case_read(write_shape(&shapes[s], MANY, ""));
		struct dice d = { s };

		for (uint32_t i = 0; i < TRIES; i++)
			try_rule(&c, &shapes[s], some_rule(&d, i), i);
		filter_case_free(&c);
	}
}

static void mixed_rule(FILE *to, uint32_t i)
{
	shapes[i % ARRAY_SIZE(shapes)].rule(to, i);
}

/* Rules of all shapes in turn are in groups that take several blocks each. */
static void ten_thousand_rules_of_all_shapes_are_each_found(void **state)
{
	enum { TRIES = 300 };
	const struct shape mixed = { "all", mixed_rule, NULL };
	struct filter_case c = filter_case_read(write_shape(&mixed, MANY, ""));
	struct dice d = { 0 };

	(void)state;
	for (uint32_t i = 0; i < TRIES; i++) {
		uint32_t rule = some_rule(&d, i);

		try_rule(&c, &shapes[rule % ARRAY_SIZE(shapes)], rule, i);
	}
	filter_case_free(&c);
}

/* Without the model, which would say the same if it were as wrong. */
static void the_rule_that_is_meant_is_the_one_that_decides(void **state)
{
	struct filter_case c = filter_case_read(
		write_shape(&shapes[0], FILTER_RULES, ""));
	struct make_frame m;
	struct filter_verdict v;

	(void)state;
	for (uint32_t i = 0; i <= FILTER_RULES; i++) {
		address_frame(&m, i);
		v = judge(&c, FILTER_TO_HOST, &m);
		assert_int_equal(v.drop, i < FILTER_RULES);
		assert_int_equal(v.line, i < FILTER_RULES ? i + 1 : 0);
	}
	filter_case_free(&c);
}

static void count_rule(FILE *to, uint32_t i)
{
	(void)i;
	fputs("count protocol tcp", to);
}

static void miss_rule(FILE *to, uint32_t i)
{
	fprintf(to, "accept dst-port %u src-port %u", 1 + i, i & 1);
}

/* Sets of rules are kept in blocks of 512 and words of 64; the default is one
 * more. */
static const uint32_t sizes[] = { 0,	1,    2,    62,	  63,	64,
				  65,	510,  511,  512,  513,	514,
				  1022, 1023, 1024, 1025, 8191, FILTER_RULES - 2,
				  FILTER_RULES - 1 };

static void check_last(const struct shape *s, uint32_t count)
{
	struct filter_case c = filter_case_read(write_shape(s, count, "drop dst-port 0"));
	struct make_frame m;

	make_packet(&m, 1, 1, 1, 0);
	assert_int_equal(agree(&c, FILTER_TO_HOST, &m, count), count + 1);
	assert_int_equal(agree(&c, FILTER_TO_GUESTS, &m, count), count + 1);
	make_packet(&m, 1, 1, 1, 65535);
	assert_int_equal(agree(&c, FILTER_TO_HOST, &m, count), 0);
	filter_case_free(&c);
}

static void the_last_rule_decides_wherever_blocks_end(void **state)
{
	const struct shape all_count = { "count", count_rule, NULL };
	const struct shape none_matches = { "miss", miss_rule, NULL };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		check_last(&all_count, sizes[i]);
		check_last(&none_matches, sizes[i]);
	}
}

static void either_direction_has_rules_of_its_own(void **state)
{
	struct filter_case c = filter_case_read(strdup("drop to-guests dst-port 1\n"
					 "accept to-host dst-port 1\n"
					 "default to-host drop\n"));
	struct make_frame m;

	(void)state;
	make_packet(&m, 1, 1, 1, 1);
	assert_int_equal(agree(&c, FILTER_TO_GUESTS, &m, 0), 1);
	assert_int_equal(agree(&c, FILTER_TO_HOST, &m, 0), 2);
	make_packet(&m, 1, 1, 1, 2);
	assert_int_equal(agree(&c, FILTER_TO_GUESTS, &m, 0), 0);
	assert_int_equal(agree(&c, FILTER_TO_HOST, &m, 0), 3);
	filter_case_free(&c);
}

/* 181 x 181 prefixes are 32761 combinations, of 32766. */
static void all_combinations_of_two_lists_are_found(void **state)
{
	enum { LISTED = 181 };
	char *text = NULL;
	size_t bytes;
	FILE *to = open_memstream(&text, &bytes);
	struct make_frame m;
	struct filter_case c;

	(void)state;
	assert_non_null(to);
	fputs("drop src ", to);
	for (uint32_t i = 0; i < LISTED; i++)
		fprintf(to, "%sfd00::%x", i ? "," : "", 2 * i);
	fputs(" dst ", to);
	for (uint32_t i = 0; i < LISTED; i++)
		fprintf(to, "%sfd00:%x::/32", i ? "," : "", 2 * i);
	fputc('\n', to);
	assert_int_equal(fclose(to), 0);
	c = filter_case_read(text);
	for (uint32_t i = 0; i < 2 * LISTED; i++) {
		ipv6_frame(&m, 0);
		m.length = 22;
		make_32(&m, 0xfd000000);
		make_fill(&m, 10, 0);
		make_16(&m, i);
		make_16(&m, 0xfd00);
		make_16(&m, 2 * (i * 7 % LISTED));
		make_fill(&m, 12, 0xfe);
		assert_int_equal(agree(&c, FILTER_TO_HOST, &m, i), i % 2 ? 0 : 1);
	}
	filter_case_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_filter_does_what_the_words_say),
		cmocka_unit_test(ten_thousand_rules_of_a_shape_are_each_found),
		cmocka_unit_test(ten_thousand_rules_of_all_shapes_are_each_found),
		cmocka_unit_test(the_rule_that_is_meant_is_the_one_that_decides),
		cmocka_unit_test(the_last_rule_decides_wherever_blocks_end),
		cmocka_unit_test(either_direction_has_rules_of_its_own),
		cmocka_unit_test(all_combinations_of_two_lists_are_found),
	};

	return cmocka_run_group_tests_name("filter_view", tests, NULL, NULL);
}
