/*
 * The switch's side of the keeper (keeper.h): what it has kept there, and what
 * it finds there when it is started again.
 *
 *     kept_open()                      first of all: who has started us, and why
 *     kept_next() until 0              what the one before has left
 *     kept_keep(), kept_forget()       at any time
 *     kept_ready()                     guests can attach
 *     kept_keep(), kept_forget(), kept_blame(), kept_notify()   while it runs
 *     kept_restart()                   to be started again; then exit with 75
 *
 * What is held stays held, until it is forgotten: a switch that has taken a
 * thing need not keep it again, and one that has no use for a thing has to
 * forget it. The keeper's copies of descriptors keep sockets open: whoever
 * closes one for good forgets it first.
 *
 * Without a keeper there is no struct kept: every function takes NULL for it,
 * and does then what is right for a switch that runs alone. After the keeper
 * has died it is as if there never had been one.
 *
 * Nothing here waits, but kept_open() and kept_next().
 */
#ifndef KEPT_H
#define KEPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "keeper_wire.h"

/* Keys: a thing's place. Those of ports are their ids. */
enum kept_key {
	KEPT_PORT = 0,
	KEPT_LISTENER = 8192,  /* + its number */
	KEPT_ENDPOINT = 12288, /* + the number of a --port */
	KEPT_COUNTERS = 16384,
	KEPT_MACS,
	KEPT_CONTROL,
	KEPT_MONITOR,
	KEPT_METRICS,
	KEPT_NAMESPACES,
	KEPT_FRAMES,
	KEPT_LINK_WATCH,
	KEPT_OTHERS, /* from here on: free */
};

struct kept {
	int channel; /* -1: the keeper has gone */
	uint32_t starts;
	enum keeper_why why;
	volatile uint32_t *blame; /* shared with the keeper */
};

/* A thing that is held. */
struct held {
	uint32_t key;
	unsigned flags; /* KEEPER_DURABLE, _FROM_FILE, _QUARANTINED */
	char name[KEEPER_NAME_BYTES];
	size_t bytes;
	unsigned fd_count;
	int fds[KEEPER_FDS_MAX]; /* the caller's, close-on-exec */
	uint8_t record[KEEPER_RECORD_BYTES];
};

/*
 * Whether a keeper has started this process, before kept_open() is asked: one
 * that has, has seen to the background, the pid file, --ready-fd and the
 * switch's directory.
 */
bool kept_is_by_keeper(void);

/*
 * Take up the channel that the environment names, which is cleared of it, and
 * wait for the keeper's first words. *@to is NULL if there is none. Returns 0;
 * or -errno with a line in @why, and *@to is NULL.
 */
int kept_open(struct kept **to, char *why, size_t why_bytes);
void kept_free(struct kept *k);

/* How often the keeper has started a switch, this one included, and why it has
 * started this one: 1, KEEPER_FIRST without a keeper. */
static inline uint32_t kept_starts(const struct kept *k)
{
	return k ? k->starts : 1;
}

static inline enum keeper_why kept_why(const struct kept *k)
{
	return k ? k->why : KEEPER_FIRST;
}

/*
 * The next thing that is held, in the order of keys; waits for it. Returns 1; 0
 * if that was the last (or the keeper has gone, or there is none); or -errno:
 * start-up has failed then. Not to be called again after 0. What kept_keep()
 * has put there since is not among them.
 */
int kept_next(struct kept *k, struct held *to);

/*
 * Have @fds and @record kept as @key, in the place of what is there. @flags is 0
 * or KEEPER_DURABLE. @name (shorter than KEEPER_NAME_BYTES or cut) is what the
 * log calls it. The descriptors stay the caller's too.
 *
 * Returns 0; or -EAGAIN if the keeper has no room now: try again in a tick, and
 * what was kept as @key is what is kept so far. -EINVAL: too much of something.
 */
int kept_keep(struct kept *k, uint32_t key, unsigned flags, const char *name,
	      const void *record, size_t bytes, const int *fds,
	      unsigned fd_count);

/* Nothing is kept as @key any more. 0, also if nothing was; or -EAGAIN. */
int kept_forget(struct kept *k, uint32_t key);

/* From now on a crash is the fault of @key; of nobody with KEEPER_NOBODY. */
static inline void kept_blame(struct kept *k, uint32_t key)
{
	if (k)
		*k->blame = key;
}

/*
 * Guests can attach: the keeper tells whoever waits for that. What was inherited
 * is closed there now: keep it before. It may be -EAGAIN, as the next two: try
 * again.
 */
int kept_ready(struct kept *k);

/* Tell the service manager @text (lines of sd_notify(3)): by the keeper, or if
 * there is none oneself, which may need more than a running switch is allowed. */
int kept_notify(struct kept *k, const char *text);

/* We are about to end, to be started again. Exit status 75 says the same to a
 * keeper which this has not reached. -ENOTCONN: there is no keeper. */
int kept_restart(struct kept *k);

/* What to poll for reading, or -1: it becomes readable when the keeper dies. */
static inline int kept_fd(const struct kept *k)
{
	return k ? k->channel : -1;
}

/*
 * The descriptor is readable: whether the keeper has gone. It is closed then
 * (take it back from the loop first), and the switch is alone from now on.
 */
bool kept_has_gone(struct kept *k);

#endif
