/*
 * What happens a second, by port: the difference of two answers to stats.show.
 * Asked by `stats show --watch` and by `top`.
 */
#ifndef CTL_RATES_H
#define CTL_RATES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum { RATES_HISTORY = 120 };

struct rate {
	char *name, *state; /* not printable; NULL-free */
	double received, received_bytes, sent, sent_bytes; /* a second */
	double dropped; /* as a sender and as a receiver, a second */
	double queued, queue_limit, stalls;
	/* Bytes a second in both directions, the newest at [0]. */
	double history[RATES_HISTORY];
	unsigned samples;
	/* The counters that this was made of. */
	double counted[5];
	bool seen;
};

struct rates {
	struct rate *ports;
	size_t count;
	struct rate total;
	double time;	 /* of the last answer, since 1970 */
	double uptime_s; /* of the switch */
	double seconds;	 /* between the last two answers */
	unsigned rounds;
};

/* Take in one answer. False: it is none, nothing has changed. */
bool rates_add(struct rates *r, const json_t *stats);
void rates_fini(struct rates *r);

/* {"time":..., "seconds":..., "ports":[{"name":...}], "total":{...}} */
json_t *rates_json(const struct rates *r);

#endif
