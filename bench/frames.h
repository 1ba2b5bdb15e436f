/* The frames of one sending port, one after the other. */
#ifndef BENCH_FRAMES_H
#define BENCH_FRAMES_H

#include <stdint.h>

#include "load.h"

struct pattern;
struct plan;
struct plan_sender;
struct ports;

/* What all of them are made from. */
struct frames {
	const struct load *load;
	const struct plan *plan;
	const struct ports *ports;
};

/* Whether the @n-th frame of a port, from 0, is one for an idle port. */
static inline bool frames_is_idle(const struct load *load, uint64_t n)
{
	return load->idle_every && n % load->idle_every == load->idle_every - 1;
}

/*
 * Write the @n-th frame of @sender to @bytes, which has room for the longest.
 * Returns its length.
 */
size_t frames_write(const struct frames *f, const struct plan_sender *sender,
		    uint64_t n, uint64_t due_ns, uint64_t offered_ns,
		    uint8_t *bytes);

#endif
