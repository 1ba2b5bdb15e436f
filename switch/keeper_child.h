/*
 * Starting a switch: fork, and the program again with the same words, from the
 * directory where it was started first.
 */
#ifndef KEEPER_CHILD_H
#define KEEPER_CHILD_H

#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct options;

struct keeper_child {
	char path[PATH_MAX]; /* of the program */
	int itself_fd;	     /* the program that we are, whatever is there now */
	int directory_fd;
	int config_fd;	     /* what --config said at first, or -1 */
	char **words;	     /* NULL behind them */
	const struct options *options;
	sigset_t mask;	     /* as it was before ours */
	struct sigaction hangup;
	bool feeds_watchdog; /* which expects it from the keeper */
};

/*
 * Find out who and where we are, while that is still known. @argv as main() has
 * it; @o as it was read from there. Signals are still as they were. Returns 0,
 * or -errno with a line in @why.
 */
int keeper_child_prepare(struct keeper_child *c, char *argv[],
			 const struct options *o, char *why, size_t why_bytes);
void keeper_child_fini(struct keeper_child *c);

/*
 * Start a switch with @channel, which stays the caller's too. With @itself it is
 * the program that we are; without, what is there now under its name. Returns
 * its pid, or -errno. A program that cannot be started ends with status 127,
 * having said why.
 */
pid_t keeper_child_start(const struct keeper_child *c, int channel, bool itself);

/* What was inherited for ports and listeners has got where it belongs: let go of
 * it here. The numbers stay taken. */
void keeper_child_release_inherited(const struct options *o);

#endif
