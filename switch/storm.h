/*
 * Storm limits: how many frames a second a port may send to everybody. One
 * bucket for each kind of such frames, filled at the rate that is allowed, and
 * holding what that gives in a tenth of a second, but at least five frames: ARP
 * and DHCP come in small bursts.
 *
 * Pure: time is passed in.
 */
#ifndef STORM_H
#define STORM_H

#include <stdbool.h>
#include <stdint.h>

enum storm_kind {
	STORM_BROADCAST,
	STORM_MULTICAST,
	STORM_UNKNOWN, /* to a station that the table does not have */
	STORM_KINDS,
};

enum { STORM_RATE_MAX = 1000000, STORM_BURST_MIN = 5 };

struct storm {
	uint32_t rate; /* frames a second; 0: no limit */
	/* When the bucket is full again: each frame puts that off by what it
	 * takes to fill its place. */
	uint64_t full_ns;
};

/* What a full bucket holds at @rate, frames. */
uint32_t storm_burst(uint32_t rate);

/* Whether a frame may pass at @now_ns, which never decreases; it is then
 * counted. */
bool storm_admits(struct storm *s, uint64_t now_ns);

#endif
