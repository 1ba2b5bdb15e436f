#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "filter_parse.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MAC_ALL (((uint64_t)1 << 48) - 1)

/* Conditions -------------------------------------------------------------- */

static struct filter_condition new_condition(const struct parser *p,
					     enum filter_field field,
					     uint64_t mask)
{
	return (struct filter_condition){
		.field = field,
		.mask = mask,
		.range_at = p->rules->range_count,
	};
}

static int add_range(struct parser *p, struct filter_condition *c,
		     filter_number first, filter_number last)
{
	struct filter_rules *r = p->rules;

	if (parse_make_room(p, &r->ranges, sizeof(*r->ranges), r->range_count))
		return -ENOMEM;
	r->ranges[r->range_count++] =
		(struct filter_range){ (uint64_t)first, (uint64_t)last };
	c->ranges++;
	return 0;
}

static struct alternative *new_alternative(struct parser *p)
{
	if (parse_make_room(p, &p->alternatives, sizeof(*p->alternatives),
		      (uint32_t)p->alternative_count))
		return NULL;
	p->alternatives[p->alternative_count] = (struct alternative){ 0 };
	return &p->alternatives[p->alternative_count++];
}

/* A set of numbers as one condition on one field. */
static int add_spans(struct parser *p, enum filter_field field, uint64_t mask,
		     const struct filter_spans *spans)
{
	struct alternative *a = new_alternative(p);
	struct filter_condition *c;
	int err = a ? 0 : -ENOMEM;

	if (err)
		return err;
	c = &a->conditions[a->count++];
	*c = new_condition(p, field, mask);
	for (size_t i = 0; !err && i < spans->count; i++)
		err = add_range(p, c, spans->spans[i].first,
				spans->spans[i].last);
	return err;
}

/* An IPv6 address lies in three fields. */
static const unsigned ipv6_bits[] = { FIELD_IPV6_BITS, FIELD_IPV6_MIDDLE_BITS,
				      FIELD_IPV6_END_BITS };

static filter_number ones(unsigned bits)
{
	return ((filter_number)1 << bits) - 1;
}

/* The first @n fields are those of @exact, the next is from @first to @last. */
static int add_ipv6_box(struct parser *p, enum filter_field field,
			const filter_number *exact, unsigned n,
			filter_number first, filter_number last)
{
	struct alternative *a = new_alternative(p);
	int err = a ? 0 : -ENOMEM;

	for (unsigned i = 0; !err && i <= n; i++) {
		struct filter_condition *c = &a->conditions[a->count++];

		*c = new_condition(p, (enum filter_field)(field + i),
				   UINT64_MAX);
		err = add_range(p, c, i < n ? exact[i] : first,
				i < n ? exact[i] : last);
	}
	return err;
}

/*
 * The addresses from @first to @last that agree in the first @n fields, of
 * which the others have @bits: as boxes of ranges. A prefix is one box.
 */
static int add_ipv6_span(struct parser *p, enum filter_field field,
			 filter_number *exact, unsigned n, unsigned bits,
			 filter_number first, filter_number last)
{
	unsigned rest = bits - ipv6_bits[n];
	filter_number a = first >> rest, z = last >> rest;
	filter_number low = first & ones(rest), high = last & ones(rest);
	int err = 0;

	if (!low && high == ones(rest))
		return add_ipv6_box(p, field, exact, n, a, z);
	if (a == z) {
		exact[n] = a;
		return add_ipv6_span(p, field, exact, n + 1, rest, low, high);
	}
	if (low) {
		exact[n] = a++;
		err = add_ipv6_span(p, field, exact, n + 1, rest, low,
				    ones(rest));
	}
	if (!err && high != ones(rest)) {
		exact[n] = z--;
		err = add_ipv6_span(p, field, exact, n + 1, rest, 0, high);
	}
	if (!err && a <= z)
		err = add_ipv6_box(p, field, exact, n, a, z);
	return err;
}

/* Values ------------------------------------------------------------------ */

struct match {
	const char *name;
	enum filter_field field;
	int (*read)(struct parser *p, const struct match *m,
		    const struct word *word);
	const struct filter_word *words;
	uint64_t max; /* that may be written */
	uint64_t all; /* that frames have: what `!` leaves some of */
	const char *what;
};

/* Calls @item for each part of a list. */
static int each_item(struct parser *p, const struct word *word,
		     int (*item)(struct parser *p, const struct match *m,
				 const char *text),
		     const struct match *m)
{
	char *text = word->text + (*word->text == '!');

	for (;;) {
		char *comma = strchr(text, ',');
		struct word part = { text, word->column + (uint32_t)(text -
								     word->text) };
		int err;

		if (comma)
			*comma = '\0';
		err = item(p, m, text);
		if (err == -ENOMEM)
			parse_no_memory(p);
		else if (err == -E2BIG)
			parse_complain(p, part.column,
				       "more than %d kinds of masks in a list: write rules of their own",
				       FILTER_MASKS);
		else if (err)
			parse_expected(p, &part, m->what);
		if (comma)
			*comma = ',';
		if (err || !comma)
			return err;
		text = comma + 1;
	}
}

static int range_item(struct parser *p, const struct match *m, const char *text)
{
	struct filter_span span;

	if (filter_value_range(text, m->max, m->words, &span))
		return -EINVAL;
	return filter_spans_add(&p->spans, span.first, span.last);
}

/* What has been listed, or all else, as a condition. */
static int settle(struct parser *p, const struct match *m,
		  const struct word *word)
{
	filter_spans_tidy(&p->spans);
	if (*word->text == '!' && filter_spans_complement(&p->spans, m->all))
		return parse_no_memory(p);
	return add_spans(p, m->field, UINT64_MAX, &p->spans);
}

static int read_numbers(struct parser *p, const struct match *m,
			const struct word *word)
{
	int err = each_item(p, word, range_item, m);

	return err ? err : settle(p, m, word);
}

static int flags_item(struct parser *p, const struct match *m, const char *text)
{
	(void)m;
	return filter_value_tcp_flags(text, &p->spans);
}

static int read_flags(struct parser *p, const struct match *m,
		      const struct word *word)
{
	int err = each_item(p, word, flags_item, m);

	return err ? err : settle(p, m, word);
}

static int ipv4_item(struct parser *p, const struct match *m, const char *text)
{
	struct filter_span span;

	(void)m;
	if (filter_value_ipv4(text, &span))
		return -EINVAL;
	return filter_spans_add(&p->spans, span.first, span.last);
}

static int read_ipv4(struct parser *p, const struct match *m,
		     const struct word *word)
{
	int err = each_item(p, word, ipv4_item, m);

	return err ? err : settle(p, m, word);
}

static int ip_item(struct parser *p, const struct match *m, const char *text)
{
	struct filter_span span;

	(void)m;
	if (!filter_value_ipv4(text, &span))
		return filter_spans_add(&p->spans, span.first, span.last);
	if (!filter_value_ipv6(text, &span))
		return filter_spans_add(&p->spans6, span.first, span.last);
	return -EINVAL;
}

/* IPv4 is one alternative, each span of IPv6 one or more. */
static int read_ip(struct parser *p, const struct match *m,
		   const struct word *word)
{
	enum filter_field field6 =
		m->field == FIELD_SRC4 ? FIELD_SRC6 : FIELD_DST6;
	filter_number exact[ARRAY_SIZE(ipv6_bits)];
	int err = each_item(p, word, ip_item, m);

	if (err)
		return err;
	filter_spans_tidy(&p->spans);
	filter_spans_tidy(&p->spans6);
	if (*word->text == '!' &&
	    (filter_spans_complement(&p->spans, m->max) ||
	     filter_spans_complement(&p->spans6, ~(filter_number)0)))
		return parse_no_memory(p);
	if (p->spans.count)
		err = add_spans(p, m->field, UINT64_MAX, &p->spans);
	for (size_t i = 0; !err && i < p->spans6.count; i++)
		err = add_ipv6_span(p, field6, exact, 0, 128,
				    p->spans6.spans[i].first,
				    p->spans6.spans[i].last);
	return err;
}

static bool is_prefix(uint64_t mask)
{
	uint64_t host = ~mask & MAC_ALL;

	return !(host & (host + 1));
}

static int mac_item(struct parser *p, const struct match *m, const char *text)
{
	struct mac_list *list = &p->macs;
	uint64_t mac, mask, last;
	size_t i = 0;

	(void)m;
	if (filter_value_mac(text, &mac, &mask))
		return -EINVAL;
	last = mac;
	if (is_prefix(mask)) {
		last = mac | (~mask & MAC_ALL);
		mask = UINT64_MAX;
	}
	/* A frame without such an address stays one without. */
	mask |= FIELD_NO_MAC;
	while (i < list->count && list->masks[i] != mask)
		i++;
	if (i == ARRAY_SIZE(list->masks))
		return -E2BIG;
	if (i == list->count)
		list->masks[list->count++] = mask;
	return filter_spans_add(&list->spans[i], mac, last);
}

/* What is in none of them: conditions that must all hold. */
static int none_of(struct parser *p, const struct match *m)
{
	struct mac_list *list = &p->macs;
	struct alternative *a;
	size_t first = p->alternative_count;
	int err = 0;

	for (size_t i = 0; !err && i < list->count; i++) {
		err = filter_spans_complement(&list->spans[i], m->all);
		if (!err)
			err = add_spans(p, m->field, list->masks[i],
					&list->spans[i]);
	}
	if (err)
		return parse_no_memory(p);
	a = &p->alternatives[first];
	for (size_t i = 1; i < list->count; i++)
		a->conditions[a->count++] =
			p->alternatives[first + i].conditions[0];
	p->alternative_count = first + 1;
	return 0;
}

static int any_of(struct parser *p, const struct match *m)
{
	struct mac_list *list = &p->macs;
	int err = 0;

	for (size_t i = 0; !err && i < list->count; i++) {
		filter_spans_tidy(&list->spans[i]);
		err = add_spans(p, m->field, list->masks[i], &list->spans[i]);
	}
	return err;
}

static int read_mac(struct parser *p, const struct match *m,
		    const struct word *word)
{
	bool none = *word->text == '!';
	int err = each_item(p, word, mac_item, m);

	/* Conditions that must all hold have their room in an alternative. */
	if (!err && none &&
	    p->macs.count > ARRAY_SIZE(p->alternatives->conditions))
		err = parse_complain(p, word->column,
				  "more than %zu kinds of masks behind a '!': write rules of their own",
				  ARRAY_SIZE(p->alternatives->conditions));
	if (!err)
		err = none ? none_of(p, m) : any_of(p, m);
	for (size_t i = 0; i < ARRAY_SIZE(p->macs.spans); i++)
		p->macs.spans[i].count = 0;
	p->macs.count = 0;
	return err;
}

static const struct filter_word ethertypes[] = {
	{ "ipv4", 0x0800 }, { "arp", 0x0806 }, { "ipv6", 0x86dd },
	{ "lldp", 0x88cc }, { NULL, 0 },
};

static const struct filter_word vlans[] = { { "none", FIELD_NO_VLAN },
					    { NULL, 0 } };

/* RFC 826. */
static const struct filter_word operations[] = { { "request", 1 },
						 { "reply", 2 },
						 { NULL, 0 } };

/* IANA, protocol numbers. */
static const struct filter_word protocols[] = {
	{ "icmp", 1 },	{ "igmp", 2 },	  { "tcp", 6 },	  { "udp", 17 },
	{ "gre", 47 },	{ "esp", 50 },	  { "ah", 51 },	  { "icmpv6", 58 },
	{ "ospf", 89 }, { "sctp", 132 },  { NULL, 0 },
};

/* IANA, ICMP and ICMPv6 type numbers. */
static const struct filter_word icmp_types[] = {
	{ "echo-reply", 0 },	     { "destination-unreachable", 3 },
	{ "redirect", 5 },	     { "echo-request", 8 },
	{ "time-exceeded", 11 },     { "parameter-problem", 12 },
	{ "timestamp-request", 13 }, { "timestamp-reply", 14 },
	{ NULL, 0 },
};

static const struct filter_word icmpv6_types[] = {
	{ "destination-unreachable", 1 }, { "packet-too-big", 2 },
	{ "time-exceeded", 3 },		  { "parameter-problem", 4 },
	{ "echo-request", 128 },	  { "echo-reply", 129 },
	{ "router-solicitation", 133 },	  { "router-advertisement", 134 },
	{ "neighbor-solicitation", 135 }, { "neighbor-advertisement", 136 },
	{ "redirect", 137 },		  { NULL, 0 },
};

static const char a_mac[] =
	"a MAC address, with or without a /MASK or /LENGTH (02:00:00:00:00:00/24)";
static const char an_ipv4[] = "an IPv4 address or prefix";
static const char an_ip[] = "an IPv4 or IPv6 address or prefix";
static const char a_port[] = "a port number or a range of them (8000-8100)";

static const struct match matches[] = {
	{ "src-mac", FIELD_SRC_MAC, read_mac, NULL, 0, MAC_ALL, a_mac },
	{ "dst-mac", FIELD_DST_MAC, read_mac, NULL, 0, MAC_ALL, a_mac },
	{ "ethertype", FIELD_ETHERTYPE, read_numbers, ethertypes, 0xffff, 0xffff,
	  "an EtherType: arp, ipv4, ipv6, lldp, a number or a range" },
	{ "vlan", FIELD_VLAN, read_numbers, vlans, 4095, FIELD_NO_VLAN,
	  "a VLAN: 0 to 4095, a range, or none" },
	{ "arp", FIELD_ARP, read_numbers, operations, 0xffff, 0xffff,
	  "an ARP operation: request, reply, a number or a range" },
	{ "arp-sender", FIELD_ARP_SENDER, read_ipv4, NULL, 0, UINT32_MAX,
	  an_ipv4 },
	{ "arp-target", FIELD_ARP_TARGET, read_ipv4, NULL, 0, UINT32_MAX,
	  an_ipv4 },
	{ "arp-sender-mac", FIELD_ARP_SENDER_MAC, read_mac, NULL, 0, MAC_ALL,
	  a_mac },
	{ "arp-target-mac", FIELD_ARP_TARGET_MAC, read_mac, NULL, 0, MAC_ALL,
	  a_mac },
	{ "src", FIELD_SRC4, read_ip, NULL, UINT32_MAX, UINT32_MAX, an_ip },
	{ "dst", FIELD_DST4, read_ip, NULL, UINT32_MAX, UINT32_MAX, an_ip },
	{ "protocol", FIELD_PROTOCOL, read_numbers, protocols, 255, 255,
	  "a protocol: tcp, udp, icmp, icmpv6, igmp, gre, esp, ah, ospf, sctp, a number or a range" },
	{ "src-port", FIELD_SRC_PORT, read_numbers, NULL, 0xffff, 0xffff,
	  a_port },
	{ "dst-port", FIELD_DST_PORT, read_numbers, NULL, 0xffff, 0xffff,
	  a_port },
	{ "tcp-flags", FIELD_TCP_FLAGS, read_flags, NULL, 255, 255,
	  "FLAGS[/MASK] of fin, syn, rst, psh, ack, urg, ece, cwr joined by '+' (syn/syn+ack), or established" },
	{ "icmp-type", FIELD_ICMP_TYPE, read_numbers, icmp_types, 255, 255,
	  "an ICMP type: echo-request, echo-reply, destination-unreachable, redirect, time-exceeded, parameter-problem, timestamp-request, timestamp-reply, a number or a range" },
	{ "icmpv6-type", FIELD_ICMPV6_TYPE, read_numbers, icmpv6_types, 255, 255,
	  "an ICMPv6 type: destination-unreachable, packet-too-big, time-exceeded, parameter-problem, echo-request, echo-reply, router-solicitation, router-advertisement, neighbor-solicitation, neighbor-advertisement, redirect, a number or a range" },
};

_Static_assert(ARRAY_SIZE(matches) == MATCHES, "a place for each");

static const char match_list[] =
	"src-mac, dst-mac, ethertype, vlan, arp, arp-sender, arp-target, arp-sender-mac, arp-target-mac, src, dst, protocol, src-port, dst-port, tcp-flags, icmp-type, icmpv6-type";

static int find_match(const char *text)
{
	for (size_t i = 0; i < ARRAY_SIZE(matches); i++)
		if (!strcmp(matches[i].name, text))
			return (int)i;
	return -1;
}

static int complain_match(struct parser *p, const struct word *word)
{
	const char *hint;

	if (word == &p->words[1])
		hint = "; nor is it to-host or to-guests";
	else if (!strncmp(word->text, "to-", 3))
		hint = " (to-host, to-guests come right behind the action)";
	else
		hint = " (values are listed with commas, without blanks)";
	return parse_complain(p, word->column, "'%.64s' is no match: %s%s",
			      word->text, match_list, hint);
}

int parse_match(struct parser *p, struct choice *choice, unsigned *seen)
{
	struct word *word = parse_take(p);
	int m = find_match(word->text);
	int err;

	if (m < 0)
		return complain_match(p, word);
	if (*seen & 1u << m)
		return parse_complain(p, word->column,
				   "%s is there twice: list values with commas",
				   word->text);
	*seen |= 1u << m;
	word = parse_take(p);
	if (!strcmp(word->text, "!"))
		return parse_complain(p, word->column,
				      "%s: '!' belongs right in front of the value",
				      matches[m].name);
	if (!*word->text)
		return parse_complain(p, word->column, "%s needs a value: %s",
				   matches[m].name, matches[m].what);
	p->spans.count = p->spans6.count = 0;
	*choice = (struct choice){ .at = p->alternative_count };
	err = matches[m].read(p, &matches[m], word);
	choice->count = p->alternative_count - choice->at;
	return err;
}
