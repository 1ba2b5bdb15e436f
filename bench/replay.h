/*
 * The frames of a file, sent over and over: for measuring filters, which look
 * at what is in them. The file is whole frames of one size, each of which ends
 * with its own number, big-endian; they are sent in the file's order.
 *
 * Without a receiver it is the sender's own path that is measured: what the
 * kernel does inside a send to a network device, or inside a write to a tap.
 * The clock is read once a batch, and the median batch is reported, so what
 * else happens on the machine, or the end of a time slice, is left out. A frame
 * that is refused counts all the same: a filter's drop may be told as one.
 *
 * With a receiver it is what is between them. Neither a tap nor a packet socket
 * slows its sender down, so the sender is never more than a window of frames
 * ahead of the receiver, as TCP would be: then what is missing was lost. A
 * packet socket is looked at now and then instead of being waited on: whoever
 * sends to one that is waited on wakes the reader, which takes a microsecond,
 * and it waits as soon as it is faster than the switch. So a filter of a third
 * of a microsecond seemed to double the switch's work.
 */
#ifndef BENCH_REPLAY_H
#define BENCH_REPLAY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>

#include "peer.h"
#include "proc.h"

struct replay_setup {
	struct peer_end sender;
	struct peer_end receiver;	/* path NULL: none */
	const char *frames_path;
	size_t size_bytes;		/* of each frame in it */
	uint64_t limit_ns;
	uint64_t window;		/* frames */
	pid_t switch_pid;		/* 0: do not measure the switch */
};

struct replay_result {
	uint64_t sent, refused;
	uint64_t elapsed_ns;
	uint64_t sender_cpu_ns;
	uint64_t batch_ns;		/* median; without a receiver only */
	uint64_t delivered, corrupt;
	struct proc_usage usage;	/* of the switch, during the run */
};

enum { REPLAY_BATCH = 64 };

/* Returns 0, or -errno after saying on stderr what went wrong. */
int replay_run(const struct replay_setup *setup, struct replay_result *result);

/* As a new object, the caller's. */
json_t *replay_report(const struct replay_setup *setup,
		      const struct replay_result *result);

#endif
