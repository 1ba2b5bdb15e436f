/*
 * What is inside a bench frame, and the receiver's book-keeping over it.
 *
 *   0        6        12     14       22       30
 *   | dst    | src    | type | seq    | stamp  | words ... to the end
 *
 * Every word after the stamp follows from sequence number, stamp and its own
 * position, so the receiver checks each byte of each frame: a lost tail, a
 * frame torn from two others or a flipped bit is seen, which a sum over
 * constant filling would miss. It costs both sides some 0.1 us at 1500 bytes.
 */
#ifndef BENCH_PATTERN_H
#define BENCH_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	FRAME_MIN_BYTES = 60,
	FRAME_MAX_BYTES = 65535,
	/* IEEE 802: local experimental EtherTypes. */
	TYPE_TRAFFIC = 0x88b5,
	TYPE_ANNOUNCE = 0x88b6,
};

/* Bound on sequence numbers: the map of those seen takes 8 MiB. */
#define PATTERN_MAX_FRAMES (1ULL << 26)

extern const uint8_t mac_broadcast[6];

void pattern_write_header(uint8_t *frame, const uint8_t dst[6],
			  const uint8_t src[6], uint16_t type);
/* Fill everything behind the header. @len is at least FRAME_MIN_BYTES. */
void pattern_write_payload(uint8_t *frame, size_t len, uint64_t seq,
			   uint64_t stamp_ns);
bool pattern_is_from(const uint8_t *frame, size_t len, const uint8_t src[6],
		     uint16_t type);

/* What arrived. "delivered" counts each sequence number once. */
struct tally {
	uint64_t delivered;
	uint64_t duplicated;
	uint64_t reordered;	/* arrived after one that was sent later */
	uint64_t corrupt;	/* ours, but a byte or the length is wrong */
	uint64_t foreign;	/* not ours: some other port talks */
	uint64_t next_seq;	/* highest seen, plus one */
	uint8_t *seen;		/* a bit per sequence number */
};

/* Returns 0 or -ENOMEM. */
int tally_init(struct tally *t);
void tally_fini(struct tally *t);

/*
 * Enter a frame of @len bytes where @expected_len were sent. Returns true
 * and sets @stamp_ns when it is a good one seen for the first time.
 */
bool tally_enter(struct tally *t, const uint8_t *frame, size_t len,
		 size_t expected_len, uint64_t *stamp_ns);

#endif
