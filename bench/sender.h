/*
 * All senders of a measurement, in one process: a guest's transmit path each,
 * paced or as fast as it goes, many frames a system call.
 *
 * What the n-th frame of a port is follows from n alone, so that frames which
 * are refused stay as they were made and are offered again.
 */
#ifndef BENCH_SENDER_H
#define BENCH_SENDER_H

#include "load.h"

struct plan;
struct ports;

/* Send @load and fill in @shared's report. Returns when done. */
void sender_run(const struct load *load, const struct ports *ports,
		const struct plan *plan, struct shared *shared);

#endif
