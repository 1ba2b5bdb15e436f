/*
 * The beginning of a frame, and what it is made of: for BPF and for ourselves.
 * Nothing is read beyond what the frame has; every place is masked, so that
 * BPF's verifier can see it.
 */
#ifndef FILTER_HEAD_H
#define FILTER_HEAD_H

#include "filter_table.h"

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define FILTER_BE16(x) __builtin_bswap16(x)
#define FILTER_BE32(x) __builtin_bswap32(x)
#else
#define FILTER_BE16(x) (x)
#define FILTER_BE32(x) (x)
#endif

/* The frame begins 2 bytes in, so that IP headers are aligned. */
enum { HEAD_SHIFT = 2, HEAD_MASK = 255 };

struct filter_head {
	__u8 bytes[HEAD_MASK + 1 + 8] __attribute__((aligned(8)));
	__u32 length; /* of the frame that is in @bytes */
	__u32 frame_bytes;
	/* The tag that the kernel keeps beside the frame; FIELD_NO_VLAN. */
	__u32 vlan_beside;
	/* There is more to be seen, and it cannot be. */
	__u32 unseen;
	__u64 field[FIELD_COUNT];
};

static __always_inline __u32 head_8(const struct filter_head *h, __u32 at)
{
	return h->bytes[(at + HEAD_SHIFT) & HEAD_MASK];
}

/* @at must be even. */
static __always_inline __u32 head_16(const struct filter_head *h, __u32 at)
{
	__u16 be;

	__builtin_memcpy(&be,
			 __builtin_assume_aligned(
				 h->bytes + ((at + HEAD_SHIFT) & (HEAD_MASK - 1)), 2),
			 sizeof(be));
	return FILTER_BE16(be);
}

static __always_inline void head_put_16(struct filter_head *h, __u32 at,
					__u32 value)
{
	__u16 be = FILTER_BE16((__u16)value);

	__builtin_memcpy(__builtin_assume_aligned(
				 h->bytes + ((at + HEAD_SHIFT) & (HEAD_MASK - 1)), 2),
			 &be, sizeof(be));
}

static __always_inline __u32 head_32(const struct filter_head *h, __u32 at)
{
	return head_16(h, at) << 16 | head_16(h, at + 2);
}

/* @at must be 2 more than a multiple of 4. */
static __always_inline __u32 head_aligned_32(const struct filter_head *h,
					     __u32 at)
{
	__u32 be;

	__builtin_memcpy(&be,
			 __builtin_assume_aligned(
				 h->bytes + ((at + HEAD_SHIFT) & (HEAD_MASK - 3)), 4),
			 sizeof(be));
	return FILTER_BE32(be);
}

static __always_inline void head_put_32(struct filter_head *h, __u32 at,
					__u32 value)
{
	head_put_16(h, at, value >> 16);
	head_put_16(h, at + 2, value & 0xffff);
}

static __always_inline __u64 head_48(const struct filter_head *h, __u32 at)
{
	return (__u64)head_16(h, at) << 32 | head_aligned_32(h, at + 2);
}

static __always_inline __u64 head_aligned_48(const struct filter_head *h,
					     __u32 at)
{
	return (__u64)head_aligned_32(h, at) << 16 | head_16(h, at + 4);
}

enum {
	ETHERNET_BYTES = 14,
	ETHERTYPE_AT = 12,
	ETHERTYPE_IPV4 = 0x0800,
	ETHERTYPE_ARP = 0x0806,
	ETHERTYPE_VLAN = 0x8100,
	ETHERTYPE_IPV6 = 0x86dd,
	ETHERTYPE_QINQ = 0x88a8,
	PROTOCOL_NONE = 255, /* reserved: IANA */
	PROTOCOL_ICMP = 1,
	PROTOCOL_TCP = 6,
	PROTOCOL_UDP = 17,
	PROTOCOL_DCCP = 33,
	PROTOCOL_ICMPV6 = 58,
	PROTOCOL_SCTP = 132,
	PROTOCOL_UDPLITE = 136,
	ARP_BYTES = 28, /* IPv4 over Ethernet, RFC 826 */
	IPV4_BYTES = 20,
	IPV6_BYTES = 40,
	IPV6_FRAGMENT = 44,
	IPV6_AUTHENTICATION = 51,
	IPV6_HEADERS = 6, /* that are walked over */
	TAGS = 8,	  /* the same */
};

static __always_inline int is_tag(__u32 type)
{
	return type == ETHERTYPE_VLAN || type == ETHERTYPE_QINQ;
}

/* Where the EtherType behind the tags is; at another tag, if they are more than
 * are looked at. Receivers take any number of tags of VLAN 0 off. */
static __always_inline __u32 head_ethertype_at(const struct filter_head *h)
{
	__u32 at = ETHERTYPE_AT;

	for (int tags = 0; tags < TAGS; tags++) {
		if (!is_tag(head_16(h, at)) || at + 6 > h->length)
			break;
		at += 4;
	}
	return at;
}

static __always_inline int head_is_arp(const struct filter_head *h, __u32 at)
{
	__u32 hardware = head_16(h, at);

	/* Ethernet, and IEEE 802, which Linux takes for the same. */
	return at + ARP_BYTES <= h->length &&
	       (hardware == 1 || hardware == 6) &&
	       head_16(h, at + 2) == ETHERTYPE_IPV4 &&
	       head_16(h, at + 4) == 0x0604;
}

static __always_inline int head_is_ipv4(const struct filter_head *h, __u32 at)
{
	__u32 first = head_8(h, at);

	return at + IPV4_BYTES <= h->length && first >> 4 == 4 &&
	       (first & 15) >= 5;
}

static __always_inline void fields_of_arp(struct filter_head *h, __u32 at)
{
	h->field[FIELD_ARP] = head_16(h, at + 6);
	h->field[FIELD_ARP_SENDER_MAC] = head_aligned_48(h, at + 8);
	h->field[FIELD_ARP_SENDER] = head_32(h, at + 14);
	h->field[FIELD_ARP_TARGET_MAC] = head_48(h, at + 18);
	h->field[FIELD_ARP_TARGET] = head_aligned_32(h, at + 24);
}

/* What is behind IP: ports, flags, types. */
static __always_inline void fields_of_payload(struct filter_head *h, __u32 at,
					      __u32 protocol)
{
	if (at + 4 > h->length)
		return;
	switch (protocol) {
	case PROTOCOL_TCP:
		if (at + 14 <= h->length)
			h->field[FIELD_TCP_FLAGS] = head_8(h, at + 13);
		/* fall through */
	case PROTOCOL_UDP:
	case PROTOCOL_SCTP:
	case PROTOCOL_UDPLITE:
	case PROTOCOL_DCCP:
		h->field[FIELD_SRC_PORT] = head_16(h, at);
		h->field[FIELD_DST_PORT] = head_16(h, at + 2);
		break;
	}
}

/*
 * Flags that are hidden in a fragment behind the first: RFC 1858, RFC 3128.
 * @offset is in bytes; @payload is where TCP begins in the first.
 */
static __always_inline int hides_flags(const struct filter_head *h,
				       __u32 protocol, __u32 offset,
				       __u32 payload, int more)
{
	return protocol == PROTOCOL_TCP &&
	       (offset ? offset == 8 : more && payload + 14 > h->length);
}

static __always_inline void fields_of_ipv4(struct filter_head *h, __u32 at)
{
	__u32 header = (head_8(h, at) & 15) * 4;
	__u32 protocol = head_8(h, at + 9);
	__u32 fragment = head_16(h, at + 6);

	h->field[FIELD_PROTOCOL] = protocol;
	h->field[FIELD_SRC4] = head_aligned_32(h, at + 12);
	h->field[FIELD_DST4] = head_aligned_32(h, at + 16);
	h->unseen = (__u32)hides_flags(h, protocol, (fragment & 0x1fff) * 8,
				       at + header, fragment & 0x2000);
	if (fragment & 0x1fff)
		return;
	fields_of_payload(h, at + header, protocol);
	if (protocol == PROTOCOL_ICMP && at + header < h->length)
		h->field[FIELD_ICMP_TYPE] = head_8(h, at + header);
}

/* RFC 8200, section 4: hop-by-hop, routing, fragment, destination options; RFC
 * 4302: authentication. All are multiples of 4 bytes long. */
static __always_inline int is_extension(__u32 protocol)
{
	return protocol == 0 || protocol == 43 || protocol == IPV6_FRAGMENT ||
	       protocol == IPV6_AUTHENTICATION || protocol == 60;
}

static __always_inline __u32 bytes_looked_at(__u32 protocol)
{
	switch (protocol) {
	case PROTOCOL_TCP:
		return 14;
	case PROTOCOL_UDP:
	case PROTOCOL_SCTP:
	case PROTOCOL_UDPLITE:
	case PROTOCOL_DCCP:
		return 4;
	default:
		return 1;
	}
}

static __always_inline void fields_of_ipv6(struct filter_head *h, __u32 at)
{
	__u32 protocol = head_8(h, at + 6);
	__u32 behind = at + IPV6_BYTES;
	__u32 fragment = 0, more = 0;

	h->field[FIELD_SRC6] = head_aligned_48(h, at + 8);
	h->field[FIELD_SRC6_MIDDLE] = head_48(h, at + 14);
	h->field[FIELD_SRC6_END] = head_aligned_32(h, at + 20);
	h->field[FIELD_DST6] = head_aligned_48(h, at + 24);
	h->field[FIELD_DST6_MIDDLE] = head_48(h, at + 30);
	h->field[FIELD_DST6_END] = head_aligned_32(h, at + 36);
	h->field[FIELD_PROTOCOL] = protocol;
	for (int i = 0;; i++) {
		__u32 bytes = 8;

		if (!is_extension(protocol))
			break;
		if (i == IPV6_HEADERS || behind + 8 > h->length) {
			h->unseen = i == IPV6_HEADERS ||
				    h->length < h->frame_bytes;
			return;
		}
		if (protocol == IPV6_FRAGMENT) {
			fragment = head_16(h, behind + 2);
			more |= fragment & 1;
		} else if (protocol == IPV6_AUTHENTICATION) {
			bytes = (head_8(h, behind + 1) + 2) * 4;
		} else {
			bytes = (head_8(h, behind + 1) + 1) * 8;
		}
		protocol = head_8(h, behind);
		behind += bytes;
		h->field[FIELD_PROTOCOL] = protocol;
		if (fragment & 0xfff8)
			break;
	}
	h->unseen = (__u32)hides_flags(h, protocol, fragment & 0xfff8, behind,
				       more != 0);
	if (fragment & 0xfff8)
		return;
	/* What the frame does not have is not hidden. */
	h->unseen |= behind + bytes_looked_at(protocol) > h->length &&
		     h->length < h->frame_bytes;
	fields_of_payload(h, behind, protocol);
	if (protocol == PROTOCOL_ICMPV6 && behind < h->length)
		h->field[FIELD_ICMPV6_TYPE] = head_8(h, behind);
}

/* Fill in the fields of the frame in @h; those of what Ethernet carries only if
 * somebody looks @further than that. */
static __always_inline void head_fields(struct filter_head *h, int further)
{
	__u32 at = head_ethertype_at(h);
	__u32 type = head_16(h, at);

	h->field[FIELD_DST_MAC] = head_48(h, 0);
	h->field[FIELD_SRC_MAC] = head_aligned_48(h, 6);
	h->field[FIELD_ETHERTYPE] = type;
	h->field[FIELD_VLAN] = h->vlan_beside;
	if (h->vlan_beside == FIELD_NO_VLAN && at > ETHERTYPE_AT)
		h->field[FIELD_VLAN] = head_16(h, ETHERTYPE_AT + 2) & 0xfff;
	h->unseen = is_tag(type) && at + 6 <= h->length;
	if (!further)
		return;
	h->field[FIELD_ARP] = FIELD_NO_ARP;
	h->field[FIELD_ARP_SENDER] = FIELD_NO_IPV4;
	h->field[FIELD_ARP_TARGET] = FIELD_NO_IPV4;
	h->field[FIELD_ARP_SENDER_MAC] = FIELD_NO_MAC;
	h->field[FIELD_ARP_TARGET_MAC] = FIELD_NO_MAC;
	h->field[FIELD_SRC4] = FIELD_NO_IPV4;
	h->field[FIELD_DST4] = FIELD_NO_IPV4;
	h->field[FIELD_SRC6] = FIELD_NO_IPV6;
	h->field[FIELD_DST6] = FIELD_NO_IPV6;
	h->field[FIELD_SRC6_MIDDLE] = h->field[FIELD_SRC6_END] = 0;
	h->field[FIELD_DST6_MIDDLE] = h->field[FIELD_DST6_END] = 0;
	h->field[FIELD_PROTOCOL] = FIELD_NO_BYTE;
	h->field[FIELD_SRC_PORT] = FIELD_NO_PORT;
	h->field[FIELD_DST_PORT] = FIELD_NO_PORT;
	h->field[FIELD_TCP_FLAGS] = FIELD_NO_BYTE;
	h->field[FIELD_ICMP_TYPE] = FIELD_NO_BYTE;
	h->field[FIELD_ICMPV6_TYPE] = FIELD_NO_BYTE;
	at += 2;
	if (type == ETHERTYPE_IPV4 && head_is_ipv4(h, at))
		fields_of_ipv4(h, at);
	else if (type == ETHERTYPE_ARP && head_is_arp(h, at))
		fields_of_arp(h, at);
	else if (type == ETHERTYPE_IPV6 && at + IPV6_BYTES <= h->length &&
		 head_8(h, at) >> 4 == 6)
		fields_of_ipv6(h, at);
}

#endif
