/*
 * What outlives even the keeper: a file of slots, each of one thing that is
 * kept, without its descriptors (keeper.h).
 *
 *     0     STATE_SLOT_BYTES                2 x
 *     +-----+-------------------------------+-------------- - -
 *     | who wrote this, when the machine    | a thing, or    |
 *     | was started                         | nothing        |
 *     +-----+-------------------------------+-------------- - -
 *
 * A slot is written in one go, where it always was; a checksum tells one that
 * was cut off. Nothing is synced: what is in there is about sockets, which a
 * machine that goes down takes along, and a file from before the machine was
 * started last is taken for an empty one. Numbers are this machine's.
 *
 * state_slot_*() are pure; what comes from a file is believed only if it is our
 * own, and even so nothing there can do more than be refused.
 */
#ifndef STATE_FILE_H
#define STATE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "keeper_wire.h"

enum { STATE_SLOT_BYTES = 4096, STATE_BOOT_BYTES = 64 };

/* What a slot says. */
struct state_record {
	uint32_t key;
	uint32_t flags;
	uint32_t bytes;
	char name[KEEPER_NAME_BYTES];
	uint8_t record[KEEPER_RECORD_BYTES];
};

/* Make @slot say @r; or who we are, since @boot (any text, cut); or nothing. */
void state_slot_write(uint8_t slot[STATE_SLOT_BYTES],
		      const struct state_record *r);
void state_slot_write_head(uint8_t slot[STATE_SLOT_BYTES], const char *boot);
void state_slot_clear(uint8_t slot[STATE_SLOT_BYTES]);

/* Read a slot: 1 and *@to; 0 if it says nothing; -EPROTO if it is neither. */
int state_slot_read(const uint8_t slot[STATE_SLOT_BYTES],
		    struct state_record *to);

/* Whether @slot is the first of a state file: 1, also since @boot; 0 if it is of
 * no use (from another start of the machine, another version, cut off); -EPROTO
 * if it is none. */
int state_slot_read_head(const uint8_t slot[STATE_SLOT_BYTES],
			 const char *boot);

struct state_file;

/*
 * Open @path, or make it, for its owner only, and lock it until the end. Nothing
 * is written yet. Returns 0; or -errno with a line in @why: it cannot be made,
 * is not ours alone (a link, somebody else's, open to others), is something
 * else, or another switch uses it (-EBUSY).
 */
int state_file_open(struct state_file **to, const char *path, char *why,
		    size_t why_bytes);

/* Call @found for each thing in it. */
void state_file_read(struct state_file *f,
		     void (*found)(void *context, const struct state_record *r),
		     void *context);

/* Write @r in the place of what has its key; or take that out. Returns 0 or
 * -errno. */
int state_file_write(struct state_file *f, const struct state_record *r);
int state_file_forget(struct state_file *f, uint32_t key);

/*
 * Close it (NULL: nothing). With @remove it is removed, or emptied where that is
 * not allowed any more; without, it stays, unless nothing has ever been written
 * to it.
 */
void state_file_close(struct state_file *f, bool remove);

#endif
