/*
 * Ethernet as the switch sees it: two addresses at the front, nothing else.
 * Layout: IEEE 802.3, 3.1.1; tags: IEEE 802.1Q, 9.3.
 */
#ifndef ETHER_H
#define ETHER_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum {
	ETHER_ADDR_BYTES = 6,
	ETHER_HEADER_BYTES = 14,
	ETHER_TAG_BYTES = 4,
};

#define ETHER_BROADCAST UINT64_C(0xffffffffffff)

/* An address is kept in the low 48 bits of an integer, first byte lowest. */
static inline uint64_t ether_addr(const uint8_t *at)
{
	uint32_t low;
	uint16_t high;

	memcpy(&low, at, sizeof(low));
	memcpy(&high, at + sizeof(low), sizeof(high));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	low = __builtin_bswap32(low);
	high = __builtin_bswap16(high);
#endif
	return (uint64_t)high << 32 | low;
}

static inline uint64_t ether_dst(const uint8_t *frame)
{
	return ether_addr(frame);
}

static inline uint64_t ether_src(const uint8_t *frame)
{
	return ether_addr(frame + ETHER_ADDR_BYTES);
}

/* Broadcast and multicast: the first bit on the wire. */
static inline bool ether_is_group(uint64_t addr)
{
	return addr & 1;
}

/* Whether a frame of at least 14 bytes carries an 802.1Q or 802.1ad tag. */
static inline bool ether_is_tagged(const uint8_t *frame)
{
	uint16_t type = (uint16_t)(frame[12] << 8 | frame[13]);

	return type == 0x8100 || type == 0x88a8;
}

#endif
