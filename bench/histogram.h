/*
 * Times, counted in buckets whose width grows with the value: 128 of them from
 * each power of two to the next, and one for each nanosecond below 128. So a
 * percentile is known to 1/256 (0.4 %) of itself, however many samples there
 * are, in 34 KiB that two processes can share. Count, sum, least and greatest
 * are exact.
 */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

enum {
	HISTOGRAM_SUB_BITS = 7,
	HISTOGRAM_MAX_BITS = 40,	/* 18 minutes; what is longer counts as that */
	HISTOGRAM_BUCKETS = (HISTOGRAM_MAX_BITS - HISTOGRAM_SUB_BITS + 1)
			    << HISTOGRAM_SUB_BITS,
};

/* All zero is an empty one. */
struct histogram {
	uint64_t count, sum_ns, min_ns, max_ns;
	uint64_t bucket[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *h, uint64_t ns);

/*
 * The least sample that is not smaller than @fraction (0 to 1) of all, to
 * 1/256 of itself and never outside of what there was. 0 if there is none.
 */
uint64_t histogram_percentile(const struct histogram *h, double fraction);

#endif
