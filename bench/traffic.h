/*
 * One measurement: a sender, a receiver and ports that only stand there, on
 * one switch. All of them join first and are learnt; then the sender sends
 * from a process of its own, as a second guest would, and this process
 * receives.
 *
 * Nothing is pinned to a CPU: guests and switches are not either, and with
 * two cores for three busy processes every fixed placement would favour one
 * of the switches compared.
 */
#ifndef BENCH_TRAFFIC_H
#define BENCH_TRAFFIC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "pattern.h"
#include "peer.h"
#include "proc.h"
#include "sender.h"

struct traffic_end {
	const char *path;
	enum peer_kind kind;
};

struct traffic_setup {
	struct traffic_end sender, receiver;
	unsigned int idle_ports;	/* as the sender's; never read */
	pid_t switch_pid;		/* 0: do not measure the switch */
	bool keep_latency;
};

struct traffic_result {
	struct sender_report sender;
	struct tally tally;		/* its map is gone */
	uint64_t elapsed_ns;		/* first send to last send or receive */
	uint64_t receiver_cpu_ns;
	struct proc_usage usage;	/* of the switch, during the run */
	uint64_t *latency_ns;		/* sorted; the caller frees it */
	uint64_t latency_count;
};

struct traffic;

/*
 * Join the switch with all ports and let each be learnt. Returns NULL after
 * saying on stderr what went wrong.
 */
struct traffic *traffic_new(const struct traffic_setup *setup);
void traffic_free(struct traffic *t);

/* Run @load once. Returns 0, or -errno after saying what went wrong. */
int traffic_run(struct traffic *t, const struct load *load,
		struct traffic_result *result);

#endif
