/*
 * The counters, for whoever shows them: as text for SIGUSR1 (here), as JSON
 * (control_stats.c), as OpenMetrics (metrics.c).
 */
#ifndef STATS_H
#define STATS_H

#include <stdbool.h>
#include <stdint.h>

#include "latency.h"
#include "port.h"

struct control_counters;
struct loop_counters;
struct mac_counters;
struct sw;

/* One port as it is now. Valid until the switch goes on. */
struct stats_port {
	const char *name, *kind, *state;
	struct port_counters counters;
	uint32_t queued, queue_high, queue_limit; /* frames */
	uint32_t credits, credits_max; /* receive buffers: free, and all */
	const struct latency *latency; /* NULL: none has been timed */
};

/* What is not of one port. */
struct stats_sums {
	struct port_counters closed; /* ports that are not there any more */
	struct port_counters total;  /* these and those that are */
	struct latency closed_latency, total_latency;
	uint32_t queued;
	uint32_t mac_entries, mac_capacity;
	const struct mac_counters *mac;
	const struct loop_counters *loop;
	const struct control_counters *control;
};

/* The port with @id; ids go up to sw->ports.id_end. False if none is up
 * there. */
bool stats_port(const struct sw *sw, uint16_t id, struct stats_port *to);

/* Looks at every port and every address: once a report. */
void stats_sums(struct sw *sw, struct stats_sums *to);

/* "up", "blocked", "stalled", "detached", "down", "admin-down",
 * "quarantined". */
const char *stats_state(const struct port *p);

/*
 * Print them to where reports go (log.h): what filters have counted, one line a
 * port of key=value words, then the sums and the MAC table. A drop reason, or a
 * rule, is there once it has counted something.
 */
void stats_report(struct sw *sw);

#endif
