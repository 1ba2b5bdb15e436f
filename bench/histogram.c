/* Counting times in buckets. See histogram.h for how good that is. */
#include "histogram.h"

enum { SUBS = 1 << HISTOGRAM_SUB_BITS };

static unsigned int bucket_of(uint64_t ns)
{
	const uint64_t limit = (uint64_t)1 << HISTOGRAM_MAX_BITS;
	const uint64_t value = ns < limit ? ns : limit - 1;
	unsigned int shift;

	if (value < SUBS)
		return (unsigned int)value;
	shift = 63U - (unsigned int)__builtin_clzll(value) - HISTOGRAM_SUB_BITS;
	return (shift << HISTOGRAM_SUB_BITS) + (unsigned int)(value >> shift);
}

/* The middle of a bucket: half its width from the furthest in it. */
static uint64_t middle_of(unsigned int bucket)
{
	unsigned int shift;
	uint64_t low;

	if (bucket < 2 * SUBS)
		return bucket;
	shift = (bucket >> HISTOGRAM_SUB_BITS) - 1;
	low = (uint64_t)(bucket - (shift << HISTOGRAM_SUB_BITS)) << shift;
	return low + ((uint64_t)1 << shift) / 2;
}

void histogram_add(struct histogram *h, uint64_t ns)
{
	h->bucket[bucket_of(ns)]++;
	h->sum_ns += ns;
	if (!h->count || ns < h->min_ns)
		h->min_ns = ns;
	if (ns > h->max_ns)
		h->max_ns = ns;
	h->count++;
}

/* How many samples have to be at or below it: fraction times count, rounded
 * up. */
static uint64_t rank_of(const struct histogram *h, double fraction)
{
	const double exact = fraction * (double)h->count;
	const uint64_t whole = (uint64_t)exact;
	const uint64_t rank = whole + ((double)whole < exact);

	if (rank < 1)
		return 1;
	return rank < h->count ? rank : h->count;
}

uint64_t histogram_percentile(const struct histogram *h, double fraction)
{
	const uint64_t rank = rank_of(h, fraction);
	uint64_t below = 0, value = 0;

	if (!h->count)
		return 0;
	for (unsigned int i = 0; i < HISTOGRAM_BUCKETS; i++) {
		below += h->bucket[i];
		value = middle_of(i);
		if (below >= rank)
			break;
	}
	if (value < h->min_ns)
		return h->min_ns;
	return value < h->max_ns ? value : h->max_ns;
}
