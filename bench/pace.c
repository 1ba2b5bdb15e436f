/* The arithmetic of schedules. See pace.h. */
#include "pace.h"

#include "now.h"

void pace_init(struct pace *p, double frames_per_s, uint64_t burst,
	       uint64_t pause_ns, uint64_t jitter_ns)
{
	*p = (struct pace){
		.burst = burst,
		.pause_ns = pause_ns,
		.jitter_ns = jitter_ns,
		.random = 88172645463325252ULL,
	};
	if (frames_per_s > 0) {
		p->kind = PACE_RATE;
		p->interval_ns = NS_PER_S / frames_per_s;
	} else if (pause_ns || jitter_ns) {
		p->kind = PACE_PAUSE;
	}
}

/* xorshift64: the pauses shall not beat with the switch's timers. */
static uint64_t next_pause_ns(struct pace *p)
{
	p->random ^= p->random << 13;
	p->random ^= p->random >> 7;
	p->random ^= p->random << 17;
	return p->pause_ns + (p->jitter_ns ? p->random % p->jitter_ns : 0);
}

void pace_start(struct pace *p, uint64_t now_ns)
{
	p->start_ns = now_ns;
	p->allowed = 0;
	p->next_ns = now_ns + next_pause_ns(p);
}

uint64_t pace_due(const struct pace *p, uint64_t k)
{
	const uint64_t first = k - k % p->burst;

	return p->start_ns + (uint64_t)((double)first * p->interval_ns);
}

static uint64_t due_by(const struct pace *p, uint64_t now_ns)
{
	const double elapsed_ns = (double)(now_ns - p->start_ns);
	const double burst_ns = p->interval_ns * (double)p->burst;
	uint64_t count = ((uint64_t)(elapsed_ns / burst_ns) + 1) * p->burst;

	/* A double is rounded, and so is a due time. */
	while (pace_due(p, count) <= now_ns)
		count += p->burst;
	return count;
}

uint64_t pace_allowed(struct pace *p, uint64_t now_ns, uint64_t sent)
{
	if (p->kind == PACE_FULL)
		return UINT64_MAX;
	if (p->kind == PACE_RATE)
		return due_by(p, now_ns);
	if (sent < p->allowed)
		return p->allowed;
	if (!p->next_ns) {
		p->next_ns = now_ns + next_pause_ns(p);
	} else if (now_ns >= p->next_ns) {
		p->allowed = sent + p->burst;
		p->next_ns = 0;
	}
	return p->allowed;
}

uint64_t pace_next(const struct pace *p, uint64_t sent)
{
	return p->kind == PACE_RATE ? pace_due(p, sent) : p->next_ns;
}
