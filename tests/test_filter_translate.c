#include "test.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "filter_case.h"
#include "filter_random.h"

/*
 * What guests know as the one is the other for the host. Two trade places; two
 * are each other's complement, so that nothing changes in a checksum, and two
 * are the ends of what there is.
 */
static const char names[] = "translate 10.0.0.1 <-> 192.0.2.1\n"
			    "translate 10.0.0.2 <-> 198.51.100.77\n"
			    "translate 10.0.0.3 <-> 10.0.0.4\n"
			    "translate 10.0.0.4 <-> 10.0.0.3\n"
			    "translate 10.0.0.6 <-> 245.255.255.249\n"
			    "translate 0.0.0.0 <-> 255.255.255.255\n"
			    "translate 10.0.0.7 <-> 10.0.0.7\n";

static const uint32_t pairs[][2] = {
	{ 0x0a000001, 0xc0000201 }, { 0x0a000002, 0xc633644d },
	{ 0x0a000003, 0x0a000004 }, { 0x0a000004, 0x0a000003 },
	{ 0x0a000006, 0xf5fffff9 }, { 0x00000000, 0xffffffff },
	{ 0x0a000007, 0x0a000007 },
};

/* Guests' addresses, the last of which is the same for all. */
static const uint32_t inner[] = { 0x0a000001, 0x0a000002, 0x0a000003,
				  0x0a000004, 0x0a000006, 0x00000000,
				  0x0a000007, 0x0a000063 };

static uint32_t outer_of(uint32_t address)
{
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		if (pairs[i][0] == address)
			return pairs[i][1];
	return address;
}

static struct filter_case rules;

static void read_rules(const char *text)
{
	filter_case_free(&rules);
	rules = filter_case_read(strdup(text));
}

static int set_up(void **state)
{
	(void)state;
	read_rules(names);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	filter_case_free(&rules);
	return 0;
}

/* In memory of just its length, for a sanitizer to see what is beyond. */
static void translate(struct make_frame *m, enum filter_direction direction)
{
	uint8_t *copy = malloc(m->length ? m->length : 1);

	assert_non_null(copy);
	memcpy(copy, m->bytes, m->length);
	filter_view_translate(&rules.view, direction, copy, m->length);
	memcpy(m->bytes, copy, m->length);
	free(copy);
}

static void check_same(const struct make_frame *got,
		       const struct make_frame *wanted, const char *name)
{
	assert_int_equal(got->length, wanted->length);
	if (!memcmp(got->bytes, wanted->bytes, got->length))
		return;
	filter_case_print_frame("wanted", wanted);
	filter_case_print_frame("got   ", got);
	fail_msg("%s", name);
}

/* Frames of all kinds ----------------------------------------------------- */

/* What a maker is to make: addresses that are the guests' or the host's. */
struct wish {
	uint32_t a, b;
	unsigned tags, options, payload;
	unsigned word; /* of the payload, for sums to be anything */
	bool third;    /* a tag too many */
};

struct maker {
	const char *name;
	void (*make)(struct make_frame *m, const struct wish *w);
};

static void begin(struct make_frame *m, const struct wish *w, unsigned type)
{
	m->length = 0;
	make_ethernet(m, 0x020000000001, 0x020000000002);
	for (unsigned i = 0; i < w->tags; i++)
		make_tag(m, i + 1 < w->tags ? 0x88a8 : 0x8100, 0x2000 | (i + 5));
	make_16(m, type);
}

static uint32_t begin_ipv4(struct make_frame *m, const struct wish *w,
			   unsigned protocol)
{
	begin(m, w, 0x0800);
	return make_ipv4(m, &(struct make_ipv4){ .src = w->a,
						 .dst = w->b,
						 .protocol = protocol,
						 .options = w->options });
}

static void payload(struct make_frame *m, const struct wish *w)
{
	make_16(m, w->word);
	/* Both addresses are there, too, and stay. */
	make_32(m, inner[0]);
	make_32(m, outer_of(inner[0]));
	make_pattern(m, w->payload);
}

static void arp(struct make_frame *m, const struct wish *w)
{
	begin(m, w, 0x0806);
	make_arp(m, &(struct make_arp){ .operation = 1 + w->word % 2,
					.sender_mac = 0x0a0000010a00,
					.sender = w->a,
					.target = w->b });
	make_fill(m, w->payload, 0);
}

static void gratuitous_arp(struct make_frame *m, const struct wish *w)
{
	const struct wish same = { .a = w->a, .b = w->a, .tags = w->tags,
				   .payload = w->payload };

	arp(m, &same);
}

static void tcp(struct make_frame *m, const struct wish *w)
{
	uint32_t ip = begin_ipv4(m, w, 6), at = make_tcp(m, 1024, 80, 0x18);

	payload(m, w);
	make_end_tcp(m, ip, at);
	make_end_ipv4(m, ip);
}

static void udp(struct make_frame *m, const struct wish *w)
{
	uint32_t ip = begin_ipv4(m, w, 17), at = make_udp(m, 1024, 53);

	payload(m, w);
	make_end_udp(m, ip, at);
	make_end_ipv4(m, ip);
}

static void udp_without_checksum(struct make_frame *m, const struct wish *w)
{
	uint32_t ip = begin_ipv4(m, w, 17), at = make_udp(m, 1024, 53);

	payload(m, w);
	make_end_udp(m, ip, at);
	make_put_16(m, at + 6, 0);
	make_end_ipv4(m, ip);
}

static void udplite(struct make_frame *m, const struct wish *w)
{
	uint32_t ip = begin_ipv4(m, w, 136);
	uint32_t at = make_udplite(m, 1024, 53, 10);

	payload(m, w);
	make_end_udplite(m, ip, at);
	make_end_ipv4(m, ip);
}

static void dccp(struct make_frame *m, const struct wish *w)
{
	uint32_t ip = begin_ipv4(m, w, 33), at = make_dccp(m, 1024, 53);

	payload(m, w);
	make_end_dccp(m, ip, at);
	make_end_ipv4(m, ip);
}

/* The checksums of these are not over addresses. */
static void sctp(struct make_frame *m, const struct wish *w)
{
	uint32_t ip = begin_ipv4(m, w, 132);

	payload(m, w);
	make_end_ipv4(m, ip);
}

static void gre(struct make_frame *m, const struct wish *w)
{
	uint32_t ip = begin_ipv4(m, w, 47);

	payload(m, w);
	make_end_ipv4(m, ip);
}

static void echo(struct make_frame *m, const struct wish *w)
{
	uint32_t ip = begin_ipv4(m, w, 1);
	uint32_t at = make_icmp(m, w->word % 2 ? 8 : 0, 0, 0x00010002);

	payload(m, w);
	make_end_icmp(m, at);
	make_end_ipv4(m, ip);
}

/* An echo whose contents look like what an error quotes. */
static void echo_of_a_packet(struct make_frame *m, const struct wish *w)
{
	uint32_t ip = begin_ipv4(m, w, 1), at = make_icmp(m, 8, 0, inner[0]);

	make_ipv4(m, &(struct make_ipv4){ .src = inner[0], .dst = inner[1],
					  .protocol = 17 });
	payload(m, w);
	make_end_icmp(m, at);
	make_end_ipv4(m, ip);
}

/* Fragments of a TCP segment: its checksum is that of all of it. */
static void first_fragment(struct make_frame *m, const struct wish *w)
{
	uint32_t ip;

	tcp(m, w);
	ip = 14 + 4 * w->tags;
	make_put_16(m, ip + 6, 0x2000);
	make_put_16(m, ip + 10, 0);
	m->length -= (m->length - ip - 20 - w->options - 20) % 8;
	make_end_ipv4(m, ip);
}

static void later_fragment(struct make_frame *m, const struct wish *w)
{
	uint32_t ip;

	tcp(m, w);
	ip = 14 + 4 * w->tags;
	/* What is where a checksum would be is not one. */
	make_put_16(m, ip + 20 + w->options + 16, w->word);
	make_put_16(m, ip + 6, 0x0003);
	make_put_16(m, ip + 10, 0);
	make_end_ipv4(m, ip);
}

/* Errors: b tells a about what a has sent to b. ---------------------------- */

/* Append @count bytes of the packet in frame @m that @quoted makes of the other
 * direction, or all of it. */
static void quote(struct make_frame *m, const struct wish *w,
		  void (*quoted)(struct make_frame *, const struct wish *),
		  uint32_t count)
{
	const struct wish wish = { .a = w->b, .b = w->a, .word = w->word,
				   .options = w->options,
				   .payload = w->payload };
	struct make_frame packet;

	quoted(&packet, &wish);
	for (uint32_t i = 14; i < packet.length && count; i++, count--)
		make_8(m, packet.bytes[i]);
}

static void error(struct make_frame *m, const struct wish *w, unsigned type,
		  void (*quoted)(struct make_frame *, const struct wish *),
		  uint32_t count)
{
	uint32_t ip = begin_ipv4(m, w, 1);
	/* A redirect has an address there. */
	uint32_t at = make_icmp(m, type, 1, type == 5 ? w->a : inner[1]);

	quote(m, w, quoted, count);
	make_end_icmp(m, at);
	make_end_ipv4(m, ip);
}

static void error_about_tcp(struct make_frame *m, const struct wish *w)
{
	error(m, w, 3, tcp, 9999);
}

/* As RFC 792 has it: the header and 8 bytes. */
static void error_about_little_tcp(struct make_frame *m, const struct wish *w)
{
	error(m, w, 3, tcp, 28 + w->options);
}

static void error_about_udp(struct make_frame *m, const struct wish *w)
{
	error(m, w, 11, udp, 9999);
}

static void error_about_little_udp(struct make_frame *m, const struct wish *w)
{
	error(m, w, 3, udp, 28 + w->options);
}

static void error_about_udp_without_checksum(struct make_frame *m,
					     const struct wish *w)
{
	error(m, w, 3, udp_without_checksum, 9999);
}

static void error_about_udplite(struct make_frame *m, const struct wish *w)
{
	error(m, w, 12, udplite, 9999);
}

static void error_about_dccp(struct make_frame *m, const struct wish *w)
{
	error(m, w, 4, dccp, 9999);
}

static void error_about_echo(struct make_frame *m, const struct wish *w)
{
	error(m, w, 3, echo, 9999);
}

static void error_about_first_fragment(struct make_frame *m,
				       const struct wish *w)
{
	error(m, w, 11, first_fragment, 9999);
}

static void error_about_later_fragment(struct make_frame *m,
				       const struct wish *w)
{
	error(m, w, 11, later_fragment, 9999);
}

static void redirect(struct make_frame *m, const struct wish *w)
{
	error(m, w, 5, udp, 9999);
}

static void redirect_about_little(struct make_frame *m, const struct wish *w)
{
	error(m, w, 5, tcp, 28 + w->options);
}

static const struct maker makers[] = {
	{ "ARP", arp },
	{ "gratuitous ARP", gratuitous_arp },
	{ "TCP", tcp },
	{ "UDP", udp },
	{ "UDP without a checksum", udp_without_checksum },
	{ "UDP-Lite", udplite },
	{ "DCCP", dccp },
	{ "SCTP", sctp },
	{ "GRE", gre },
	{ "echo", echo },
	{ "echo of a packet", echo_of_a_packet },
	{ "first fragment", first_fragment },
	{ "later fragment", later_fragment },
	{ "error about TCP", error_about_tcp },
	{ "error about little TCP", error_about_little_tcp },
	{ "error about UDP", error_about_udp },
	{ "error about little UDP", error_about_little_udp },
	{ "error about UDP without a checksum",
	  error_about_udp_without_checksum },
	{ "error about UDP-Lite", error_about_udplite },
	{ "error about DCCP", error_about_dccp },
	{ "error about an echo", error_about_echo },
	{ "error about a first fragment", error_about_first_fragment },
	{ "error about a later fragment", error_about_later_fragment },
	{ "redirect", redirect },
	{ "redirect about little", redirect_about_little },
};

static struct wish outside(const struct wish *w)
{
	struct wish out = *w;

	out.a = outer_of(w->a);
	out.b = outer_of(w->b);
	return out;
}

/* To the host the frame becomes what it is with the other addresses, and on the
 * way back what it was. */
static void check_both_ways(const struct maker *maker, const struct wish *w)
{
	const struct wish out = outside(w);
	struct make_frame guests, hosts, m;

	maker->make(&guests, w);
	maker->make(&hosts, &out);
	m = guests;
	translate(&m, FILTER_TO_HOST);
	check_same(&m, &hosts, maker->name);
	translate(&m, FILTER_TO_GUESTS);
	check_same(&m, &guests, maker->name);
}

static void a_translated_frame_is_one_with_other_addresses(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(makers); i++)
		for (size_t a = 0; a < ARRAY_SIZE(inner); a++)
			for (size_t b = 0; b < ARRAY_SIZE(inner); b++) {
				struct wish w = { .a = inner[a],
						  .b = inner[b],
						  .word = 0x1234 };

				check_both_ways(&makers[i], &w);
			}
}

static void tags_options_and_odd_lengths_are_walked_over(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(makers); i++)
		for (unsigned tags = 0; tags <= 8; tags += tags < 2 ? 1 : 6)
			for (unsigned options = 0; options <= 40; options += 4)
				for (unsigned bytes = 0; bytes < 3; bytes++) {
					struct wish w = { .a = inner[0],
							  .b = inner[1],
							  .tags = tags,
							  .options = options,
							  .payload = bytes };

					check_both_ways(&makers[i], &w);
				}
}

static void long_frames_are_translated_too(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(makers); i++) {
		struct wish w = { .a = inner[0], .b = inner[1], .options = 40,
				  .tags = 2, .payload = 1400 };

		check_both_ways(&makers[i], &w);
	}
}

/* With every word in the payload a checksum has every value, 0 with it. */
static void whatever_a_checksum_was_it_is_right(void **state)
{
	static const struct maker with_sums[] = {
		{ "TCP", tcp },
		{ "UDP", udp },
		{ "UDP-Lite", udplite },
		{ "DCCP", dccp },
		{ "error about UDP", error_about_udp },
		{ "redirect", redirect },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(with_sums); i++)
		for (unsigned word = 0; word <= 0xffff; word++) {
			struct wish w = { .a = inner[0], .b = inner[7],
					  .word = word };

			check_both_ways(&with_sums[i], &w);
		}
}

/* What is cut off ------------------------------------------------------------ */

/* How the sum of what is from @from on has changed; none is 0. */
static unsigned sum_change(const struct make_frame *m,
			   const struct make_frame *old, uint32_t from)
{
	uint32_t a, b;

	if (from >= m->length)
		return 0;
	a = make_sum(m, from, m->length, 0) % 0xffff;
	b = make_sum(old, from, m->length, 0) % 0xffff;
	return (a + 0xffff - b) % 0xffff;
}

/* Where headers of @m are, which @make has made for @w. */
static bool is_icmp(const struct make_frame *m, uint32_t ip)
{
	return m->length > ip + 9 && m->bytes[ip + 9] == 1;
}

/*
 * A frame that ends too early: there and back it is the same; its IPv4 header
 * and the ICMP message that is there add up to what they did.
 */
static void check_cut(const struct maker *maker, const struct wish *w,
		      uint32_t length)
{
	uint32_t ip = 14 + 4 * w->tags, behind = ip + 20 + w->options;
	struct make_frame m, there, whole;
	const struct wish out = outside(w);

	maker->make(&m, w);
	maker->make(&whole, &out);
	if (length > m.length)
		return;
	m.length = length;
	there = m;
	translate(&there, FILTER_TO_HOST);
	/* Half a header is not touched, a whole one is translated. */
	if (length < ip + 20)
		check_same(&there, &m, maker->name);
	else if (m.bytes[ip - 2] == 8 && m.bytes[ip - 1] == 0)
		assert_memory_equal(there.bytes, whole.bytes, ip + 20);
	if (m.length >= behind && m.bytes[ip - 1] == 0)
		assert_int_equal(sum_change(&there, &m, ip),
				 sum_change(&there, &m, behind));
	if (is_icmp(&m, ip))
		assert_int_equal(sum_change(&there, &m, behind), 0);
	translate(&there, FILTER_TO_GUESTS);
	check_same(&there, &m, maker->name);
}

static void a_frame_may_end_anywhere(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(makers); i++)
		for (unsigned tags = 0; tags <= 8; tags += tags < 2 ? 1 : 6)
			for (unsigned options = 0; options <= 40; options += 20)
				for (uint32_t length = 0; length < 200;
				     length++) {
					struct wish w = { .a = inner[0],
							  .b = inner[1],
							  .tags = tags,
							  .options = options };

					check_cut(&makers[i], &w, length);
				}
}

/* What stays as it is --------------------------------------------------------- */

static void check_stays(const struct make_frame *m, const char *name)
{
	struct make_frame after = *m;

	translate(&after, FILTER_TO_HOST);
	check_same(&after, m, name);
	translate(&after, FILTER_TO_GUESTS);
	check_same(&after, m, name);
}

static void other_addresses_stay(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(makers); i++) {
		struct wish w = { .a = 0x0a000063, .b = 0x0a000064 };
		struct make_frame m;

		makers[i].make(&m, &w);
		check_stays(&m, makers[i].name);
	}
}

static void what_only_looks_like_a_packet_stays(void **state)
{
	const struct wish w = { .a = inner[0], .b = outer_of(inner[0]) };
	const struct wish tagged = { .a = inner[0], .b = outer_of(inner[0]),
				     .tags = 9 };
	struct make_frame m;

	(void)state;
	udp(&m, &tagged);
	check_stays(&m, "behind nine tags");
	udp(&m, &w);
	make_put_16(&m, 12, 0x86dd);
	check_stays(&m, "another EtherType");
	udp(&m, &w);
	m.bytes[14] = 0x65;
	check_stays(&m, "another version");
	udp(&m, &w);
	m.bytes[14] = 0x44;
	check_stays(&m, "a header that is too short");
	arp(&m, &w);
	m.bytes[15] = 7;
	check_stays(&m, "ARP of another network");
	arp(&m, &w);
	m.bytes[19] = 16;
	check_stays(&m, "ARP for other addresses");
}

/* Only the first 34 bytes of @m are translated. */
static void check_stays_inside(const struct make_frame *m)
{
	struct make_frame after = *m;

	translate(&after, FILTER_TO_HOST);
	assert_memory_equal(after.bytes + 34, m->bytes + 34, m->length - 34);
	assert_memory_not_equal(after.bytes + 26, m->bytes + 26, 8);
}

static void what_only_looks_like_a_quotation_stays(void **state)
{
	const struct wish w = { .a = inner[0], .b = inner[1] };
	struct make_frame m;

	(void)state;
	error_about_udp(&m, &w);
	m.bytes[42] = 0x44; /* of another length */
	check_stays_inside(&m);
	error_about_udp(&m, &w);
	make_put_16(&m, 20, 1); /* in the middle of something */
	check_stays_inside(&m);
}

static void without_translations_all_stays(void **state)
{
	const struct wish w = { .a = inner[0], .b = inner[1] };
	struct make_frame m;

	(void)state;
	read_rules("drop src 10.0.0.1\n");
	udp(&m, &w);
	check_stays(&m, "no translations");
}

/* Counters ----------------------------------------------------------------- */

static const struct filter_rule *counter(enum filter_direction direction,
					 uint32_t name)
{
	const struct filter_table *t = rules.table;

	return &t->lines[t->name_at[direction][name]].rule;
}

static void check_counter(enum filter_direction direction, uint32_t name,
			  uint64_t frames, uint64_t bytes)
{
	assert_int_equal(counter(direction, name)->frames, frames);
	assert_int_equal(counter(direction, name)->bytes, bytes);
}

static void a_frame_counts_once_where_its_addresses_are(void **state)
{
	const struct wish both = { .a = inner[0], .b = inner[1] };
	const struct wish one = { .a = 0x0a000063, .b = inner[0] };
	const struct wish same = { .a = inner[0], .b = inner[0] };
	struct make_frame m;
	uint64_t bytes = 0;

	(void)state;
	udp(&m, &both);
	translate(&m, FILTER_TO_HOST);
	bytes += m.length;
	check_counter(FILTER_TO_HOST, 0, 1, bytes);
	check_counter(FILTER_TO_HOST, 1, 1, bytes);
	udp(&m, &one);
	translate(&m, FILTER_TO_HOST);
	bytes += m.length;
	udp(&m, &same);
	translate(&m, FILTER_TO_HOST);
	bytes += m.length;
	gratuitous_arp(&m, &same);
	translate(&m, FILTER_TO_HOST);
	bytes += m.length;
	check_counter(FILTER_TO_HOST, 0, 4, bytes);
	check_counter(FILTER_TO_GUESTS, 0, 0, 0);
	translate(&m, FILTER_TO_GUESTS);
	check_counter(FILTER_TO_GUESTS, 0, 1, m.length);
	check_counter(FILTER_TO_HOST, 0, 4, bytes);
}

static void what_is_quoted_does_not_count_again(void **state)
{
	const struct wish w = { .a = inner[0], .b = 0x0a000063 };
	struct make_frame m;

	(void)state;
	redirect(&m, &w);
	translate(&m, FILTER_TO_HOST);
	check_counter(FILTER_TO_HOST, 0, 1, m.length);
}

/* Anything ----------------------------------------------------------------- */

/* A one's complement sum of 0 is written in two ways, of which a translation
 * may leave the other. */
static bool same_but_for_zero(const struct make_frame *a,
			      const struct make_frame *b)
{
	for (uint32_t i = 0; i < a->length; i++) {
		uint32_t word = i & ~1u;

		if (a->bytes[i] == b->bytes[i])
			continue;
		if (word + 2 > a->length || make_get_16(a, word) % 0xffff ||
		    make_get_16(b, word) % 0xffff)
			return false;
	}
	return true;
}

/* A host's address that a guest has used becomes the guest's, so it is the
 * second time that must be as the first. */
static void there_and_back_and_there_is_there(void **state)
{
	enum { FRAMES = 100000 };
	struct dice d = { 1 };

	(void)state;
	read_rules("translate 10.0.0.1 <-> 10.0.0.2\n"
		   "translate 10.0.0.2 <-> 10.0.1.1\n"
		   "translate 192.0.2.1 <-> 10.255.255.255\n"
		   "translate 255.255.255.255 <-> 0.0.0.0\n");
	for (int i = 0; i < FRAMES; i++) {
		struct make_frame m, there;

		random_frame(&d, &m);
		translate(&m, FILTER_TO_HOST);
		there = m;
		translate(&there, FILTER_TO_GUESTS);
		translate(&there, FILTER_TO_HOST);
		if (same_but_for_zero(&m, &there))
			continue;
		filter_case_print_frame("there      ", &m);
		filter_case_print_frame("there again", &there);
		fail_msg("frame %d", i);
	}
}

/* Each test has the translations from above, and may take others. */
#define WITH_NAMES(test) \
	cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_NAMES(a_translated_frame_is_one_with_other_addresses),
		WITH_NAMES(tags_options_and_odd_lengths_are_walked_over),
		WITH_NAMES(long_frames_are_translated_too),
		WITH_NAMES(whatever_a_checksum_was_it_is_right),
		WITH_NAMES(a_frame_may_end_anywhere),
		WITH_NAMES(other_addresses_stay),
		WITH_NAMES(what_only_looks_like_a_packet_stays),
		WITH_NAMES(what_only_looks_like_a_quotation_stays),
		WITH_NAMES(without_translations_all_stays),
		WITH_NAMES(a_frame_counts_once_where_its_addresses_are),
		WITH_NAMES(what_is_quoted_does_not_count_again),
		WITH_NAMES(there_and_back_and_there_is_there),
	};

	return cmocka_run_group_tests_name("filter_translate", tests, NULL,
					   NULL);
}
