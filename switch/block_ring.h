/*
 * Blocks of bytes that wait to be sent, in a ring: each lies in one piece, so
 * that it can be written where it is. Nothing is ever moved.
 */
#ifndef BLOCK_RING_H
#define BLOCK_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct block_ring {
	uint8_t *bytes; /* @size of them, the owner's */
	size_t size;
	/* What waits: [start, end); or if end has gone round, [start, wrap)
	 * and [0, end). */
	size_t start, end, wrap;
	bool wrapped;
};

/* Room for a block of @bytes, or NULL. It counts when block_ring_put() says how
 * much of it has been used. */
uint8_t *block_ring_room(struct block_ring *r, size_t bytes);
void block_ring_put(struct block_ring *r, size_t bytes);

/* All that waits. */
size_t block_ring_pending(const struct block_ring *r);

/* What waits in one piece from the front, @bytes at the place returned; and that
 * so much of it has been sent. */
const uint8_t *block_ring_front(const struct block_ring *r, size_t *bytes);
void block_ring_sent(struct block_ring *r, size_t bytes);

#endif
