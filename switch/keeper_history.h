/*
 * What a keeper makes of the ends of its switches: how long to wait, whom to
 * blame. Pure.
 */
#ifndef KEEPER_HISTORY_H
#define KEEPER_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "keeper_wire.h"

enum {
	/* A switch that has lived this long has got over what was before: it is
	 * not a start that fails again and again; it is nobody's blame. */
	KEEPER_SETTLED_MS = 1000,
	KEEPER_FORGIVEN_MS = 60000,
	KEEPER_PAUSE_MAX_MS = 10000,
	/* So many of the last ones with frames of one port, and it is
	 * quarantined: two guests that take turns must not go on for ever, nor
	 * one in whose frames only some crashes can be told to be. */
	KEEPER_CRASHES_TO_QUARANTINE = 3,
	KEEPER_CRASHES_REMEMBERED = 6,
	/* Starts in a row that did not get ready, until the program that we are
	 * is taken in the place of the one that is there now. */
	KEEPER_STARTS_TO_GO_BACK = 2,
};

struct keeper_suspect {
	uint32_t key; /* or KEEPER_NOBODY */
	char name[KEEPER_NAME_BYTES]; /* keys are used again */
};

/* All zero: nothing has happened. */
struct keeper_history {
	unsigned crashes;    /* in a row */
	unsigned unready;    /* starts in a row that did not get ready */
	unsigned remembered; /* of last */
	struct keeper_suspect last[KEEPER_CRASHES_REMEMBERED]; /* newest first */
};

/*
 * A switch has died, @lived_ms after it was started, @ready or not, while it
 * handled a frame of @blamed, called @name (KEEPER_NOBODY: of nobody). Returns
 * how many milliseconds to wait before the next start.
 */
uint32_t keeper_history_crash(struct keeper_history *h, uint64_t lived_ms,
			      bool ready, uint32_t blamed, const char *name);

/* A switch has ended to be started again, and was @ready. */
void keeper_history_planned(struct keeper_history *h, bool ready);

/* Whether who is blamed for the last crash is to be quarantined now. */
bool keeper_history_is_enough(const struct keeper_history *h);

/* Whether to start the program that we are. */
bool keeper_history_goes_back(const struct keeper_history *h);

#endif
