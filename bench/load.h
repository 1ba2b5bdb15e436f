/* What is sent, how fast, and what became of it. */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "histogram.h"
#include "proc.h"
#include "sizes.h"

/*
 * When the kernel does not take a frame (EAGAIN), a sender offers the same one
 * again, so that what is lost was lost by the switch and not by us; a guest
 * would have thrown it away itself. How it waits is a policy, because the sockets
 * of a uml_switch are not connected and so never writable. Seen on two cores at
 * 1500 bytes, delivered per second, (u) uml_switch, (r) ringswitch:
 *
 *   REFUSED_YIELD  sched_yield() and offer again, as a guest whose virtual
 *                  CPU stays busy: (u) 178,000-200,000 (r) 315,000-354,000.
 *                  The default: the only one where a frame always waits.
 *   REFUSED_BLOCK  sleep in the kernel: (u) 147,000-247,000 (r) 234,000-286,000.
 *                  Costs least, but the kernel wakes the sender of a connected
 *                  switch when its queue is three quarters empty, and a quick
 *                  switch runs dry before it comes: 0.8 of the two cores idle.
 *   (rejected)     sleep for 5 to 20 us: (u) 100,000-145,000. Timers wake too
 *                  late for a queue of 11 frames; the sender is what limits.
 */
enum refused_policy {
	REFUSED_YIELD,
	REFUSED_BLOCK,
	REFUSED_POLICY_COUNT
};

struct load {
	struct sizes sizes;
	uint64_t count;			/* frames; 0: until the time is over */
	uint64_t limit_ns;		/* never send for longer than this */
	double frames_per_s;		/* all senders together; 0: no schedule */
	uint64_t burst;			/* frames at once, at least 1 */
	uint64_t pause_ns, jitter_ns;	/* without a schedule: between bursts */
	uint64_t broadcast_every;	/* every so many frames; 0: never */
	uint64_t idle_every;		/* to an idle port; 0: never */
	double idle_read_per_s;		/* idle ports read so many; 0: none */
	uint64_t sources;		/* addresses of each sender; 0: its own */
	uint64_t window;		/* copies on their way at most; 0: any */
	unsigned int batch;		/* frames a system call at most */
	enum refused_policy refused_policy;
};

static inline bool load_is_timed(const struct load *load)
{
	return load->frames_per_s > 0 || load->pause_ns || load->jitter_ns;
}

struct sender_report {
	uint64_t sent;			/* frames the kernel has taken */
	uint64_t copies;		/* of them, that receivers should get */
	uint64_t idle_sent;		/* to idle ports; part of sent */
	uint64_t refused;		/* frames not taken at the first try */
	uint64_t intended;		/* by the schedule; 0: there was none */
	uint64_t start_ns, end_ns;
	uint64_t cpu_ns;
	struct histogram late;		/* offered after they were due */
	int err;			/* 0 or the -errno that ended it */
};

/* What the two processes of a measurement have in common. */
struct shared {
	_Atomic uint64_t sent;		/* as in the report, in between */
	_Atomic uint64_t received;	/* copies */
	struct sender_report report;
};

#endif
