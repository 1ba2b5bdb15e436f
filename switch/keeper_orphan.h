/*
 * A switch whose keeper has been killed goes on alone, for its guests' sake, with
 * the sockets and taps that it has. Whoever starts anew in its place, and cannot
 * know of it (the process in the pid file has gone), gets them: it is ended, and
 * daemon guests go on with what is in the state file.
 *
 * So the state file names the switch as well, under a key of the keeper's own.
 */
#ifndef KEEPER_ORPHAN_H
#define KEEPER_ORPHAN_H

#include <stdint.h>
#include <sys/types.h>

struct state_file;

/* Numbers of processes are used again: when it was started tells them apart. */
struct keeper_self {
	int32_t pid;
	uint32_t unused;
	uint64_t started; /* /proc/PID/stat, field 22: proc(5) */
};

/* From now on @child is the switch. Returns 0 or -errno. */
int keeper_orphan_note(struct state_file *file, pid_t child);

/* End the one that had been noted as @self, if it still runs: its file is ours
 * now, so it has no keeper. */
void keeper_orphan_end(const struct keeper_self *self);

#endif
