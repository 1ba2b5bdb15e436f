/*
 * Frames and the buffers they lie in.
 *
 * A pool is the receive credit of one port: a fixed number of buffers of one
 * size, offered to the kernel through a provided-buffer ring. The kernel fills
 * one, the port turns it into a frame (pool_take), the frame collects a
 * reference from every queue it waits in, and the last unref puts the buffer
 * back into the ring. Nothing is copied and nothing is allocated on the way.
 *
 * A pool may outlive its port: frames of a guest that has gone can still wait
 * for others. pool_close() takes it out of use, the last frame frees it.
 *
 * One thread; no function here makes a system call but pool_new, pool_trim
 * and the final release.
 */
#ifndef FRAME_H
#define FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct io_uring_buf_ring;
struct pool;

struct frame {
	struct pool *pool;
	uint8_t *data;
	uint32_t len;	/* bytes, from the destination address, without FCS */
	uint32_t refs;
	uint16_t buffer; /* index in the pool */
	bool flooded;	 /* goes to more ports than asked for it */
	/* When it was read, in units of 16 ns, if it is one of those whose way
	 * through the switch is timed (latency.h); 0: it is not. */
	uint32_t stamp;
};

#define POOL_NOBODYS UINT16_MAX

struct pool {
	/* The buffers that are free: in the kernel's hands, or (free not NULL)
	 * in ours, as a stack. */
	struct io_uring_buf_ring *ring; /* page-aligned, to be registered */
	uint16_t *free;
	struct frame *frames;		/* one per buffer */
	uint8_t *data;
	size_t map_bytes;
	uint32_t slot_bytes;
	uint16_t owner; /* the port that has read its frames; or POOL_NOBODYS */
	uint16_t count; /* a power of two */
	uint16_t available; /* free buffers */
	bool warm;	/* has taken a frame since the last trim */
	bool starved;	/* its port is not read, for want of buffers */
	bool closed;
};

/*
 * A pool of @count buffers (a power of two, at most 32768) of @slot_bytes,
 * nobody's so far. Returns NULL and sets errno if there is no memory.
 */
struct pool *pool_new(uint16_t count, uint32_t slot_bytes);

/* The same without the kernel: buffers that we fill ourselves. */
struct pool *pool_new_own(uint16_t count, uint32_t slot_bytes);

/* One of these as an empty frame with one reference, the caller's; NULL if
 * there is none left. */
struct frame *pool_get(struct pool *pool);

/*
 * The kernel has filled buffer @buffer with @len bytes: returns it as a frame
 * with one reference, the caller's. NULL if the kernel cannot have meant a
 * buffer that we had offered.
 */
struct frame *pool_take(struct pool *pool, uint16_t buffer, uint32_t len);

/*
 * Give the memory behind a pool without frames back to the kernel; it comes
 * again as it is used. Does nothing for a pool that is in use or cold.
 */
void pool_trim(struct pool *pool);

/*
 * The kernel no longer uses the ring: free the pool with its last frame, or
 * now if there is none. The pool must not be touched by the caller any more.
 * NULL is accepted.
 */
void pool_close(struct pool *pool);

static inline void frame_ref(struct frame *f)
{
	f->refs++;
}

/* Give back one reference. */
void frame_unref(struct frame *f);

#endif
