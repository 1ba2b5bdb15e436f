/*
 * One-to-one translation of IPv4 addresses in the beginning of a frame: in
 * IPv4 headers, in ARP, and in the packet that an ICMP error quotes. Checksums
 * are mended by what has changed (RFC 1624), so that those that cannot be
 * verified here, a fragment's, stay as right or wrong as they were.
 *
 * Included behind filter_walk.h.
 */
#ifndef FILTER_TRANSLATE_H
#define FILTER_TRANSLATE_H

#include "filter_walk.h"

/* A change as a one's complement sum: what is to be added to the sum. */
static __always_inline __u32 change_16(__u32 from, __u32 to)
{
	return (~from & 0xffff) + to;
}

static __always_inline __u32 change_32(__u32 from, __u32 to)
{
	return change_16(from >> 16, to >> 16) +
	       change_16(from & 0xffff, to & 0xffff);
}

/* Mend the checksum at @at of @protocol. Returns by how much that changes the sum
 * of what it is part of. In UDP (RFC 768) and UDP-Lite (RFC 3828) 0 is no sum. */
static __always_inline __u32 mend(struct filter_head *h, __u32 at,
				  __u32 change, __u32 protocol)
{
	__u32 old = head_16(h, at);
	__u32 sum = (~old & 0xffff) + change, new;

	if (protocol == PROTOCOL_UDP && !old)
		return 0;
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	new = ~sum & 0xffff;
	if ((protocol == PROTOCOL_UDP || protocol == PROTOCOL_UDPLITE) && !new)
		new = 0xffff;
	head_put_16(h, at, new);
	return change_16(old, new);
}

/* The address at @at; returns by how much that changes the sum. */
static __always_inline __u32 rename_at(struct filter_head *h, __u32 at,
				       filter_set set,
				       const struct filter_index *names,
				       int count)
{
	__u32 from = head_32(h, at);
	struct filter_rule *r = find_name(set, names, from);
	__u32 to;

	if (!r)
		return 0;
	to = r->to;
	head_put_32(h, at, to);
	if (count)
		count_frame(r, h->frame_bytes);
	return change_32(from, to);
}

/* Where a protocol keeps a checksum over the addresses; 0 if it has none. */
static __always_inline __u32 checksum_place(__u32 protocol)
{
	switch (protocol) {
	case PROTOCOL_TCP:
		return 16;
	case PROTOCOL_UDP:
	case PROTOCOL_UDPLITE:
	case PROTOCOL_DCCP:
		return 6;
	default:
		return 0;
	}
}

/* Types that quote the packet they are about, RFC 792: unreachable, source
 * quench, redirect (which names a gateway, too), time exceeded, parameter. */
enum { ICMP_REDIRECT = 5 };

static __always_inline int icmp_quotes(__u32 type)
{
	return type == 3 || type == 4 || type == ICMP_REDIRECT || type == 11 ||
	       type == 12;
}

/* The IPv4 packet at @at but for an ICMP error's contents; returns by how much
 * the sum of all of it changes. Its header's checksum makes up for its
 * addresses, and that of what it carries does not count itself. */
static __always_inline __u32 rename_packet(struct filter_head *h, __u32 at,
					   filter_set set,
					   const struct filter_index *names,
					   int count)
{
	__u32 protocol = head_8(h, at + 9);
	__u32 payload = at + (head_8(h, at) & 15) * 4;
	__u32 place = checksum_place(protocol);
	/* Who talks to itself is counted once. */
	int same = head_32(h, at + 12) == head_32(h, at + 16);
	__u32 change = rename_at(h, at + 12, set, names, count) +
		       rename_at(h, at + 16, set, names, count && !same);

	if (!change)
		return 0;
	mend(h, at + 10, change, PROTOCOL_NONE);
	if (!place || head_16(h, at + 6) & 0x1fff ||
	    payload + place + 2 > h->length)
		return 0;
	return mend(h, payload + place, change, protocol);
}

static __always_inline void rename_ipv4(struct filter_head *h, __u32 at,
					filter_set set,
					const struct filter_index *names)
{
	__u32 icmp = at + (head_8(h, at) & 15) * 4;
	__u32 change;

	rename_packet(h, at, set, names, 1);
	if (head_8(h, at + 9) != PROTOCOL_ICMP ||
	    head_16(h, at + 6) & 0x1fff || icmp + 8 > h->length ||
	    !icmp_quotes(head_8(h, icmp)) || !head_is_ipv4(h, icmp + 8))
		return;
	change = rename_packet(h, icmp + 8, set, names, 0);
	if (head_8(h, icmp) == ICMP_REDIRECT)
		change += rename_at(h, icmp + 4, set, names, 0);
	if (change)
		mend(h, icmp + 2, change, PROTOCOL_ICMP);
}

/*
 * Translate the addresses in @h by @names, and count it there. What is beyond
 * @h->length stays as it is.
 */
static __always_inline void filter_translate(struct filter_head *h,
					     filter_set set,
					     const struct filter_index *names)
{
	__u32 at = head_ethertype_at(h);
	__u32 type = head_16(h, at);

	at += 2;
	if (type == ETHERTYPE_IPV4 && head_is_ipv4(h, at)) {
		rename_ipv4(h, at, set, names);
	} else if (type == ETHERTYPE_ARP && head_is_arp(h, at)) {
		/* Who asks for its own address is counted once. */
		int same = head_32(h, at + 14) == head_32(h, at + 24);

		rename_at(h, at + 14, set, names, 1);
		rename_at(h, at + 24, set, names, !same);
	}
}

#endif
