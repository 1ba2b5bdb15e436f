#include "filter_facts.h"

#include <netinet/in.h>
#include <string.h>

enum {
	/* Not of the language, but limits of what the filter looks at. What
	 * could be behind them is dropped, see hidden. */
	LOOK_BYTES = 128,
	IPV6_EXTENSIONS = 6,

	TAGS = 8,
};

static uint64_t number_at(const uint8_t *bytes, int count)
{
	uint64_t n = 0;

	for (int i = 0; i < count; i++)
		n = n << 8 | bytes[i];
	return n;
}

static int two(const uint8_t *bytes)
{
	return (int)number_at(bytes, 2);
}

static void arp_facts(struct facts *f, const uint8_t *p, size_t bytes)
{
	static const uint8_t ipv4[] = { 8, 0, 6, 4 };

	/* Over Ethernet, or IEEE 802. */
	if (bytes < 28 || (two(p) != 1 && two(p) != 6) || memcmp(p + 2, ipv4, 4))
		return;
	f->arp = two(p + 6);
	f->arp_sender_mac = number_at(p + 8, 6);
	f->arp_sender = (uint32_t)number_at(p + 14, 4);
	f->arp_target_mac = number_at(p + 18, 6);
	f->arp_target = (uint32_t)number_at(p + 24, 4);
}

static bool has_ports(int protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP ||
	       protocol == IPPROTO_SCTP || protocol == IPPROTO_UDPLITE ||
	       protocol == IPPROTO_DCCP;
}

static void payload_facts(struct facts *f, const uint8_t *p, size_t bytes)
{
	if (has_ports(f->protocol) && bytes >= 4) {
		f->src_port = two(p);
		f->dst_port = two(p + 2);
	}
	if (f->protocol == IPPROTO_TCP && bytes >= 14)
		f->tcp_flags = p[13];
	if (f->version == 4 && f->protocol == IPPROTO_ICMP && bytes >= 1)
		f->icmp_type = p[0];
	if (f->version == 6 && f->protocol == IPPROTO_ICMPV6 && bytes >= 1)
		f->icmpv6_type = p[0];
}

/* A fragment whose first 14 bytes of TCP are here in part only: RFC 1858, RFC
 * 3128. @offset is in units of 8 bytes, @bytes what is here of TCP. */
static bool splits_tcp(int protocol, int offset, bool more, size_t bytes)
{
	return protocol == IPPROTO_TCP &&
	       (offset == 1 || (!offset && more && bytes < 14));
}

static void ipv4_facts(struct facts *f, const uint8_t *p, size_t bytes)
{
	size_t header = (p[0] & 15u) * 4;

	if (bytes < 20 || p[0] >> 4 != 4 || header < 20)
		return;
	f->version = 4;
	memcpy(f->src, p + 12, 4);
	memcpy(f->dst, p + 16, 4);
	f->protocol = p[9];
	f->hidden = splits_tcp(p[9], two(p + 6) & 0x1fff, p[6] & 0x20,
			       bytes > header ? bytes - header : 0);
	if (!(two(p + 6) & 0x1fff) && bytes > header)
		payload_facts(f, p + header, bytes - header);
}

static bool is_extension(int protocol)
{
	return protocol == IPPROTO_HOPOPTS || protocol == IPPROTO_ROUTING ||
	       protocol == IPPROTO_DSTOPTS || protocol == IPPROTO_FRAGMENT ||
	       protocol == IPPROTO_AH;
}

static size_t extension_bytes(int protocol, const uint8_t *p)
{
	if (protocol == IPPROTO_FRAGMENT)
		return 8;
	return 8 + (protocol == IPPROTO_AH ? 4 : 8) * (size_t)p[1];
}

/* How much of a payload is to be seen for all that can be matched. */
static size_t wanted_bytes(int protocol)
{
	return protocol == IPPROTO_TCP ? 14 : has_ports(protocol) ? 4 : 1;
}

static void ipv6_facts(struct facts *f, const uint8_t *p, size_t bytes)
{
	size_t at = 40;
	int offset = 0, more = 0;

	if (bytes < 40 || p[0] >> 4 != 6)
		return;
	f->version = 6;
	memcpy(f->src, p + 8, 16);
	memcpy(f->dst, p + 24, 16);
	f->protocol = p[6];
	for (int i = 0; is_extension(f->protocol) && !offset; i++) {
		size_t length;

		if (i == IPV6_EXTENSIONS || at + 8 > bytes) {
			f->hidden = i == IPV6_EXTENSIONS || f->cut;
			return;
		}
		length = extension_bytes(f->protocol, p + at);
		if (f->protocol == IPPROTO_FRAGMENT) {
			offset = two(p + at + 2) >> 3;
			more |= p[at + 3] & 1;
		}
		f->protocol = p[at];
		at += length;
	}
	f->hidden = splits_tcp(f->protocol, offset, more,
			       at < bytes ? bytes - at : 0);
	if (offset)
		return;
	f->hidden |= f->cut && at + wanted_bytes(f->protocol) > bytes;
	if (at < bytes)
		payload_facts(f, p + at, bytes - at);
}

static bool is_tag(int type)
{
	return type == 0x8100 || type == 0x88a8;
}

struct facts facts_of(const uint8_t *frame, size_t bytes)
{
	struct facts f = {
		.vlan = NONE, .arp = NONE, .protocol = NONE, .src_port = NONE,
		.dst_port = NONE, .tcp_flags = NONE, .icmp_type = NONE,
		.icmpv6_type = NONE,
	};
	size_t at = 12;

	f.cut = bytes > LOOK_BYTES;
	if (f.cut)
		bytes = LOOK_BYTES;
	f.dst_mac = number_at(frame, 6);
	f.src_mac = number_at(frame + 6, 6);
	/* A tag without an EtherType behind it is not one. */
	for (int i = 0; i < TAGS; i++) {
		if (!is_tag(two(frame + at)) || at + 6 > bytes)
			break;
		if (!i)
			f.vlan = two(frame + at + 2) & 0xfff;
		at += 4;
	}
	f.ethertype = two(frame + at);
	f.tags_hide = is_tag(f.ethertype) && at + 6 <= bytes;
	at += 2;
	if (f.ethertype == 0x0806)
		arp_facts(&f, frame + at, bytes - at);
	if (f.ethertype == 0x0800 && at < bytes)
		ipv4_facts(&f, frame + at, bytes - at);
	if (f.ethertype == 0x86dd)
		ipv6_facts(&f, frame + at, bytes - at);
	return f;
}
