/*
 * The guest that listens: frame after frame, blocking, every byte checked.
 */
#ifndef BENCH_RECEIVER_H
#define BENCH_RECEIVER_H

#include <stdint.h>

#include "pattern.h"

struct peer;

struct receiver {
	struct tally tally;
	uint64_t last_ns;		/* when the last good frame came */
	uint64_t *latency_ns;		/* sample per good frame, or NULL */
	uint64_t latency_room;		/* how many samples it can hold */
};

/*
 * Read frames of @frame_bytes from @port until @sender_fd is readable (the
 * sender has ended) and nothing has come for a while. Returns 0 or -errno.
 */
int receiver_run(struct receiver *r, const struct peer *port,
		 size_t frame_bytes, int sender_fd);

#endif
