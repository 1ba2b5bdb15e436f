/*
 * What there is to know about a tap's filter beside its programs and their
 * maps, in memory that lives as long as somebody has its descriptor: so that a
 * process that takes the place of another one, even of one that was killed,
 * goes on where that was.
 *
 *     | struct filter_kept | expression | rule file | rule file |
 *
 * There is a place for the text of each of the two sets of rules in the kernel
 * (filter.h). It is written before the set is in force; so it is always there
 * for the one that is.
 */
#ifndef FILTER_KEPT_H
#define FILTER_KEPT_H

#include <stddef.h>
#include <stdint.h>

#include "filter_table.h"

enum {
	FILTER_FILE_BYTES_MAX = 16 << 20, /* of rules */
	FILTER_LAST_SAMPLES = 16,
};

struct filter_kept {
	uint32_t format;
	uint32_t expression_bytes;
	uint64_t judge_again_until_ms;
	struct {
		uint64_t bytes;
		uint32_t rules, names; /* that are in it */
	} text[FILTER_SETS];
	uint64_t sample_count; /* so far; the last ones are there */
	struct filter_sample samples[FILTER_LAST_SAMPLES];
};

/* Returns it, with its descriptor in *@fd, both the caller's; or NULL with
 * errno. */
struct filter_kept *filter_kept_new(int *fd);

/* The one behind @fd, which stays the caller's; or NULL: it is not one of ours,
 * or there is no memory. */
struct filter_kept *filter_kept_open(int fd);

void filter_kept_close(struct filter_kept *k); /* NULL is accepted */

/* Where the expression's program is, and the text of a set. */
void *filter_kept_expression(struct filter_kept *k);
char *filter_kept_text(struct filter_kept *k, unsigned set);

#endif
