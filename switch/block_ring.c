#include "block_ring.h"

uint8_t *block_ring_room(struct block_ring *r, size_t bytes)
{
	if (!r->wrapped && r->size - r->end < bytes && r->start >= bytes) {
		r->wrap = r->end;
		r->end = 0;
		r->wrapped = true;
	}
	return (r->wrapped ? r->start : r->size) - r->end < bytes
		       ? NULL
		       : r->bytes + r->end;
}

void block_ring_put(struct block_ring *r, size_t bytes)
{
	r->end += bytes;
}

size_t block_ring_pending(const struct block_ring *r)
{
	return r->wrapped ? r->wrap - r->start + r->end : r->end - r->start;
}

const uint8_t *block_ring_front(const struct block_ring *r, size_t *bytes)
{
	*bytes = (r->wrapped ? r->wrap : r->end) - r->start;
	return r->bytes + r->start;
}

void block_ring_sent(struct block_ring *r, size_t bytes)
{
	r->start += bytes;
	if (r->wrapped && r->start == r->wrap) {
		r->start = 0;
		r->wrapped = false;
	}
	if (!r->wrapped && r->start == r->end)
		r->start = r->end = 0;
}
