/*
 * What is told to monitoring systems: one table of a port's numbers and one of
 * the switch's, from which Prometheus' text (metrics.h) and the words for RRD
 * pollers (metrics_words.h) are made. And copies of the numbers, each port's
 * taken at one moment, since a text goes out over many rounds.
 */
#ifndef METRICS_VALUES_H
#define METRICS_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "latency.h"
#include "port.h"

struct sw;

/* One port's numbers; or those of all, or of those that have gone: then what
 * belongs to one port alone is 0. */
struct metrics_port {
	char name[PORT_NAME_BYTES];
	const char *kind, *state; /* literals */
	struct port_counters c;
	uint64_t dropped, undelivered; /* sums of c.drop */
	uint64_t queued, queue_high, queue_limit, credits, credits_max;
	struct latency latency;
};

struct metrics_switch {
	struct metrics_port total, closed;
	uint64_t ports;
	uint64_t mac_entries, mac_capacity, mac_learned, mac_moved, mac_expired,
		mac_evicted, mac_refused;
	uint64_t loop_rounds, loop_completions, loop_submissions,
		loop_frames_max;
	uint64_t clients, monitors, requests, events_lost;
	uint64_t captures, capture_frames, capture_dropped;
	uint64_t started_ns; /* since 1970 */
	uint64_t uptime_s, cpu_ns;
};

enum metrics_type {
	METRICS_COUNTER,
	METRICS_GAUGE,
	METRICS_INFO,
	METRICS_HISTOGRAM,
};

struct metrics_value {
	const char *word; /* at most 19 letters and '_', as RRDs want it */
	const char *name; /* in Prometheus' text; NULL: is the sum of others */
	const char *unit; /* how the name ends; or NULL */
	enum metrics_type type;
	size_t at; /* a uint64_t in one of the structures above */
	const char *help;
};

/* Those before METRICS_SUMMED mean something for all ports together, too. */
enum {
	METRICS_SUMMED = 11,
	METRICS_PORT_VALUES = 15,
	METRICS_SWITCH_VALUES = 19,
};
extern const struct metrics_value metrics_port_values[METRICS_PORT_VALUES];
extern const struct metrics_value metrics_switch_values[METRICS_SWITCH_VALUES];

/* One of the table's values in @of, the structure that the table is about. */
static inline uint64_t metrics_value(const struct metrics_value *v,
				     const void *of)
{
	return *(const uint64_t *)((const char *)of + v->at);
}

/* The port of id @id as it is now; false if none is up there. */
bool metrics_read_port(const struct sw *sw, uint16_t id,
		       struct metrics_port *to);

/* The switch as it is now. Looks at every port: once a request. */
void metrics_read_switch(struct sw *sw, struct metrics_switch *to);

#endif
