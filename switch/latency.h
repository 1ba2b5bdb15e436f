/*
 * How long frames take through the switch: from the round in which one is read
 * to the moment in which the kernel has taken it for its receiver. One frame in
 * LATENCY_EVERY of a sender is timed; frame->stamp says which.
 */
#ifndef LATENCY_H
#define LATENCY_H

#include <stdint.h>

enum {
	LATENCY_EVERY = 64, /* a power of two */
	LATENCY_SHIFT = 10,
	LATENCY_BUCKETS = 20,
	LATENCY_STAMP_SHIFT = 4, /* of nanoseconds in a stamp */
};

/* Frames that took more than the bucket before, up to 1 << (i +
 * LATENCY_SHIFT) ns, are in bucket i; all longer ones in the last. */
struct latency {
	uint64_t samples, sum_ns;
	uint64_t bucket[LATENCY_BUCKETS];
};

/* The stamp of a frame that has been read at @ns: never 0. */
static inline uint32_t latency_stamp(uint64_t ns)
{
	return (uint32_t)(ns >> LATENCY_STAMP_SHIFT) | 1;
}

/* The upper bound of bucket @i in ns, inclusive; 0 if it has none. */
static inline uint64_t latency_bound(unsigned i)
{
	return i + 1 < LATENCY_BUCKETS ? (uint64_t)1 << (i + LATENCY_SHIFT) : 0;
}

/* A frame stamped @stamp has gone out at @now_ns. Makes *@l, the caller's to
 * free; without memory nothing is noted. */
void latency_note(struct latency **l, uint32_t stamp, uint64_t now_ns);

/* Add @more, NULL for none, to @to. */
void latency_add(struct latency *to, const struct latency *more);

#endif
