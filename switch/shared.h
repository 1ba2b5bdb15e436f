/*
 * What a switch knows that the next process is to know as well, however this
 * one ends: counters and learned addresses, in memory that the keeper (kept.h)
 * holds too. Without a keeper it is ordinary memory.
 *
 * A process never goes on with the memory of the one before, which may have been
 * killed in the middle of a line: it takes over what makes sense.
 */
#ifndef SHARED_H
#define SHARED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "port.h"

struct mac_table;

struct shared {
	uint32_t layout; /* of all this: shared_layout() */
	uint32_t mac_entries;
	uint64_t started_wall_ns; /* of the first process */
	struct ports_memory ports;
};

/*
 * Memory for them and a table of @mac_entries, all zero; with @fd not NULL
 * such that it can be handed on as *@fd, which is the caller's. NULL with errno set.
 */
struct shared *shared_new(uint32_t mac_entries, int *fd);
void *shared_macs(struct shared *s);
void shared_free(struct shared *s);

/* Another process' memory, only to be read; NULL if it is none that we
 * understand. */
struct shared *shared_look(int fd);

/*
 * What @p had counted in @before, with its frames that got lost on the way
 * counted as dropped: it had been handling some, or they had been queued.
 */
void shared_take_port(const struct shared *before, struct port *p);

/* Closed ports' counters, and what is kept under names. */
void shared_take_past(const struct shared *before, struct ports *ps);

#endif
