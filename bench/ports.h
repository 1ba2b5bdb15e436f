/*
 * The ports of one measurement, on one switch: those that take part in the
 * traffic, then idle ones. All join, and let the switch learn their addresses,
 * before anything is measured.
 */
#ifndef BENCH_PORTS_H
#define BENCH_PORTS_H

#include <stdint.h>

#include "peer.h"
#include "plan.h"

enum {
	PORTS_MAX = 1 << 14,
	ADDRESSES_MAX = 1 << 18,	/* of one port */
};

struct ports_setup {
	/* Where the ports are; of the second kind are those that receive. */
	struct peer_end near, far;
	unsigned int idle;		/* as near; learned, and never read */
	uint32_t addresses;		/* of all receivers together; 0: one each */
};

struct ports {
	struct ports_setup setup;
	unsigned int busy, count;	/* count: all that are open */
	uint32_t addresses;		/* of each receiver */
	struct peer peer[];
};

/*
 * Join with all ports of @plan and let each be learned. Returns NULL after saying
 * on stderr what went wrong.
 */
struct ports *ports_join(const struct ports_setup *setup,
			 const struct plan *plan);
/*
 * Two ports with nothing between them: takes over @ends, which are open. Returns
 * NULL, and takes nothing, if there is no memory.
 */
struct ports *ports_direct(const struct peer ends[2]);
void ports_free(struct ports *ports);

/* The @number-th address of port @index. */
void ports_mac(uint8_t mac[MAC_BYTES], unsigned int index, uint64_t number);

#endif
