/*
 * Children of the opener, for what may take long: names are asked for from the
 * network, and a guest's socket may be on a file system that never answers. Each
 * has a time to live, and nobody has many.
 */
#ifndef OPENER_CHILD_H
#define OPENER_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	OPENER_CHILDREN_MAX = 64,
	OPENER_CHILDREN_OF_ONE = 8, /* of one user's guests */
	OPENER_CHILD_JOIN_S = 2,
	/* More than a resolver asks in vain. */
	OPENER_CHILD_COMPILE_S = 60,
};

struct opener_children {
	struct opener_child {
		pid_t pid; /* 0: nobody is here */
		uint32_t whose;
	} child[OPENER_CHILDREN_MAX];
};

/*
 * Fork a child for @whose, of whom @most may be there, that is killed after
 * @seconds. Returns as fork(2) does; -1 with EAGAIN if there are enough. Without
 * @all nobody counts.
 */
pid_t opener_child_fork(struct opener_children *all, uint32_t whose,
			unsigned most, unsigned seconds);

/* Forget those that have ended. */
void opener_children_reap(struct opener_children *all);

#endif
