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
	uint64_t pss_kib;		/* shared pages in parts; 0: not readable */
	unsigned int processes;
};

/* Returns 0 or -errno (-ENOENT: no such process). */
int proc_read_usage(pid_t pid, struct proc_usage *usage);

/*
 * The same for @pid, its children, and theirs, added up: a ringswitch is a
 * keeper, the switch itself, and sometimes an opener of taps. Without @pid
 * itself: -ENOENT; a child that ends meanwhile is left out.
 */
int proc_read_family(pid_t pid, struct proc_usage *usage);

/* Make @after what was used since @before. Memory stays. Where processes have
 * ended in between, what is negative becomes 0. */
void proc_subtract(struct proc_usage *after, const struct proc_usage *before);

/* What all processors of the machine have been busy for, in ticks of 10 ms. */
int proc_read_machine(uint64_t *cpu_ns);

#endif
