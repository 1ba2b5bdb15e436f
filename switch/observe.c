#include "observe.h"

#include <string.h>

#include "capture.h"
#include "events.h"
#include "port_io.h"
#include "mac.h"
#include "port_name.h"
#include "port_security.h"
#include "sw.h"

/* A copy would be of no use to the port that it is of, nor to one whose own
 * frames are copied: they would go round. */
static bool may_mirror(const struct port *p, const struct port *to)
{
	return to && to != p && *p->mirror_name && !*to->mirror_name;
}

void observe_port(struct sw *sw, struct port *p)
{
	bool observed = p->captures || p->mirror;
	uint16_t flags = (uint16_t)(observed ? p->flags | PORT_OBSERVED
					     : p->flags & ~PORT_OBSERVED);

	if (flags != p->flags)
		port_set_flags(&sw->ports, p, flags);
}

void observe_find_mirrors(struct sw *sw)
{
	struct port *to = NULL;

	for (uint16_t i = 0; i < sw->ports.id_end; i++) {
		struct port *p = sw->ports.by_id[i];

		if (p->state != PORT_UP || (!*p->mirror_name && !p->mirror))
			continue;
		/* Many of one listener have the same. */
		if (!to || strcmp(to->name, p->mirror_name))
			to = port_by_name(&sw->ports, p->mirror_name);
		p->mirror = may_mirror(p, to) ? to : NULL;
		observe_port(sw, p);
	}
}

/* Of what @to can take. */
static struct pool *make_copies(const struct port *to)
{
	return pool_new_own(MIRROR_BUFFERS,
			    port_io_buffer_bytes(to->frame_max));
}

/* A copy in memory that is @to's: one that reads slowly must not hold buffers of
 * those whose frames it looks at. */
static void send_copy(struct ports *ps, struct port *to, struct frame *f)
{
	struct frame *copy;

	if (!to->copies)
		to->copies = make_copies(to);
	if (to->copies && f->len > to->copies->slot_bytes) {
		port_refuse(ps, to, f, DROP_TOO_LONG);
		return;
	}
	copy = to->copies ? pool_get(to->copies) : NULL;
	if (!copy) {
		port_refuse(ps, to, f, DROP_QUEUE_FULL);
		return;
	}
	memcpy(copy->data, f->data, f->len);
	copy->len = f->len;
	port_send(ps, to, copy);
	frame_unref(copy);
}

static void observe(struct ports *ps, struct port *p, struct frame *f,
		    enum seen seen, enum drop why)
{
	if (p->captures)
		captures_take(sw_of_ports(ps), p, f, seen, why);
	/* What has come from there is known there. */
	if (p->mirror && seen != SEEN_DROPPED &&
	    f->pool != p->mirror->pool &&
	    !(p->mirror->flags & PORT_ADMIN_DOWN))
		send_copy(ps, p->mirror, f);
}

/* @p is leaving: nobody may go on mirroring to it. */
static void forget_mirror(struct sw *sw, const struct port *p)
{
	for (uint16_t i = 0; i < sw->ports.id_end; i++)
		if (sw->ports.by_id[i]->mirror == p) {
			sw->ports.by_id[i]->mirror = NULL;
			observe_port(sw, sw->ports.by_id[i]);
		}
}

/* As its listener, or itself, was configured; but a guest that is back is as it
 * was set when it left. */
static void take_settings(struct ports *ps, struct port *p)
{
	const struct endpoint *e = p->endpoint;
	struct port_settings s = { .flags = e->flags,
				   .mac_limit = e->mac_limit,
				   .queue = p->queue_max };

	memcpy(s.mirror_name, e->mirror, sizeof(s.mirror_name));
	memcpy(s.storm_rates, e->storm_rates, sizeof(s.storm_rates));
	if (p->kept && endpoint_role(e->kind) == ENDPOINT_LISTENER)
		s = p->last;
	p->mac_limit = s.mac_limit;
	port_set_storms(p, s.storm_rates);
	memcpy(p->mirror_name, s.mirror_name, sizeof(p->mirror_name));
	if (s.queue != p->queue_max)
		port_set_queue(p, s.queue);
	if (s.flags)
		port_set_flags(ps, p, p->flags | s.flags);
}

/* The address that its endpoint says is its own. A listener has one, and may
 * have several ports: it is the first one's while that is there. */
static void take_address(struct sw *sw, const struct port *p)
{
	struct mac_table *macs = sw->forward.macs;
	uint64_t mac = p->endpoint->mac;

	if (mac && mac_fixed_port(macs, mac) == MAC_NONE)
		mac_fix(macs, mac, p->id, sw_now_s(sw));
}

/* One that leaves leaves it to another. The table has forgotten it already. */
static void leave_address(struct sw *sw, const struct port *p)
{
	struct mac_table *macs = sw->forward.macs;
	uint64_t mac = p->endpoint->mac;

	if (!mac || mac_fixed_port(macs, mac) != MAC_NONE)
		return;
	for (uint16_t i = 0; i < sw->ports.id_end; i++) {
		const struct port *next = sw->ports.by_id[i];

		if (next == p || next->state != PORT_UP ||
		    next->endpoint != p->endpoint)
			continue;
		mac_fix(macs, mac, next->id, sw_now_s(sw));
		return;
	}
}

static void on_news(struct ports *ps, struct port *p, enum port_news news)
{
	struct sw *sw = sw_of_ports(ps);

	if (news == PORT_NEWS_UP) {
		take_settings(ps, p);
		take_address(sw, p);
		captures_port_up(sw, p);
		sw->mirrors_changed = true;
	} else if (news == PORT_NEWS_DOWN) {
		forget_mirror(sw, p);
		leave_address(sw, p);
		captures_port_down(sw, p);
	}
	events_news(sw, p, news);
}

void observe_start(struct sw *sw)
{
	sw->ports.observe = observe;
	sw->ports.notify = on_news;
	observe_find_mirrors(sw);
}
