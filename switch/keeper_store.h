/*
 * What a keeper keeps: a thing under each key, and what a switch that is not
 * ready yet has said about them. That counts when it gets ready: one that does
 * not has changed nothing for the next.
 */
#ifndef KEEPER_STORE_H
#define KEEPER_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "keeper_orphan.h"
#include "keeper_wire.h"

struct state_file;
struct keeper_thing;

struct keeper_store {
	struct keeper_self before; /* who has written the file; pid 0: nobody */
	struct keeper_thing *things[KEEPER_KEYS];
	struct keeper_thing *coming[KEEPER_KEYS]; /* when it is ready */
	bool ready;
	uint32_t next; /* to be sent; KEEPER_KEYS: nothing more */
	struct state_file *file; /* NULL: none */
};

/* All zero, and then: what the state file says, under @file, which is the
 * store's to use and the caller's to close. */
void keeper_store_read(struct keeper_store *s, struct state_file *file);

/* Let go of everything. */
void keeper_store_clear(struct keeper_store *s);

/*
 * Keep what @header and @record say, with @fds, which are the store's from now
 * on, whatever happens. Returns 0, -ENOMEM, or what kept it from the file:
 * -errno.
 */
int keeper_store_keep(struct keeper_store *s, const struct keeper_header *header,
		      const void *record, const int *fds, unsigned fd_count);
int keeper_store_forget(struct keeper_store *s, uint32_t key);

/* A new switch has been started; it is ready; it has ended before that. */
void keeper_store_begin(struct keeper_store *s);
int keeper_store_ready(struct keeper_store *s);
void keeper_store_undo(struct keeper_store *s);

/*
 * Send to @channel what is kept, as far as it goes now. Returns 1 if there is
 * more, and sets *@progress if some went; 0 if END went as well; or -errno.
 */
int keeper_store_send(struct keeper_store *s, int channel, bool *progress);

/* From now on @key is sent as quarantined, until it is forgotten. */
void keeper_store_quarantine(struct keeper_store *s, uint32_t key);

/* The name of what is kept as @key, or "". */
const char *keeper_store_name(const struct keeper_store *s, uint32_t key);

#endif
