/* Numbers with units, as people write them. */
#ifndef BENCH_UNITS_H
#define BENCH_UNITS_H

#include <stdbool.h>

/*
 * Read a decimal number, and k, M or G behind it, from the beginning of @text.
 * Returns what is behind it, or NULL if there is no number.
 */
const char *units_number(const char *text, double *value);

struct rate {
	double value;
	bool is_bits;		/* of frames, or else frames; per second */
};

/* "100k", "1.5M", "20frames/s", "1Gbit/s". Returns 0 or -EINVAL. */
int units_rate(const char *text, struct rate *rate);

/* "0.1%" or "0.001": 0 to 1. Returns 0 or -EINVAL. */
int units_share(const char *text, double *share);

#endif
