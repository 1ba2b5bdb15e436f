#include "make_frame.h"

#include <assert.h>

void make_8(struct make_frame *m, unsigned value)
{
	assert(m->length < MAKE_BYTES);
	m->bytes[m->length++] = (uint8_t)value;
}

void make_16(struct make_frame *m, unsigned value)
{
	make_8(m, value >> 8 & 0xff);
	make_8(m, value & 0xff);
}

void make_32(struct make_frame *m, uint32_t value)
{
	make_16(m, value >> 16);
	make_16(m, value & 0xffff);
}

void make_48(struct make_frame *m, uint64_t value)
{
	make_16(m, (unsigned)(value >> 32) & 0xffff);
	make_32(m, (uint32_t)value);
}

void make_fill(struct make_frame *m, uint32_t count, unsigned value)
{
	for (uint32_t i = 0; i < count; i++)
		make_8(m, value);
}

void make_pattern(struct make_frame *m, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		make_8(m, i * 7 + 1);
}

void make_put_16(struct make_frame *m, uint32_t at, unsigned value)
{
	assert(at + 2 <= m->length);
	m->bytes[at] = (uint8_t)(value >> 8);
	m->bytes[at + 1] = (uint8_t)value;
}

unsigned make_get_16(const struct make_frame *m, uint32_t at)
{
	assert(at + 2 <= m->length);
	return (unsigned)m->bytes[at] << 8 | m->bytes[at + 1];
}

/* Headers ----------------------------------------------------------------- */

uint32_t make_ethernet(struct make_frame *m, uint64_t dst, uint64_t src)
{
	uint32_t at = m->length;

	make_48(m, dst);
	make_48(m, src);
	return at;
}

uint32_t make_tag(struct make_frame *m, unsigned type, unsigned tci)
{
	uint32_t at = m->length;

	make_16(m, type);
	make_16(m, tci);
	return at;
}

/* RFC 826. */
uint32_t make_arp(struct make_frame *m, const struct make_arp *arp)
{
	uint32_t at = m->length;

	make_16(m, 1);
	make_16(m, 0x0800);
	make_8(m, 6);
	make_8(m, 4);
	make_16(m, arp->operation);
	make_48(m, arp->sender_mac);
	make_32(m, arp->sender);
	make_48(m, arp->target_mac);
	make_32(m, arp->target);
	return at;
}

/* RFC 791. Options are "no operation", which is 1. */
uint32_t make_ipv4(struct make_frame *m, const struct make_ipv4 *ip)
{
	uint32_t at = m->length;

	assert(ip->options % 4 == 0 && ip->options <= 40);
	make_8(m, 0x40 | (5 + ip->options / 4));
	make_8(m, 0);
	make_16(m, 0); /* length */
	make_16(m, 0x1234);
	make_16(m, ip->fragment);
	make_8(m, 64);
	make_8(m, ip->protocol);
	make_16(m, 0); /* checksum */
	make_32(m, ip->src);
	make_32(m, ip->dst);
	make_fill(m, ip->options, 1);
	return at;
}

/* RFC 9293. */
uint32_t make_tcp(struct make_frame *m, unsigned src, unsigned dst,
		  unsigned flags)
{
	uint32_t at = m->length;

	make_16(m, src);
	make_16(m, dst);
	make_32(m, 0x01020304);
	make_32(m, 0x05060708);
	make_8(m, 5 << 4);
	make_8(m, flags);
	make_16(m, 8192);
	make_16(m, 0); /* checksum */
	make_16(m, 0);
	return at;
}

/* RFC 768. */
uint32_t make_udp(struct make_frame *m, unsigned src, unsigned dst)
{
	uint32_t at = m->length;

	make_16(m, src);
	make_16(m, dst);
	make_16(m, 0); /* length */
	make_16(m, 0); /* checksum */
	return at;
}

/* RFC 3828. */
uint32_t make_udplite(struct make_frame *m, unsigned src, unsigned dst,
		      unsigned coverage)
{
	uint32_t at = m->length;

	make_16(m, src);
	make_16(m, dst);
	make_16(m, coverage);
	make_16(m, 0); /* checksum */
	return at;
}

/* RFC 4340: a request, with a service code; the checksum covers all. */
uint32_t make_dccp(struct make_frame *m, unsigned src, unsigned dst)
{
	uint32_t at = m->length;

	make_16(m, src);
	make_16(m, dst);
	make_8(m, 5);
	make_8(m, 0);
	make_16(m, 0); /* checksum */
	make_8(m, 1);
	make_8(m, 0);
	make_48(m, 77);
	make_32(m, 0x12345678);
	return at;
}

/* RFC 792. */
uint32_t make_icmp(struct make_frame *m, unsigned type, unsigned code,
		   uint32_t rest)
{
	uint32_t at = m->length;

	make_8(m, type);
	make_8(m, code);
	make_16(m, 0); /* checksum */
	make_32(m, rest);
	return at;
}

/* Checksums --------------------------------------------------------------- */

uint32_t make_sum(const struct make_frame *m, uint32_t from, uint32_t to,
		  uint32_t sum)
{
	assert(to <= m->length);
	for (uint32_t at = from; at < to; at += 2) {
		unsigned high = m->bytes[at];
		unsigned low = at + 1 < to ? m->bytes[at + 1] : 0;

		sum += high << 8 | low;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

/* Addresses, protocol and length of what is behind the header at @ip. */
static uint32_t pseudo_sum(const struct make_frame *m, uint32_t ip, uint32_t at)
{
	uint32_t sum = m->bytes[ip + 9] + (m->length - at);

	return make_sum(m, ip + 12, ip + 20, sum);
}

static void put_checksum(struct make_frame *m, uint32_t place, uint32_t sum)
{
	make_put_16(m, place, ~sum & 0xffff);
}

/* A checksum of 0 would mean that there is none, or is not allowed. */
static void put_checksum_not_0(struct make_frame *m, uint32_t place,
			       uint32_t sum)
{
	put_checksum(m, place, sum == 0xffff ? 0 : sum);
}

void make_end_tcp(struct make_frame *m, uint32_t ip, uint32_t at)
{
	put_checksum(m, at + 16,
		     make_sum(m, at, m->length, pseudo_sum(m, ip, at)));
}

void make_end_udp(struct make_frame *m, uint32_t ip, uint32_t at)
{
	make_put_16(m, at + 4, m->length - at);
	put_checksum_not_0(m, at + 6,
			   make_sum(m, at, m->length, pseudo_sum(m, ip, at)));
}

void make_end_udplite(struct make_frame *m, uint32_t ip, uint32_t at)
{
	unsigned coverage = make_get_16(m, at + 4);
	uint32_t to = coverage ? at + coverage : m->length;

	put_checksum_not_0(m, at + 6,
			   make_sum(m, at, to, pseudo_sum(m, ip, at)));
}

void make_end_dccp(struct make_frame *m, uint32_t ip, uint32_t at)
{
	put_checksum(m, at + 6,
		     make_sum(m, at, m->length, pseudo_sum(m, ip, at)));
}

void make_end_icmp(struct make_frame *m, uint32_t at)
{
	put_checksum(m, at + 2, make_sum(m, at, m->length, 0));
}

void make_end_ipv4(struct make_frame *m, uint32_t ip)
{
	uint32_t header = (m->bytes[ip] & 15) * 4u;

	make_put_16(m, ip + 2, m->length - ip);
	put_checksum(m, ip + 10, make_sum(m, ip, ip + header, 0));
}
