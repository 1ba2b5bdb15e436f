#include "filter_random.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum { MANY = 100 }; /* lines of a file */

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define PICK(d, array) ((array)[dice_roll((d), ARRAY_SIZE(array))])

/* splitmix64: public domain, Sebastiano Vigna. */
static uint64_t next(struct dice *d)
{
	uint64_t z = (d->state += 0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

uint32_t dice_roll(struct dice *d, uint32_t n)
{
	return (uint32_t)((next(d) >> 32) * n >> 32);
}

static bool one_in(struct dice *d, uint32_t n)
{
	return !dice_roll(d, n);
}

/* What rules and frames have in common ------------------------------------ */

static const uint64_t macs[] = {
	0x020000000001, 0x020000000002, 0x020000ff0001, 0x0200ff000001,
	0xffffffffffff, 0x01005e000001, 0x333300000001, 0x000000000000,
};

static const uint32_t ipv4s[] = {
	0x0a000001, 0x0a000002, 0x0a000101, 0x0affffff, 0x0b000000, 0x09ffffff,
	0xc0000201, 0xc0000205, 0xe0000001, 0x7fffffff, 0x80000000, 0x00000000,
	0xffffffff,
};

struct ipv6 {
	uint64_t high, low;
};

/* The filter cuts addresses after 48 and 96 bits. */
static const struct ipv6 ipv6s[] = {
	{ 0x20010db800000000, 0x0000000000000001 },
	{ 0x20010db800000000, 0x0000000000000002 },
	{ 0x20010db800000001, 0x0000000000000001 },
	{ 0x20010db80000ffff, 0xffffffffffffffff },
	{ 0x20010db800010000, 0x0000000000000000 },
	{ 0x20010db800000000, 0x00000000ffffffff },
	{ 0x20010db800000000, 0x0000000100000000 },
	{ 0xfe80000000000000, 0x00000000000000fe },
	{ 0xff02000000000000, 0x0000000000000001 },
	{ 0, 1 }, { 0, 0 },
	{ 0xffffffffffffffff, 0xffffffffffffffff },
};

static const unsigned ports[] = { 0,	22,   53,   80,	  443,	1023,
				  1024, 8000, 8100, 32768, 65535 };
static const unsigned vlans[] = { 0, 1, 5, 100, 101, 2048, 4095 };
static const unsigned ethertypes[] = { 0x0800, 0x0806, 0x86dd, 0x88cc, 0x8100,
				       46,     1500,   1535,   1536,   0x9100,
				       0,      0xffff };
static const unsigned protocols[] = { 0,  1,  2,  6,  17, 33,  43,  44,	 47, 50,
				      51, 58, 60, 89, 132, 136, 137, 255 };
static const unsigned operations[] = { 0, 1, 2, 3, 8, 256, 65535 };
static const unsigned types[] = { 0, 1, 3, 5, 8, 11, 128, 135, 137, 255 };

/* One of them, or next to it. */
static unsigned near(struct dice *d, unsigned number, unsigned max)
{
	if (one_in(d, 8))
		number++;
	else if (one_in(d, 8))
		number--;
	return number & max;
}

static uint64_t some_mac(struct dice *d)
{
	uint64_t mac = PICK(d, macs);

	return one_in(d, 4) ? mac ^ (uint64_t)1 << dice_roll(d, 48) : mac;
}

static uint32_t some_ipv4(struct dice *d)
{
	uint32_t address = PICK(d, ipv4s);

	if (one_in(d, 6))
		return address + 1 - 2 * dice_roll(d, 2);
	return one_in(d, 6) ? address ^ 1u << dice_roll(d, 32) : address;
}

static struct ipv6 some_ipv6(struct dice *d)
{
	struct ipv6 a = PICK(d, ipv6s);
	uint32_t bit = dice_roll(d, 64);

	if (one_in(d, 6))
		a.high ^= (uint64_t)1 << bit;
	else if (one_in(d, 6))
		a.low ^= (uint64_t)1 << bit;
	return a;
}

static unsigned some_port(struct dice *d)
{
	return near(d, PICK(d, ports), 65535);
}

/* Rules ------------------------------------------------------------------- */

static void write_range(struct dice *d, FILE *to, unsigned a, unsigned b,
			const char *format)
{
	fprintf(to, format, a < b ? a : b);
	if (!one_in(d, 3))
		return;
	fputc('-', to);
	fprintf(to, format, a < b ? b : a);
}

static void write_mac(struct dice *d, FILE *to, bool listed)
{
	static const unsigned lengths[] = { 0, 1, 8, 24, 25, 40, 47, 48 };
	uint64_t mac = some_mac(d);

	for (int i = 40; i >= 0; i -= 8)
		fprintf(to, one_in(d, 9) ? "%" PRIX64 "%s" : "%02" PRIx64 "%s",
			mac >> i & 0xff, i ? ":" : "");
	if (one_in(d, 3))
		fprintf(to, "/%u", PICK(d, lengths));
	else if (one_in(d, 3))
		fprintf(to, "/ff:ff:ff:00:00:00");
	/* There may be few kinds of these. */
	else if (!listed && one_in(d, 4))
		fprintf(to, one_in(d, 2) ? "/ff:00:00:00:00:ff"
					 : "/01:00:00:00:00:00");
	else if (listed && one_in(d, 4))
		fprintf(to, "/ff:00:00:00:00:ff");
}

static void mac_value(struct dice *d, FILE *to, bool listed)
{
	write_mac(d, to, listed);
}

static void write_ipv4(struct dice *d, FILE *to)
{
	static const unsigned lengths[] = { 0, 1, 8, 9, 16, 24, 30, 31, 32 };
	uint32_t a = some_ipv4(d);

	fprintf(to, "%u.%u.%u.%u", a >> 24, a >> 16 & 255, a >> 8 & 255,
		a & 255);
	if (one_in(d, 2))
		fprintf(to, "/%u", PICK(d, lengths));
}

static void ipv4_value(struct dice *d, FILE *to, bool listed)
{
	(void)listed;
	write_ipv4(d, to);
}

static void write_ipv6(struct dice *d, FILE *to)
{
	static const unsigned lengths[] = { 0,	1,  16, 32, 47, 48,  49,  64,
					    95, 96, 97, 120, 126, 127, 128 };
	struct ipv6 a = some_ipv6(d);

	if (!a.high && a.low <= 0xffff)
		fprintf(to, "::%" PRIx64, a.low);
	else
		for (int i = 7; i >= 0; i--)
			fprintf(to, "%" PRIx64 "%s",
				(i > 3 ? a.high >> (i - 4) * 16
				       : a.low >> i * 16) &
					0xffff,
				i ? ":" : "");
	if (one_in(d, 2))
		fprintf(to, "/%u", PICK(d, lengths));
}

static void ip_value(struct dice *d, FILE *to, bool listed)
{
	(void)listed;
	if (one_in(d, 2))
		write_ipv4(d, to);
	else
		write_ipv6(d, to);
}

static void ethertype_value(struct dice *d, FILE *to, bool listed)
{
	static const char *const words[] = { "arp", "ipv4", "ipv6", "lldp" };

	(void)listed;
	if (one_in(d, 2))
		fputs(PICK(d, words), to);
	else
		write_range(d, to, near(d, PICK(d, ethertypes), 0xffff),
			    near(d, PICK(d, ethertypes), 0xffff),
			    one_in(d, 2) ? "0x%04x" : "%u");
}

static void vlan_value(struct dice *d, FILE *to, bool listed)
{
	(void)listed;
	if (one_in(d, 4))
		fputs("none", to);
	else
		write_range(d, to, near(d, PICK(d, vlans), 4095),
			    near(d, PICK(d, vlans), 4095), "%u");
}

static void arp_value(struct dice *d, FILE *to, bool listed)
{
	(void)listed;
	if (one_in(d, 2))
		fputs(one_in(d, 2) ? "request" : "reply", to);
	else
		write_range(d, to, near(d, PICK(d, operations), 0xffff),
			    near(d, PICK(d, operations), 0xffff), "%u");
}

static void protocol_value(struct dice *d, FILE *to, bool listed)
{
	static const char *const words[] = {
		"icmp", "igmp", "tcp",	  "udp",  "gre",
		"esp",	"ah",	"icmpv6", "ospf", "sctp",
	};

	(void)listed;
	if (one_in(d, 2))
		fputs(PICK(d, words), to);
	else
		write_range(d, to, near(d, PICK(d, protocols), 255),
			    near(d, PICK(d, protocols), 255), "%u");
}

static void port_value(struct dice *d, FILE *to, bool listed)
{
	(void)listed;
	write_range(d, to, some_port(d), some_port(d), "%u");
}

static void write_flags(FILE *to, unsigned flags)
{
	static const char *const words[] = { "fin", "syn", "rst", "psh",
					     "ack", "urg", "ece", "cwr" };
	const char *plus = "";

	if (!flags)
		fputs("none", to);
	for (int i = 0; i < 8; i++)
		if (flags & 1u << i) {
			fprintf(to, "%s%s", plus, words[i]);
			plus = "+";
		}
}

static void flags_value(struct dice *d, FILE *to, bool listed)
{
	unsigned mask = 1u << dice_roll(d, 8) | 1u << dice_roll(d, 8);

	(void)listed;
	if (one_in(d, 4)) {
		fputs("established", to);
	} else if (one_in(d, 2)) {
		write_flags(to, mask);
	} else {
		write_flags(to, mask & (unsigned)next(d));
		fputc('/', to);
		write_flags(to, mask);
	}
}

static void icmp_value(struct dice *d, FILE *to, bool listed)
{
	static const char *const words[] = {
		"echo-reply",	     "destination-unreachable", "redirect",
		"echo-request",	     "time-exceeded",
		"parameter-problem", "timestamp-request",
		"timestamp-reply",
	};

	(void)listed;
	if (one_in(d, 2))
		fputs(PICK(d, words), to);
	else
		write_range(d, to, PICK(d, types), PICK(d, types), "%u");
}

static void icmpv6_value(struct dice *d, FILE *to, bool listed)
{
	static const char *const words[] = {
		"destination-unreachable", "packet-too-big",
		"time-exceeded",	   "parameter-problem",
		"echo-request",		   "echo-reply",
		"router-solicitation",	   "router-advertisement",
		"neighbor-solicitation",   "neighbor-advertisement",
		"redirect",
	};

	(void)listed;
	if (one_in(d, 2))
		fputs(PICK(d, words), to);
	else
		write_range(d, to, PICK(d, types), PICK(d, types), "%u");
}

static const struct match {
	const char *name;
	/* @listed: of a list, or complemented. */
	void (*write)(struct dice *d, FILE *to, bool listed);
} matches[] = {
	{ "src-mac", mac_value },	 { "dst-mac", mac_value },
	{ "ethertype", ethertype_value }, { "vlan", vlan_value },
	{ "arp", arp_value },		 { "arp-sender", ipv4_value },
	{ "arp-target", ipv4_value },	 { "arp-sender-mac", mac_value },
	{ "arp-target-mac", mac_value }, { "src", ip_value },
	{ "dst", ip_value },		 { "protocol", protocol_value },
	{ "src-port", port_value },	 { "dst-port", port_value },
	{ "tcp-flags", flags_value },	 { "icmp-type", icmp_value },
	{ "icmpv6-type", icmpv6_value },
};

/* Matches that frames can have together, as bits of matches[]. */
static const unsigned subjects[] = { 0x1ffff, 0x0000f, 0x001ff, 0x00e0f,
				     0x07e00, 0x03c00, 0x08e00, 0x10e00 };

static void write_match(struct dice *d, FILE *to, const struct match *m)
{
	bool not = one_in(d, 4);
	uint32_t items = one_in(d, 3) ? 1 + dice_roll(d, 4) : 1;

	fprintf(to, "%s%s%s", m->name, one_in(d, 20) ? "\t " : " ",
		not ? "!" : "");
	for (uint32_t i = 0; i < items; i++) {
		if (i)
			fputc(',', to);
		m->write(d, to, not || items > 1);
	}
}

/* What all rules of a file have in common. */
struct manner {
	unsigned open; /* the matches that there are; 0: any that go together */
	bool many;     /* of many rules, only narrow ones decide */
};

static void write_matches(struct dice *d, FILE *to, unsigned open,
			  uint32_t count)
{
	while (count-- && open) {
		uint32_t i = dice_roll(d, ARRAY_SIZE(matches));

		while (!(open & 1u << i))
			i = (i + 1) % ARRAY_SIZE(matches);
		open &= ~(1u << i);
		fputc(' ', to);
		write_match(d, to, &matches[i]);
	}
}

static void write_limit(struct dice *d, FILE *to)
{
	static const char *const units[] = { "bit/s", "kbit/s", "Mbit/s" };
	static const char *const bursts[] = { "bytes", "kB" };

	if (one_in(d, 2)) {
		fprintf(to, "rate-limit %u packets/s", 1 + dice_roll(d, 9999));
		if (one_in(d, 2))
			fprintf(to, " burst %u packets", 1 + dice_roll(d, 99));
	} else {
		fprintf(to, "rate-limit %u %s", 1 + dice_roll(d, 999),
			PICK(d, units));
		if (one_in(d, 2))
			fprintf(to, " burst %u %s", 1 + dice_roll(d, 999),
				PICK(d, bursts));
	}
}

static void write_rule(struct dice *d, FILE *to, const struct manner *manner)
{
	static const char *const actions[] = { "accept", "drop", "count" };
	static const char *const directions[] = { "", "", " to-host",
						  " to-guests" };
	static const uint32_t counts[] = { 0, 1, 1, 1, 1, 2, 2, 2, 3, 4 };
	uint32_t count = PICK(d, counts);
	unsigned open = manner->open ? manner->open : PICK(d, subjects);

	/* A rule for all frames leaves nothing to those below. */
	if (!count && !one_in(d, 8))
		count = 1;
	if (manner->many && count < 3 && !one_in(d, 200))
		fputs("count", to);
	else if (one_in(d, 10))
		write_limit(d, to);
	else
		fputs(PICK(d, actions), to);
	fputs(PICK(d, directions), to);
	write_matches(d, to, open, count);
}

static void end_line(struct dice *d, FILE *to)
{
	if (one_in(d, 20))
		fputs(" # as above", to);
	fputs(one_in(d, 20) ? "\r\n" : "\n", to);
}

/* Two that trade places, one that is nobody's, one that is from the pool. */
static void write_names(FILE *to)
{
	fputs("translate 10.0.0.1 <-> 10.0.0.2\n"
	      "translate 10.0.0.2 <-> 10.0.0.1\n"
	      "translate 10.0.1.1 <-> 192.0.2.5\n"
	      "translate 10.9.9.9 <-> 192.0.2.1\n",
	      to);
}

char *random_rules(struct dice *d, uint32_t lines)
{
	struct manner manner = { .many = lines > MANY };
	char *text = NULL;
	size_t bytes;
	FILE *to = open_memstream(&text, &bytes);

	if (!to)
		abort();
	/* Sometimes all rules are about the same few matches. */
	if (one_in(d, 3))
		manner.open = PICK(d, subjects) &
			      (unsigned)(next(d) | next(d));
	if (one_in(d, 2))
		fputs("default to-guests drop\n", to);
	if (one_in(d, 2))
		fputs("default\tto-host drop # unless below\n", to);
	if (one_in(d, 3))
		write_names(to);
	for (uint32_t i = 0; i < lines; i++) {
		if (!one_in(d, 30))
			write_rule(d, to, &manner);
		end_line(d, to);
	}
	if (fclose(to))
		abort();
	return text;
}

/* Frames ------------------------------------------------------------------ */

static void write_payload(struct dice *d, struct make_frame *m)
{
	/* Nothing behind the header is a payload, too. */
	if (one_in(d, 12))
		return;
	/* Ports, or type, code and checksum, and where the flags of TCP are. */
	if (one_in(d, 3))
		make_16(m, PICK(d, types) << 8 | dice_roll(d, 2));
	else
		make_16(m, some_port(d));
	make_16(m, some_port(d));
	make_32(m, (uint32_t)next(d));
	make_32(m, (uint32_t)next(d));
	make_8(m, 0x50);
	make_8(m, 1u << dice_roll(d, 8) | 1u << dice_roll(d, 8));
	make_fill(m, dice_roll(d, 20), 0);
}

static void write_arp(struct dice *d, struct make_frame *m)
{
	struct make_arp arp = {
		.operation = near(d, PICK(d, operations), 0xffff),
		.sender_mac = some_mac(d),
		.target_mac = some_mac(d),
		.sender = some_ipv4(d),
		.target = some_ipv4(d),
	};
	uint32_t at = make_arp(m, &arp);

	/* IEEE 802, which is as good. */
	if (one_in(d, 6))
		m->bytes[at + 1] = 6;
	/* Not IPv4 over Ethernet. */
	if (one_in(d, 8))
		m->bytes[at + dice_roll(d, 6)] ^= 1;
	make_fill(m, dice_roll(d, 20), 0);
}

static void write_ipv4_packet(struct dice *d, struct make_frame *m)
{
	static const unsigned fragments[] = { 0,      0,      0,      0x4000,
					      0x2000, 0x2001, 0x0001, 0x1fff };
	struct make_ipv4 ip = {
		.src = some_ipv4(d),
		.dst = some_ipv4(d),
		.protocol = near(d, PICK(d, protocols), 255),
		.options = one_in(d, 3) ? 4 * dice_roll(d, 11) : 0,
		.fragment = PICK(d, fragments),
	};
	uint32_t at = make_ipv4(m, &ip);

	/* Another version, or a length that cannot be or is too long. */
	if (one_in(d, 12))
		m->bytes[at] ^= (uint8_t)(1u << dice_roll(d, 8));
	write_payload(d, m);
}

/* Returns what is next. */
static unsigned write_extension(struct dice *d, struct make_frame *m,
				unsigned this)
{
	static const unsigned nexts[] = { 0, 43, 44, 51, 60 };
	unsigned next_one = one_in(d, 2) ? PICK(d, nexts)
					 : PICK(d, protocols);
	unsigned length = one_in(d, 4) ? dice_roll(d, 4) : this == 51;

	make_8(m, next_one);
	make_8(m, length);
	if (this == 44) {
		make_16(m, one_in(d, 4) ? dice_roll(d, 0x10000)
					: dice_roll(d, 8));
		make_32(m, 1);
		return next_one;
	}
	make_fill(m, this == 51 ? 6 + 4 * length : 6 + 8 * length, 0);
	return next_one;
}

static void write_ipv6_packet(struct dice *d, struct make_frame *m)
{
	static const unsigned extensions[] = { 0, 43, 44, 51, 60 };
	struct ipv6 src = some_ipv6(d), dst = some_ipv6(d);
	unsigned this = one_in(d, 2) ? PICK(d, extensions)
				     : near(d, PICK(d, protocols), 255);

	make_32(m, 0x60000000 ^ (one_in(d, 12) ? 1u << dice_roll(d, 32) : 0));
	make_16(m, 0);
	make_8(m, this);
	make_8(m, 64);
	make_32(m, (uint32_t)(src.high >> 32));
	make_32(m, (uint32_t)src.high);
	make_32(m, (uint32_t)(src.low >> 32));
	make_32(m, (uint32_t)src.low);
	make_32(m, (uint32_t)(dst.high >> 32));
	make_32(m, (uint32_t)dst.high);
	make_32(m, (uint32_t)(dst.low >> 32));
	make_32(m, (uint32_t)dst.low);
	for (int i = 0; i < 9; i++) {
		if (this != 0 && this != 43 && this != 44 && this != 51 &&
		    this != 60)
			break;
		this = write_extension(d, m, this);
	}
	write_payload(d, m);
}

void random_frame(struct dice *d, struct make_frame *m)
{
	static const uint32_t tag_counts[] = { 0, 0, 0, 0, 0, 0, 0, 1,
					       1, 1, 2, 2, 3, 7, 8, 9 };
	static const unsigned tag_types[] = { 0x8100, 0x8100, 0x88a8, 0x9100 };
	uint32_t tags = PICK(d, tag_counts);
	uint32_t what = dice_roll(d, 16);

	m->length = 0;
	make_ethernet(m, some_mac(d), some_mac(d));
	while (tags--)
		make_tag(m, PICK(d, tag_types),
			 near(d, PICK(d, vlans), 4095) |
				 (one_in(d, 3) ? dice_roll(d, 16) << 12 : 0));
	/* A packet, sometimes behind another's EtherType. */
	make_16(m, one_in(d, 24) ? near(d, PICK(d, ethertypes), 0xffff)
		   : what < 3	 ? 0x0806
		   : what < 9	 ? 0x0800
		   : what < 15	 ? 0x86dd
				 : near(d, PICK(d, ethertypes), 0xffff));
	if (what < 3)
		write_arp(d, m);
	else if (what < 9)
		write_ipv4_packet(d, m);
	else
		write_ipv6_packet(d, m);
	if (one_in(d, 3))
		m->length = 14 + dice_roll(d, m->length - 13);
}
