#include "frame.h"

#include <assert.h>
#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* One mapping: the ring (the kernel wants it page-aligned), the frames, and
 * from the next page on the buffers. */
static size_t page_up(size_t bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (bytes + page - 1) / page * page;
}

static void offer(struct pool *pool, uint16_t buffer)
{
	if (pool->free) {
		pool->free[pool->available++] = buffer;
		return;
	}
	io_uring_buf_ring_add(pool->ring,
			      pool->data + (size_t)buffer * pool->slot_bytes,
			      pool->slot_bytes, buffer,
			      io_uring_buf_ring_mask(pool->count), 0);
	io_uring_buf_ring_advance(pool->ring, 1);
	pool->available++;
}

static struct pool *make(uint16_t count, uint32_t slot_bytes, bool own)
{
	size_t ring_bytes = page_up(count * sizeof(struct io_uring_buf));
	size_t frame_bytes = page_up(count * sizeof(struct frame));
	struct pool *pool = calloc(1, sizeof(*pool));
	uint8_t *map;

	if (!pool)
		return NULL;
	pool->map_bytes = ring_bytes + frame_bytes + (size_t)count * slot_bytes;
	map = mmap(NULL, pool->map_bytes, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (map == MAP_FAILED) {
		free(pool);
		return NULL;
	}
	pool->ring = (void *)map;
	pool->free = own ? (void *)map : NULL;
	pool->frames = (void *)(map + ring_bytes);
	pool->data = map + ring_bytes + frame_bytes;
	pool->slot_bytes = slot_bytes;
	pool->owner = POOL_NOBODYS;
	pool->count = count;
	if (!own)
		io_uring_buf_ring_init(pool->ring);
	for (uint16_t i = 0; i < count; i++)
		offer(pool, i);
	return pool;
}

struct pool *pool_new(uint16_t count, uint32_t slot_bytes)
{
	return make(count, slot_bytes, false);
}

struct pool *pool_new_own(uint16_t count, uint32_t slot_bytes)
{
	return make(count, slot_bytes, true);
}

struct frame *pool_take(struct pool *pool, uint16_t buffer, uint32_t len)
{
	struct frame *f;

	if (buffer >= pool->count || pool->frames[buffer].refs)
		return NULL;
	f = &pool->frames[buffer];
	f->pool = pool;
	f->data = pool->data + (size_t)buffer * pool->slot_bytes;
	f->len = len;
	f->refs = 1;
	f->buffer = buffer;
	f->flooded = false;
	f->stamp = 0;
	pool->available--;
	pool->warm = true;
	return f;
}

struct frame *pool_get(struct pool *pool)
{
	if (!pool->available)
		return NULL;
	return pool_take(pool, pool->free[pool->available - 1], 0);
}

static void release(struct pool *pool)
{
	munmap(pool->ring, pool->map_bytes);
	free(pool);
}

void pool_trim(struct pool *pool)
{
	if (!pool->warm || pool->available != pool->count)
		return;
	madvise(pool->data, (size_t)pool->count * pool->slot_bytes,
		MADV_DONTNEED);
	pool->warm = false;
}

void pool_close(struct pool *pool)
{
	if (!pool)
		return;
	pool->closed = true;
	if (pool->available == pool->count)
		release(pool);
}

void frame_unref(struct frame *f)
{
	struct pool *pool = f->pool;

	assert(f->refs > 0);
	if (--f->refs)
		return;
	if (!pool->closed)
		offer(pool, f->buffer);
	else if (++pool->available == pool->count)
		release(pool);
}
