/*
 * Frames for tests, put together from the outside to the inside:
 *
 *     make_ethernet(&m, dst, src);
 *     make_tag(&m, 0x8100, 5);
 *     make_16(&m, 0x0800);
 *     ip = make_ipv4(&m, &(struct make_ipv4){ .src = ..., .protocol = 17 });
 *     udp = make_udp(&m, 53, 1024);
 *     make_pattern(&m, 31);
 *     make_end_udp(&m, ip, udp);
 *     make_end_ipv4(&m, ip);
 *
 * Headers are begun with lengths and checksums of 0; what is ended last is the
 * outermost. Checksums are added up over all that they are about, as a sender
 * does, and in no cleverer way. What does not fit is our bug.
 */
#ifndef MAKE_FRAME_H
#define MAKE_FRAME_H

#include <stdint.h>

enum { MAKE_BYTES = 2048 };

struct make_frame {
	uint8_t bytes[MAKE_BYTES];
	uint32_t length;
};

/* Append: numbers in network order, @count bytes of @value, a pattern. */
void make_8(struct make_frame *m, unsigned value);
void make_16(struct make_frame *m, unsigned value);
void make_32(struct make_frame *m, uint32_t value);
void make_48(struct make_frame *m, uint64_t value);
void make_fill(struct make_frame *m, uint32_t count, unsigned value);
void make_pattern(struct make_frame *m, uint32_t count);

/* Write over what is there. */
void make_put_16(struct make_frame *m, uint32_t at, unsigned value);
unsigned make_get_16(const struct make_frame *m, uint32_t at);

/* All of these return where what they append begins. */
uint32_t make_ethernet(struct make_frame *m, uint64_t dst, uint64_t src);
uint32_t make_tag(struct make_frame *m, unsigned type, unsigned tci);

struct make_arp {
	unsigned operation;
	uint64_t sender_mac, target_mac;
	uint32_t sender, target;
};

uint32_t make_arp(struct make_frame *m, const struct make_arp *arp);

struct make_ipv4 {
	uint32_t src, dst;
	unsigned protocol;
	unsigned options;  /* in bytes, a multiple of 4 */
	unsigned fragment; /* flags and offset, as in the header */
};

uint32_t make_ipv4(struct make_frame *m, const struct make_ipv4 *ip);
uint32_t make_tcp(struct make_frame *m, unsigned src, unsigned dst,
		  unsigned flags);
uint32_t make_udp(struct make_frame *m, unsigned src, unsigned dst);
uint32_t make_udplite(struct make_frame *m, unsigned src, unsigned dst,
		      unsigned coverage);
uint32_t make_dccp(struct make_frame *m, unsigned src, unsigned dst);
/* @rest: the 4 bytes behind the checksum. */
uint32_t make_icmp(struct make_frame *m, unsigned type, unsigned code,
		   uint32_t rest);

/* What began at @at ends here; the IPv4 packet that it is in began at @ip. */
void make_end_tcp(struct make_frame *m, uint32_t ip, uint32_t at);
void make_end_udp(struct make_frame *m, uint32_t ip, uint32_t at);
void make_end_udplite(struct make_frame *m, uint32_t ip, uint32_t at);
void make_end_dccp(struct make_frame *m, uint32_t ip, uint32_t at);
void make_end_icmp(struct make_frame *m, uint32_t at);
void make_end_ipv4(struct make_frame *m, uint32_t ip);

/* The one's complement sum of what is from @from up to @to, of bytes in network
 * order, an odd one padded; @sum is added. Right checksums make it 0xffff. */
uint32_t make_sum(const struct make_frame *m, uint32_t from, uint32_t to,
		  uint32_t sum);

#endif
