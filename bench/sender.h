/*
 * The busy guest. Sends as a UML kernel does, one sendto() per frame that
 * never waits, but where a guest drops a refused frame (and its TCP sends it
 * again) this one offers the same frame again. So the switch always has
 * something to do, and what is lost was lost by the switch.
 *
 * What to do between two offers decides the result, because sender, switch
 * and receiver share what cores there are. poll() is no help: an unconnected
 * socket is always writable. Seen on two cores at 1500 bytes, delivered per
 * second, (u) uml_switch, (r) ringswitch:
 *
 *   REFUSED_YIELD  sched_yield() and offer again, as a guest whose virtual
 *                  CPU stays busy: (u) 178,000-200,000 (r) 315,000-354,000.
 *                  The default: the only one where a frame always waits.
 *   REFUSED_BLOCK  sleep in sendto(): (u) 147,000-247,000 (r) 234,000-286,000.
 *                  Costs least, but the kernel wakes the sender of a connected
 *                  switch when its queue is three quarters empty, and a quick
 *                  switch runs dry before it comes: 0.8 of the two cores idle.
 *   (rejected)     sleep for 5 to 20 us: (u) 100,000-145,000. Timers wake too
 *                  late for a queue of 11 frames; the sender is what limits.
 */
#ifndef BENCH_SENDER_H
#define BENCH_SENDER_H

#include <stddef.h>
#include <stdint.h>

struct peer;

enum refused_policy {
	REFUSED_YIELD,
	REFUSED_BLOCK,
	REFUSED_POLICY_COUNT
};

struct load {
	size_t size_bytes;		/* of a frame, Ethernet header included */
	uint64_t count;			/* frames; 0: until the time is over */
	uint64_t limit_ns;		/* never send for longer than this */
	uint64_t pause_us;		/* between frames; 0: as fast as it goes */
	uint64_t jitter_us;		/* up to this much is added to a pause */
	uint64_t broadcast_every;	/* every so many frames; 0: never */
	enum refused_policy refused_policy;
};

struct sender_report {
	uint64_t sent;			/* frames the kernel has taken */
	uint64_t refused;		/* frames not taken at the first try */
	uint64_t start_ns;
	uint64_t end_ns;
	uint64_t cpu_ns;
	int err;			/* 0 or the -errno that ended it */
};

/* Send @load from @from to @dst and fill in @report. Returns when done. */
void sender_run(const struct load *load, const struct peer *from,
		const uint8_t dst[6], struct sender_report *report);

#endif
