/*
 * What the opener does, each job in this process: the opener's, or the switch's
 * own while it starts.
 */
#ifndef OPENER_JOBS_H
#define OPENER_JOBS_H

#include "opener_wire.h"

struct opener_children;
struct options;

/* Who does a job, and what for. Both are NULL in a switch that starts. */
struct opener_context {
	const struct options *known;	   /* the rule files that may be read */
	const char *pidfile;		   /* its absolute path */
	struct opener_children *children;
};

/*
 * Do @job, which opener_wire_check() has passed. Descriptors in @in stay the
 * caller's, those in @out become its.
 */
void opener_do(const struct opener_context *context,
	       const struct opener_job *job, const struct opener_fds *in,
	       struct opener_answer *answer, struct opener_fds *out);

/*
 * The same for @join of the guest behind @control_fd, whose credentials the
 * kernel tells. *@fd becomes the data socket, or -1.
 */
void opener_do_join(const struct opener_join *join, int control_fd,
		    struct opener_joined *answer, int *fd);

/* Remove data socket @path. */
void opener_do_remove(const char *path);

#endif
