#include "storm.h"

uint32_t storm_burst(uint32_t rate)
{
	return rate / 10 > STORM_BURST_MIN ? rate / 10 : STORM_BURST_MIN;
}

bool storm_admits(struct storm *s, uint64_t now_ns)
{
	uint64_t frame_ns, from_ns;

	if (!s->rate)
		return true;
	frame_ns = 1000000000 / s->rate;
	from_ns = s->full_ns > now_ns ? s->full_ns : now_ns;
	if (from_ns + frame_ns > now_ns + storm_burst(s->rate) * frame_ns)
		return false;
	s->full_ns = from_ns + frame_ns;
	return true;
}
