#include "latency.h"

#include <stdlib.h>

void latency_note(struct latency **l, uint32_t stamp, uint64_t now_ns)
{
	/* Modulo 2^32 of its units, which is more than a minute. */
	uint32_t units = latency_stamp(now_ns) - stamp;
	uint64_t ns = (uint64_t)units << LATENCY_STAMP_SHIFT;
	unsigned i = 0;

	if (!*l)
		*l = calloc(1, sizeof(**l));
	if (!*l)
		return;
	while (latency_bound(i) && ns > latency_bound(i))
		i++;
	(*l)->bucket[i]++;
	(*l)->samples++;
	(*l)->sum_ns += ns;
}

void latency_add(struct latency *to, const struct latency *more)
{
	if (!more)
		return;
	to->samples += more->samples;
	to->sum_ns += more->sum_ns;
	for (unsigned i = 0; i < LATENCY_BUCKETS; i++)
		to->bucket[i] += more->bucket[i];
}
