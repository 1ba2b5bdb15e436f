/*
 * What is inside a bench frame.
 *
 *   0     6     12    14     18    26     34        42
 *   | dst | src | type | flow | seq | due | offered | words ... to the end
 *
 * The words follow from a 64-bit sum over all that is in front of them and the
 * frame's length, and from their own position. So the receiver compares every
 * byte with what it has to be: a flipped bit anywhere, a lost tail, or a frame
 * torn from two others is seen, which a sum over constant filling would not
 * show. At 1500 bytes it costs each side about 0.1 us, less than a CRC32C with
 * the processor's own instruction (three cycles for eight bytes, one after the
 * other), since no word waits for the one before it.
 */
#ifndef BENCH_PATTERN_H
#define BENCH_PATTERN_H

#include <stddef.h>
#include <stdint.h>

enum {
	MAC_BYTES = 6,
	FRAME_MIN_BYTES = 60,
	FRAME_MAX_BYTES = 65535,
	/* IEEE 802: local experimental EtherTypes. */
	TYPE_TRAFFIC = 0x88b5,
	TYPE_ANNOUNCE = 0x88b6,
};

/* Added to the flow of an answer (roundtrip.h). */
#define PATTERN_ANSWER 0x80000000U

/* First bytes of our addresses: those of ports, and invented sources. */
enum { MAC_LOCAL = 0x02, MAC_PORT = 0x62, MAC_SOURCE = 0x66, MAC_NOBODY = 0x6e };

struct pattern {
	uint32_t flow;
	uint64_t seq;		/* of the flow, from 0 */
	uint64_t due_ns;	/* when it should be sent; 0: not timed */
	uint64_t offered_ns;	/* when it was first offered to the kernel */
};

enum pattern_verdict {
	PATTERN_GOOD,
	PATTERN_ANNOUNCE,	/* ours, but not part of the traffic */
	PATTERN_FOREIGN,	/* somebody else's */
	PATTERN_CORRUPT,	/* ours, but a byte or the length is wrong */
};

extern const uint8_t mac_broadcast[MAC_BYTES];

/* An address of ours: 02:@group:@number. */
void pattern_mac(uint8_t mac[MAC_BYTES], uint8_t group, uint32_t number);

/* Fill all of a frame of @len bytes, FRAME_MIN_BYTES or more. */
void pattern_write(uint8_t *frame, size_t len, const uint8_t dst[MAC_BYTES],
		   const uint8_t src[MAC_BYTES], uint16_t type,
		   const struct pattern *p);

/* Look at every byte of a frame; @p is set for a good one only. */
enum pattern_verdict pattern_read(const uint8_t *frame, size_t len,
				  struct pattern *p);

#endif
