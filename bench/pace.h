/*
 * When frames are due.
 *
 *   PACE_FULL   always: as fast as it goes.
 *   PACE_RATE   by a schedule that is fixed when it begins: the k-th frame, from
 *               0, at start + k / rate, whatever has become of those before it.
 *               In bursts of n: frames k to k + n - 1 at once, at the same rate.
 *   PACE_PAUSE  a pause after the ones before were sent: lone frames.
 *
 * Under PACE_RATE a time is taken from the schedule. A sender that is kept from
 * sending would otherwise not ask just when the answers are bad, and leave the
 * worst out of its percentiles ("coordinated omission").
 */
#ifndef BENCH_PACE_H
#define BENCH_PACE_H

#include <stdint.h>

enum pace_kind { PACE_FULL, PACE_RATE, PACE_PAUSE };

struct pace {
	enum pace_kind kind;
	double interval_ns;		/* PACE_RATE: between frames */
	uint64_t burst;			/* frames at once */
	uint64_t pause_ns, jitter_ns;	/* PACE_PAUSE */
	uint64_t start_ns;
	uint64_t next_ns, allowed;	/* PACE_PAUSE */
	uint64_t random;
};

/* @frames_per_s 0: none; then @pause_ns decides. @burst is at least 1. */
void pace_init(struct pace *p, double frames_per_s, uint64_t burst,
	       uint64_t pause_ns, uint64_t jitter_ns);
/* Begin at @now_ns. */
void pace_start(struct pace *p, uint64_t now_ns);

/* When frame @k is due by the schedule. PACE_RATE only. */
uint64_t pace_due(const struct pace *p, uint64_t k);

/* How many frames may have been sent by @now_ns, of which @sent have been. */
uint64_t pace_allowed(struct pace *p, uint64_t now_ns, uint64_t sent);

/* When that will be more, if it is as many as were sent. */
uint64_t pace_next(const struct pace *p, uint64_t sent);

#endif
