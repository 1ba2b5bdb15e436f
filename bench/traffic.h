/*
 * One measurement: senders, receivers and ports that only stand there. The
 * senders are a process of their own, as guests would be; this process receives.
 *
 * Nothing is pinned to a CPU: guests and switches are not either, and with
 * two cores for three busy processes every fixed placement would favour one
 * of the switches compared.
 */
#ifndef BENCH_TRAFFIC_H
#define BENCH_TRAFFIC_H

#include <signal.h>
#include <stdint.h>
#include <sys/types.h>

#include "load.h"
#include "plan.h"
#include "ports.h"
#include "proc.h"
#include "progress.h"
#include "receiver.h"

struct traffic {
	const struct load *load;
	const struct plan *plan;
	const struct ports *ports;
	pid_t switch_pid;		/* 0: do not measure the switch */
	struct progress *progress;
	const volatile sig_atomic_t *interrupted;
};

struct traffic_result {
	struct sender_report sender;
	struct receiver receiver;	/* its tracker has totals only */
	uint64_t flow_min, flow_max;	/* delivered */
	uint64_t elapsed_ns;		/* first send to last send or receive */
	uint64_t receiver_cpu_ns;
	uint64_t machine_cpu_ns;	/* of everybody */
	struct proc_usage usage;	/* of the switch, during the run */
};

/* Run once. Returns 0, or -errno after saying what went wrong (but for -EINTR). */
int traffic_run(const struct traffic *t, struct traffic_result *result);

/* For those that measure in another way ---------------------------------------- */

/* What the processes have used so far. */
struct traffic_usages {
	struct proc_usage own, other;
	uint64_t machine_ns;
};

/* Returns 0, -errno, or -ESRCH after saying what is wrong with the switch's. */
int traffic_read_usages(const struct traffic *t, struct traffic_usages *usages);

/* Start another process; in it returns 0. Elsewhere the process, with @fd set to
 * a descriptor that is at its end when it is gone, or -errno. */
pid_t traffic_fork(int *fd);

/* End a measurement: say what went wrong, if @err and nobody has. Returns it. */
int traffic_complain(const struct traffic *t, int err);

#endif
