/*
 * All receivers of a measurement, in one process: whoever has something is read,
 * many frames a system call, and every byte checked.
 */
#ifndef BENCH_RECEIVER_H
#define BENCH_RECEIVER_H

#include <stdint.h>

#include "histogram.h"
#include "track.h"

struct plan;
struct shared;
struct traffic;

struct receiver {
	struct tracker tracker;
	uint64_t corrupt;		/* ours, but a byte or the length is wrong */
	uint64_t foreign;		/* somebody else's */
	uint64_t stray;			/* ours, at a port that it was not for */
	uint64_t idle_delivered;
	uint64_t bytes;			/* of what was delivered */
	uint64_t overruns;		/* our own socket had no room for them */
	uint64_t last_ns;		/* when the last good frame came */
	struct histogram latency;	/* since it was due */
	struct histogram transit;	/* since it was first offered */
};

/* Returns 0 or -ENOMEM. receiver_fini() takes one that is all zero as well. */
int receiver_init(struct receiver *r, const struct plan *plan);
void receiver_fini(struct receiver *r);

/*
 * Read from all busy ports until @sender_fd is at its end (the sender has gone)
 * and nothing has come for a while. Returns 0 or -errno: -EINTR if interrupted.
 */
int receiver_run(struct receiver *r, const struct traffic *traffic,
		 struct shared *shared, int sender_fd);

#endif
