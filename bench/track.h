/*
 * The receiver's book-keeping over sequence numbers: for each flow, which ones
 * have come. A flow remembers a window of numbers behind the highest that it has
 * seen; with few flows that is a million of them, with many a thousand. A frame
 * from before its flow's window is too late to be told from a duplicate, and is
 * counted as neither but as stale.
 */
#ifndef BENCH_TRACK_H
#define BENCH_TRACK_H

#include <stddef.h>
#include <stdint.h>

enum {
	TRACK_WINDOW_MIN = 1 << 10,
	TRACK_WINDOW_MAX = 1 << 20,
};

struct track {
	uint64_t next_seq;	/* highest seen, plus one */
	uint64_t delivered;	/* each number once */
};

struct tracker {
	uint64_t delivered, duplicated, stale;
	uint64_t reordered;	/* came after one that was sent later */
	size_t count;		/* of flows */
	uint64_t window;	/* numbers: a power of two */
	struct track *track;
	uint64_t *bits;		/* window bits a flow, by number modulo window */
};

/* Returns 0 or -ENOMEM. tracker_fini() takes one that is all zero as well. */
int tracker_init(struct tracker *t, size_t flows);
void tracker_fini(struct tracker *t);

/* Number @seq of flow @flow, less than count, has come. */
void tracker_enter(struct tracker *t, size_t flow, uint64_t seq);

#endif
