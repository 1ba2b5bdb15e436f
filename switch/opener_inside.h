/* What the files of the switch's side of the opener share: opener.c,
 * opener_ask.c and opener_join.c. */
#ifndef OPENER_INSIDE_H
#define OPENER_INSIDE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "opener_wire.h"

enum {
	OPENER_START_MS = 10000, /* for giving up its privileges */
	/* An answer takes a millisecond at most; a busy machine may make a
	 * hundred of them. */
	OPENER_WAIT_MS = 2000,
};

struct opener {
	pid_t pid;
	int jobs_fd, joins_fd;
	uint32_t number; /* of the last job that was asked for */
	bool late;	 /* it has not been answered in time */
	bool gone;
	unsigned joining; /* guests that have been asked for */
	bool readable;	  /* there is something about them */
	uint64_t not_before_ns; /* it is to be read, while frames flow */
};

/* Whether it has ended; says so once. */
bool opener_is_gone(struct opener *op);

/* Have @job done, with descriptors that stay ours. Returns 0 if it has been, with
 * what came of it in @answer and @out; or -errno with a line in answer->why. */
int opener_ask(struct opener *op, struct opener_job *job,
	       const struct opener_fds *in, struct opener_answer *answer,
	       struct opener_fds *out);

/* Return when what has been said before is done. */
void opener_finish(struct opener *op);

#endif
