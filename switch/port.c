#include "port.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "ether.h"
#include "kept.h"
#include "latency.h"
#include "port_name.h"
#include "port_security.h"
#include "port_slow.h"
#include "trace.h"

int ports_init(struct ports *ps)
{
	memset(ps, 0, sizeof(*ps));
	/* Pages of those that are never touched cost nothing. */
	ps->memory = ps->own_memory = calloc(1, sizeof(*ps->memory));
	return ps->memory ? 0 : -ENOMEM;
}

void ports_fini(struct ports *ps)
{
	for (uint16_t i = 0; i < ps->id_end; i++) {
		assert(!ps->by_id[i] || ps->by_id[i]->state == PORT_FREE);
		if (!ps->by_id[i])
			continue;
		free(ps->by_id[i]->queue);
		free(ps->by_id[i]->latency);
		free(ps->by_id[i]);
	}
	free(ps->own_memory);
}

/* The memory of a port stays when it is freed, for its generation's sake. */
static struct port *port_slot(struct ports *ps, uint16_t id)
{
	while (id >= ps->id_end && ps->id_end < PORTS_MAX) {
		struct port *p = calloc(1, sizeof(*p));

		if (!p)
			return NULL;
		p->id = ps->id_end;
		p->counters = &ps->memory->counters[p->id];
		ps->by_id[ps->id_end++] = p;
	}
	return id < ps->id_end && ps->by_id[id]->state == PORT_FREE
		       ? ps->by_id[id]
		       : NULL;
}

static uint32_t power_of_two(uint32_t at_least)
{
	uint32_t power = 1;

	while (power < at_least)
		power *= 2;
	return power;
}

/* Room for @frames; what is there is used again if it is just right. */
static bool make_queue(struct port *p, uint32_t frames)
{
	uint32_t room = power_of_two(frames);
	struct frame **queue;

	if (p->queue && p->queue_mask + 1 == room)
		return true;
	queue = realloc(p->queue, room * sizeof(struct frame *));
	if (!queue)
		return false;
	p->queue = queue;
	p->queue_mask = room - 1;
	return true;
}

struct port *port_new(struct ports *ps, const struct port_ops *ops,
		      uint32_t queue, uint64_t now_ms)
{
	uint16_t id = 0;

	while (id < ps->id_end && ps->by_id[id]->state != PORT_FREE)
		id++;
	return port_new_at(ps, ops, queue, now_ms, id);
}

struct port *port_new_at(struct ports *ps, const struct port_ops *ops,
			 uint32_t queue, uint64_t now_ms, uint16_t id)
{
	struct port *p = port_slot(ps, id);

	queue = queue ? queue : PORT_QUEUE;
	if (!p || !make_queue(p, queue))
		return NULL;
	free(p->latency);
	ps->memory->counters[p->id] = (struct port_counters){ 0 };
	*p = (struct port){
		.counters = &ps->memory->counters[p->id],
		.ops = ops,
		.kind = ops->kind,
		.queue = p->queue,
		.queue_mask = p->queue_mask,
		.queue_limit = queue,
		.queue_max = queue,
		.id = p->id,
		.gen = p->gen,
		.fd = -1,
		.control_fd = -1,
		.last_to = PORT_NONE,
		.peer_uid = UINT32_MAX, /* nobody's */
		.flood_at = PORT_NONE,
		.blocked_at = PORT_NONE,
		.run_frames = SINGLE_RUN_FRAMES,
		.state = PORT_JOINING,
		.since_ms = now_ms,
	};
	ps->joining_count++;
	return p;
}

/* Floods by others than @p: what it would have been offered. */
static uint64_t floods_by_others(const struct ports *ps, const struct port *p)
{
	return ps->floods - p->counters->flooded;
}

static void flood_join(struct ports *ps, struct port *p)
{
	if (p->flood_at != PORT_NONE)
		return;
	p->flood_at = ps->flood_count;
	ps->flood[ps->flood_count++] = p;
}

static void flood_leave(struct ports *ps, struct port *p)
{
	struct port *last;

	if (p->flood_at == PORT_NONE)
		return;
	last = ps->flood[--ps->flood_count];
	ps->flood[p->flood_at] = last;
	last->flood_at = p->flood_at;
	p->flood_at = PORT_NONE;
}

static void blocked_join(struct ports *ps, struct port *p)
{
	if (p->blocked_at != PORT_NONE)
		return;
	p->blocked_at = ps->blocked_count;
	ps->blocked[ps->blocked_count++] = p;
}

static void blocked_leave(struct ports *ps, struct port *p)
{
	struct port *last;

	if (p->blocked_at == PORT_NONE)
		return;
	last = ps->blocked[--ps->blocked_count];
	ps->blocked[p->blocked_at] = last;
	last->blocked_at = p->blocked_at;
	p->blocked_at = PORT_NONE;
}

static void notify(struct ports *ps, struct port *p, enum port_news news)
{
	if (ps->notify)
		ps->notify(ps, p, news);
}

void port_changed(struct ports *ps, struct port *p)
{
	p->changed = ps->changed = true;
}

void port_up(struct ports *ps, struct port *p)
{
	assert(p->state == PORT_JOINING);
	p->state = PORT_UP;
	ps->joining_count--;
	ps->up_count++;
	flood_join(ps, p);
	trace_port_up(p);
	notify(ps, p, PORT_NEWS_UP);
	port_changed(ps, p);
}

void port_drop(struct ports *ps, struct port *p, struct frame *f, enum drop why)
{
	p->counters->drop[why]++;
	trace_frame_dropped(p, why, f->len);
	if (p->flags & PORT_OBSERVED)
		ps->observe(ps, p, f, SEEN_DROPPED, why);
}

void port_refuse(struct ports *ps, struct port *p, struct frame *f,
		 enum drop why)
{
	p->counters->offered++;
	port_drop(ps, p, f, why);
}

static int refuse(struct ports *ps, struct port *p, struct frame *f,
		  enum drop why)
{
	port_drop(ps, p, f, why);
	return -ENOBUFS;
}

static bool too_long(const struct port *p, const struct frame *f)
{
	uint32_t max = p->frame_max;

	if (f->len <= max)
		return false;
	if (p->tags_extra && ether_is_tagged(f->data))
		max += ETHER_TAG_BYTES;
	return f->len > max;
}

/* The @place'th of those that have frames to flush. */
static struct port **dirty_at(struct ports *ps, uint16_t place)
{
	return &ps->dirty[(ps->dirty_head + place) % PORTS_MAX];
}

static void make_dirty(struct ports *ps, struct port *p)
{
	if (p->dirty)
		return;
	p->dirty = true;
	*dirty_at(ps, ps->dirty_count++) = p;
}

int port_send(struct ports *ps, struct port *p, struct frame *f)
{
	p->counters->offered++;
	if (p->stalled)
		return refuse(ps, p, f, DROP_STALLED);
	if (too_long(p, f))
		return refuse(ps, p, f, DROP_TOO_LONG);
	if (p->queue_count >= p->queue_limit)
		return refuse(ps, p, f, DROP_QUEUE_FULL);
	frame_ref(f);
	*port_queue_at(p, p->queue_count++) = f;
	if (p->queue_count > p->queue_high)
		p->queue_high = p->queue_count;
	if (!p->blocked)
		make_dirty(ps, p);
	return 0;
}

bool port_requeue(struct ports *ps, struct port *p, struct frame *f)
{
	if (p->queue_count > p->queue_mask)
		return false;
	frame_ref(f);
	*port_queue_at(p, p->queue_count++) = f;
	make_dirty(ps, p);
	return true;
}

static void queue_pop(struct port *p)
{
	struct frame *f = p->queue[p->queue_head];

	p->queue_head = (p->queue_head + 1) & p->queue_mask;
	p->queue_count--;
	frame_unref(f);
}

static void drop_first(struct ports *ps, struct port *p, enum drop why)
{
	port_drop(ps, p, p->queue[p->queue_head], why);
	queue_pop(p);
}

static void queue_drop(struct ports *ps, struct port *p, enum drop why)
{
	while (p->queue_count)
		drop_first(ps, p, why);
}

static void queue_sent(struct ports *ps, struct port *p, unsigned n)
{
	p->counters->sent += n;
	for (; n; n--) {
		struct frame *f = p->queue[p->queue_head];

		p->counters->sent_bytes += f->len;
		trace_frame_sent(f, p);
		if (f->stamp)
			latency_note(&p->latency, f->stamp, clock_now_ns());
		if (p->flags & PORT_OBSERVED)
			ps->observe(ps, p, f, SEEN_OUT, 0);
		queue_pop(p);
	}
}

static void block(struct ports *ps, struct sw *sw, struct port *p,
		  uint64_t now_ms)
{
	p->blocked = true;
	if (!p->lagging || p->counters->sent - p->since_sent >= STALL_FRAMES) {
		p->since_ms = now_ms;
		p->since_sent = p->counters->sent;
	}
	if (!p->lagging)
		port_note_pace(p, now_ms);
	p->lagging = true;
	blocked_join(ps, p);
	p->ops->wait_writable(sw, p);
}

static void unblock(struct ports *ps, struct port *p)
{
	blocked_leave(ps, p);
	p->blocked = false;
}

/* The part of the queue that lies in one piece, a batch at most. */
static unsigned next_batch(const struct port *p)
{
	uint32_t n = p->queue_count;

	if (n > p->queue_mask + 1 - p->queue_head)
		n = p->queue_mask + 1 - p->queue_head;
	return n > p->ops->batch ? p->ops->batch : n;
}

/* A queue that a stall has shortened grows by what the port takes. */
static void grow_limit(struct port *p, unsigned taken)
{
	if (taken > p->queue_max - p->queue_limit)
		taken = p->queue_max - p->queue_limit;
	p->queue_limit += taken;
}

/* Nothing can be handed over, and why. */
static void send_failed(struct ports *ps, struct port *p, int err)
{
	p->unfinished = false;
	if (p->queue_count)
		drop_first(ps, p,
			   err == -ENETDOWN ? DROP_LINK_DOWN : DROP_SEND_ERROR);
}

/* Who has sent the next @n frames of @p; nobody, if several have, or one that
 * has left since. */
static uint32_t sender_of(const struct port *p, unsigned n)
{
	const struct pool *pool = n ? p->queue[p->queue_head]->pool : NULL;

	for (unsigned i = 1; i < n; i++)
		if (p->queue[p->queue_head + i]->pool != pool)
			return KEEPER_NOBODY;
	return !pool || pool->closed || pool->owner == POOL_NOBODYS
		       ? KEEPER_NOBODY
		       : pool->owner;
}

static void flush(struct ports *ps, struct sw *sw, struct port *p,
		  uint64_t now_ms)
{
	while ((p->queue_count || p->unfinished) && p->state == PORT_UP) {
		unsigned n = next_batch(p);
		int taken;

		/* If this crashes the switch, it is not the receiver's doing. */
		if (ps->kept)
			kept_blame(ps->kept, sender_of(p, n));
		taken = p->ops->send(sw, p, &p->queue[p->queue_head], n);
		if (taken < 0 && taken != -EAGAIN) {
			send_failed(ps, p, taken);
			continue;
		}
		if (taken > 0) {
			queue_sent(ps, p, (unsigned)taken);
			grow_limit(p, (unsigned)taken);
		}
		if (taken < (int)n || p->unfinished) {
			block(ps, sw, p, now_ms);
			return;
		}
	}
	p->lagging = false;
}

void ports_flush(struct ports *ps, struct sw *sw, uint64_t now_ms)
{
	/* Who mirrors makes others dirty meanwhile: each is in the list once. */
	while (ps->dirty_count) {
		struct port *p = *dirty_at(ps, 0);

		ps->dirty_head = (uint16_t)((ps->dirty_head + 1) % PORTS_MAX);
		ps->dirty_count--;
		p->dirty = false;
		flush(ps, sw, p, now_ms);
	}
	kept_blame(ps->kept, KEEPER_NOBODY);
}

/* While it is stalled and not in the list, floods are counted only. */
static void count_missed(const struct ports *ps, const struct port *p,
			 struct port_counters *c)
{
	uint64_t missed = floods_by_others(ps, p) - p->flood_mark;

	if (!p->stalled || p->flood_at != PORT_NONE ||
	    p->flags & PORT_ADMIN_DOWN)
		return;
	c->offered += missed;
	c->drop[DROP_STALLED] += missed;
}

void port_writable(struct ports *ps, struct port *p)
{
	if (p->state != PORT_UP)
		return;
	unblock(ps, p);
	if (!p->queue_count && !p->unfinished)
		p->lagging = false;
	if (p->stalled) {
		count_missed(ps, p, p->counters);
		p->stalled = false;
		if (!(p->flags & PORT_ADMIN_DOWN))
			flood_join(ps, p);
		notify(ps, p, PORT_NEWS_STALL_END);
	}
	if (p->queue_count || p->unfinished)
		make_dirty(ps, p);
}

void port_stall(struct ports *ps, struct port *p)
{
	p->stalled = true;
	p->lagging = false;
	p->counters->stalls++;
	if (p->queue_limit > PORT_QUEUE_PROBATION)
		p->queue_limit = PORT_QUEUE_PROBATION;
	blocked_leave(ps, p);
	trace_port_stalled(p, p->queue_count);
	queue_drop(ps, p, DROP_STALLED);
	if (!(p->flags & PORT_FLOOD_VARIES))
		flood_leave(ps, p);
	p->flood_mark = floods_by_others(ps, p);
	notify(ps, p, PORT_NEWS_STALL);
}

void port_set_flags(struct ports *ps, struct port *p, uint16_t flags)
{
	bool was_down = p->flags & PORT_ADMIN_DOWN;
	bool down = flags & PORT_ADMIN_DOWN;

	if (p->state == PORT_UP) {
		count_missed(ps, p, p->counters);
		p->flood_mark = floods_by_others(ps, p);
		ps->admin_down_count = (uint16_t)(ps->admin_down_count -
						  was_down + down);
		if (down && !was_down)
			queue_drop(ps, p, DROP_PORT_CLOSED);
	}
	p->flags = flags;
	if (p->state != PORT_UP)
		return;
	/* One that takes only some floods is asked for each of them. */
	if (down || (p->stalled && !(flags & PORT_FLOOD_VARIES)))
		flood_leave(ps, p);
	else
		flood_join(ps, p);
}

int port_set_queue(struct port *p, uint32_t frames)
{
	uint32_t room = power_of_two(frames > p->queue_count ? frames
							     : p->queue_count);
	struct frame **queue = malloc(room * sizeof(struct frame *));

	if (!queue)
		return -ENOMEM;
	for (uint32_t i = 0; i < p->queue_count; i++)
		queue[i] = *port_queue_at(p, i);
	free(p->queue);
	p->queue = queue;
	p->queue_head = 0;
	p->queue_mask = room - 1;
	p->queue_max = frames;
	p->queue_limit = frames;
	return 0;
}

void port_fail(struct ports *ps, struct port *p, const char *why)
{
	if (p->failed || p->state == PORT_CLOSING)
		return;
	ps->failed_count++;
	p->failed = why;
}

static void dirty_leave(struct ports *ps, struct port *p)
{
	for (uint16_t i = 0; p->dirty && i < ps->dirty_count; i++)
		if (*dirty_at(ps, i) == p) {
			*dirty_at(ps, i) = *dirty_at(ps, --ps->dirty_count);
			p->dirty = false;
		}
}

void port_detach(struct ports *ps, struct port *p)
{
	const char *why = p->failed ? p->failed : "the switch ends";
	struct port_counters last;

	if (p->failed)
		ps->failed_count--;
	if (p->state == PORT_JOINING) {
		ps->joining_count--;
	} else {
		unblock(ps, p);
		queue_drop(ps, p, DROP_PORT_CLOSED);
		dirty_leave(ps, p);
		trace_port_down(p, why);
		notify(ps, p, PORT_NEWS_DOWN);
		if (p->flags & PORT_ADMIN_DOWN)
			ps->admin_down_count--;
		last = port_counters(ps, p);
		port_counters_add(&ps->memory->gone, &last);
		latency_add(&ps->gone_latency, p->latency);
		port_name_leave(ps, p, &last);
		flood_leave(ps, p);
		port_set_device(ps, p, 0);
		ps->up_count--;
	}
	port_changed(ps, p);
	p->failed = NULL;
	p->state = PORT_CLOSING;
	ps->closing[ps->closing_count++] = p;
}

void port_free(struct ports *ps, struct port *p)
{
	assert(p->state == PORT_CLOSING && !p->armed && !p->cancels);
	for (uint16_t i = 0; i < ps->starved_count; i++)
		if (ps->starved[i] == p)
			ps->starved[i] = ps->starved[--ps->starved_count];
	for (uint16_t i = 0; i < ps->closing_count; i++)
		if (ps->closing[i] == p)
			ps->closing[i] = ps->closing[--ps->closing_count];
	p->ops->release(p);
	pool_close(p->pool);
	pool_close(p->copies);
	p->pool = p->copies = NULL;
	p->state = PORT_FREE;
	p->gen++;
}

struct port_counters port_counters(const struct ports *ps, const struct port *p)
{
	struct port_counters c = *p->counters;

	if (p->state == PORT_UP)
		count_missed(ps, p, &c);
	return c;
}
