/*
 * The lines of a table (filter_table.h) while it is made: they grow, those that
 * are the same are there once, and keys become search trees. Pure.
 */
#ifndef FILTER_LINES_H
#define FILTER_LINES_H

#include <stddef.h>
#include <stdint.h>

#include "filter_table.h"

/* Lines that are in the table already, by their contents. */
struct filter_known {
	uint32_t *at; /* 0: free; else the first line */
	uint32_t *lines;
	size_t count, room; /* room is a power of two */
};

struct filter_lines {
	struct filter_line *line;
	uint32_t count;
	size_t room; /* lines that there is memory for */
	struct filter_known known;
};

struct filter_key {
	uint64_t key;
	uint32_t value;
};

/* Room for @need of @bytes each in *@array, of which there are *@room. Returns
 * 0 or -ENOMEM, as do all of these. */
int filter_grow(void *array, size_t bytes, size_t need, size_t *room);

/* @count more lines, all zero: *@at is the first. Moves the others. */
int filter_lines_add(struct filter_lines *lines, uint32_t count, uint32_t *at);

/* @count lines like these, that do not change any more. */
int filter_lines_intern(struct filter_lines *lines,
			const struct filter_line *like, uint32_t count,
			uint32_t *at);

/* An index of @count keys, one at least, in order. Numbers below the first have
 * the value 0. */
int filter_lines_add_index(struct filter_lines *lines,
			   const struct filter_key *keys, size_t count,
			   struct filter_index *index);

/* Free what helps to find lines that are the same; not the lines. */
void filter_lines_forget(struct filter_lines *lines);

#endif
