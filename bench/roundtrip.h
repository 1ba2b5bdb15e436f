/*
 * Request and response: in each pair, a frame from the first port to the second,
 * which sends an answer of the same length; then the next. The ports that answer
 * are a process of their own.
 */
#ifndef BENCH_ROUNDTRIP_H
#define BENCH_ROUNDTRIP_H

#include "traffic.h"

struct roundtrip_result {
	uint64_t sent, answered;
	uint64_t lost;			/* no answer within a second */
	uint64_t corrupt, foreign;
	uint64_t elapsed_ns;
	uint64_t sender_cpu_ns, receiver_cpu_ns, machine_cpu_ns;
	struct histogram time;
	struct proc_usage usage;	/* of the switch */
};

/* Run @t's load until its time or count is over. Returns 0, or -errno after
 * saying what went wrong (but for -EINTR). */
int roundtrip_run(const struct traffic *t, struct roundtrip_result *result);

#endif
