/*
 * Rules and frames at random, that love near misses: addresses and numbers come
 * from small pools or are next to one of them, so that rules meet frames.
 * The same seed gives the same.
 */
#ifndef FILTER_RANDOM_H
#define FILTER_RANDOM_H

#include <stddef.h>
#include <stdint.h>

#include "make_frame.h"

struct dice {
	uint64_t state; /* the seed */
};

/* A number below @n. */
uint32_t dice_roll(struct dice *d, uint32_t n);

/* A rule file of some @lines lines, good in every way; the caller's. */
char *random_rules(struct dice *d, uint32_t lines);

/* A frame of 14 bytes or more. */
void random_frame(struct dice *d, struct make_frame *m);

#endif
