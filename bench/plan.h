/*
 * Who sends to whom. A flow is one sender and one receiver, or one sender and
 * everybody; each has sequence numbers of its own. A sender sends in its flows
 * in turns.
 */
#ifndef BENCH_PLAN_H
#define BENCH_PLAN_H

#include <stdbool.h>
#include <stdint.h>

enum plan_pattern {
	PLAN_PAIRS,		/* 0 to 1, 2 to 3 ... */
	PLAN_ONE_TO_MANY,	/* 0 to all others in turns */
	PLAN_MANY_TO_ONE,	/* all others to 0 */
	PLAN_ALL_TO_ALL,	/* each to each other in turns */
	PLAN_BROADCAST,		/* 0 to everybody */
	PLAN_UNKNOWN,		/* 0 to an address that nobody has */
	PLAN_PATTERN_COUNT
};

extern const char *const plan_pattern_name[PLAN_PATTERN_COUNT];

enum { PLAN_FLOWS_MAX = 1 << 20 };

/* Instead of a port: all but the sender. */
#define PLAN_EVERYBODY UINT32_MAX
/* Added to the number of an idle port, instead of a flow's number. */
#define PLAN_TO_IDLE 0x40000000U

struct plan_flow {
	uint32_t from, to;
};

struct plan_sender {
	uint32_t port;
	uint32_t first, count;	/* its flows */
};

struct plan {
	enum plan_pattern pattern;
	unsigned int ports;	/* that take part */
	unsigned int flow_count, sender_count;
	unsigned int receivers;	/* of one frame */
	struct plan_flow *flows;
	struct plan_sender *senders;
};

/*
 * Returns 0, -ENOMEM, -EINVAL if @ports is not a number for @pattern (2 or more,
 * for pairs even), or -E2BIG: more than PLAN_FLOWS_MAX flows. plan_fini() takes
 * one that is all zero as well.
 */
int plan_init(struct plan *plan, enum plan_pattern pattern, unsigned int ports);
void plan_fini(struct plan *plan);

/* Whether @port attaches as receivers do, if they do so in another way. */
bool plan_is_far_end(enum plan_pattern pattern, unsigned int port);

/* Whether frames are meant for @port. */
bool plan_receives(const struct plan *plan, unsigned int port);

/* For how many sequences of numbers a receiver has to keep the books. */
unsigned int plan_tracks(const struct plan *plan);

/* Which of them is that of @flow at @port, or -1: it is not meant for it. */
int64_t plan_track(const struct plan *plan, uint32_t flow, unsigned int port);

#endif
