#include "port_slow.h"

#include "ether.h"
#include "port.h"

void port_note_pace(struct port *p, uint64_t now_ms)
{
	p->pace_ms = now_ms;
	p->pace_sent = p->counters->sent;
	p->pace_bytes = p->counters->sent_bytes;
}

static bool starves_somebody(const struct port *p)
{
	for (uint32_t i = 0; i < p->queue_count; i++)
		if ((*port_queue_at(p, i))->pool->starved)
			return true;
	return false;
}

/*
 * Drop from the queue of @p what @goes says, as if it had been full. Its @seen
 * is how many frames of their pool were met before.
 */
static void queue_remove(struct ports *ps, struct port *p,
			 bool (*goes)(const struct frame *f,
				      const struct pool *pool, unsigned seen),
			 const struct pool *pool)
{
	uint32_t count = p->queue_count, kept = 0;
	unsigned seen = 0;

	for (uint32_t i = 0; i < count; i++) {
		struct frame *f = *port_queue_at(p, i);

		if (goes(f, pool, seen)) {
			port_drop(ps, p, f, DROP_QUEUE_FULL);
			frame_unref(f);
			continue;
		}
		seen += f->pool == pool;
		*port_queue_at(p, kept++) = f;
	}
	p->queue_count = kept;
}

static bool flooded_and_missed(const struct frame *f, const struct pool *pool,
			       unsigned seen)
{
	(void)pool, (void)seen;
	return f->flooded && f->pool->starved;
}

static bool beyond_share(const struct frame *f, const struct pool *pool,
			 unsigned seen)
{
	return f->pool == pool && seen >= PORT_BUFFERS_SHARE;
}

static void judge_blocked(struct ports *ps, struct port *p, uint64_t now_ms)
{
	uint64_t for_ms = now_ms - p->since_ms;

	if (for_ms >= STALL_MS ||
	    (for_ms >= STALL_STARVED_MS && starves_somebody(p)))
		port_stall(ps, p);
	else if (for_ms >= STALL_FLOODED_MS && ps->starved_count)
		queue_remove(ps, p, flooded_and_missed, NULL);
}

/*
 * A sender that has sent to one port only is slowed down by it, and rightly.
 * One that has sent to several must not be held up for all of them by one that
 * is slow: that one keeps its share of the sender's buffers.
 */
static void recall(struct ports *ps, struct port *from,
		   const struct port *sender)
{
	if (sender->run_frames < SINGLE_RUN_FRAMES)
		queue_remove(ps, from, beyond_share, sender->pool);
}

static void judge_pace(struct ports *ps, struct port *p, uint64_t now_ms)
{
	const uint64_t full_frame = MTU_DEFAULT + ETHER_HEADER_BYTES;
	uint64_t for_ms = now_ms - p->pace_ms;
	uint64_t wanted = SLOW_TICK_FRAMES * for_ms / TICK_MS;

	if (for_ms < TICK_MS)
		return;
	if (p->counters->sent - p->pace_sent < wanted &&
	    p->counters->sent_bytes - p->pace_bytes < wanted * full_frame) {
		p->slow_until_ms = now_ms + SLOW_MS;
		for (uint16_t i = 0; i < ps->starved_count; i++)
			recall(ps, p, ps->starved[i]);
	}
	port_note_pace(p, now_ms);
}

void ports_stall_blocked(struct ports *ps, uint64_t now_ms)
{
	/* From the end: one that is stalled leaves the list. */
	for (uint16_t i = ps->blocked_count; i > 0; i--) {
		struct port *p = ps->blocked[i - 1];

		judge_blocked(ps, p, now_ms);
		if (!p->stalled)
			judge_pace(ps, p, now_ms);
	}
}

void port_starve(struct ports *ps, struct port *p, uint64_t now_ms)
{
	if (p->pool->starved)
		return;
	p->pool->starved = true;
	ps->starved[ps->starved_count++] = p;
	for (uint16_t i = 0; i < ps->blocked_count; i++)
		if (now_ms < ps->blocked[i]->slow_until_ms)
			recall(ps, ps->blocked[i], p);
}

bool port_fed(struct ports *ps, uint16_t starved_at)
{
	struct port *p = ps->starved[starved_at];

	if (p->state == PORT_UP && p->pool->available < PORT_BUFFERS_REARM)
		return false;
	p->pool->starved = false;
	ps->starved[starved_at] = ps->starved[--ps->starved_count];
	return true;
}
