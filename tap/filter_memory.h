/*
 * Memory that the built-in programs (filter.bpf.c) share with us: their maps.
 * Once it is mapped no system call is needed to read or change it, and so no
 * privilege; and whoever else has the maps can go on with them.
 */
#ifndef FILTER_MEMORY_H
#define FILTER_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "filter_table.h"

enum filter_map {
	FILTER_MAP_LINES, /* two sets of rules */
	FILTER_MAP_STATE, /* which of them is in force */
	FILTER_MAP_SAMPLES, /* dropped frames; readable when there are some */
	FILTER_MAPS,
};

enum { FILTER_SAMPLES_BYTES = 64 * 1024 };

struct filter_memory {
	int fd[FILTER_MAPS];
	uint32_t room;		   /* lines of a set */
	struct filter_line *lines;
	uint32_t *in_force;	   /* its first line: 0 or @room */
	uint64_t *samples_taken;
	const uint8_t *samples;	   /* how many there are, and they */
};

/*
 * Map the maps @fd, which become ours if that works. Returns 0, or -errno: they
 * are not such maps, with @room lines a set; or there is no memory.
 */
int filter_memory_map(struct filter_memory *m, const int fd[FILTER_MAPS],
		      uint32_t room);
/* Of one that is all zero, nothing. */
void filter_memory_unmap(struct filter_memory *m);

/* Which set is in force: 0 or 1. */
unsigned filter_memory_set(const struct filter_memory *m);
struct filter_line *filter_memory_lines(const struct filter_memory *m,
					unsigned set);

/* Whether sets can be changed: it needs membarrier(2). */
bool filter_memory_can_change(void);
/* When this returns, no program looks at the other set any more. */
void filter_memory_put_in_force(struct filter_memory *m, unsigned set);

/* Each sample that is there, once. */
void filter_memory_take_samples(struct filter_memory *m,
				void (*take)(void *context,
					     const struct filter_sample *s),
				void *context);

#endif
