/*
 * How long frames are: one size, several in turns, or a mix with weights. In a
 * mix the sizes are spread evenly, so that any stretch of frames has about the
 * shares of the whole: 7 to 4 to 1 is s m s s m s l s m s m s or the like.
 *
 * Sizes are those of a frame as a socket carries it: without the four bytes of
 * checksum that a wire has behind it.
 */
#ifndef BENCH_SIZES_H
#define BENCH_SIZES_H

#include <stddef.h>
#include <stdint.h>

enum {
	SIZES_MAX = 16,
	SIZES_CYCLE_MAX = 1000,
};

/* "imix" is the simple one: 7 of 64, 4 of 594 and 1 of 1518 bytes with FCS. */
#define SIZES_IMIX "60x7,590x4,1514"

struct sizes {
	unsigned int cycle;		/* frames until it begins anew */
	uint16_t bytes[SIZES_CYCLE_MAX];
	size_t max_bytes;
	double mean_bytes;
};

/*
 * Read "1500", "60,590,1514", "60x7,590x4,1514" or "imix". Returns 0 or
 * -EINVAL; then @sizes is unchanged.
 */
int sizes_parse(struct sizes *sizes, const char *text);

/* Of the @n-th frame, from 0. */
static inline size_t sizes_of(const struct sizes *sizes, uint64_t n)
{
	return sizes->bytes[n % sizes->cycle];
}

#endif
