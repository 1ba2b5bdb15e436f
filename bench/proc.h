/*
 * What the kernel has charged to a process, all its threads taken together
 * (an io_uring worker is a thread of its process and counts).
 *
 * CPU time is from schedstat: nanoseconds where /proc/PID/stat has ticks of
 * 10 ms. Work that the switch causes in the context of others, such as waking
 * it, is charged to them.
 */
#ifndef BENCH_PROC_H
#define BENCH_PROC_H

#include <stdint.h>
#include <sys/types.h>

struct proc_usage {
	uint64_t cpu_ns;
	uint64_t voluntary_switches;
	uint64_t involuntary_switches;
	uint64_t rss_kib;
};

/* Returns 0 or -errno (-ENOENT: no such process). */
int proc_read_usage(pid_t pid, struct proc_usage *usage);

#endif
