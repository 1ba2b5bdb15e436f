#include "events.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "clock.h"
#include "control.h"
#include "ether_text.h"
#include "loop.h"
#include "sw.h"

const char *const event_names[EVENT_COUNT] = {
	[EVENT_PORT_UP] = "port-up",
	[EVENT_PORT_DOWN] = "port-down",
	[EVENT_PORT_SET] = "port-set",
	[EVENT_MAC_LEARNED] = "mac-learned",
	[EVENT_MAC_MOVED] = "mac-moved",
	[EVENT_DROPS] = "drops",
	[EVENT_STALL] = "stall",
	[EVENT_STALL_END] = "stall-end",
	[EVENT_RELOAD] = "reload",
	[EVENT_LISTENER_ADD] = "listener-add",
	[EVENT_LISTENER_DEL] = "listener-del",
};

/* What had been dropped when it was told last. */
struct told {
	uint32_t gen;
	uint64_t drop[DROP_COUNT];
};

struct events {
	uint32_t wanted; /* by anybody */
	uint64_t macs_since_ms;
	unsigned macs; /* told of since then */
	struct told *told; /* by port id; NULL while nobody wants drops */
};

int events_open(struct sw *sw)
{
	sw->events = calloc(1, sizeof(*sw->events));
	return sw->events ? 0 : -ENOMEM;
}

void events_close(struct sw *sw)
{
	if (sw->events)
		free(sw->events->told);
	free(sw->events);
	sw->events = NULL;
}

bool events_wanted(const struct sw *sw, enum event event)
{
	return sw->events->wanted & 1u << event;
}

/* --- telling -------------------------------------------------------------- */

static double wall_s(void)
{
	return (double)(clock_wall_ns() / 1000) / 1e6;
}

/* Of those who read too slowly: say so as soon as there is room. */
static void tell_lost(struct client *c)
{
	if (!c->events_lost)
		return;
	client_put_json(c, json_pack("{s:i, s:s, s:f, s:I}", "version", 1,
				     "event", "lost", "time", wall_s(),
				     "events", (json_int_t)c->events_lost));
	client_put_text(c, "\n");
	c->events_lost = 0;
}

struct line {
	enum event event;
	const char *text; /* with its newline; NULL: it is lost for all */
	size_t bytes;
};

static void tell_one(struct sw *sw, struct client *c, void *context)
{
	const struct line *line = context;

	if (!(c->events & 1u << line->event))
		return;
	if (!line->text || client_pending(c) >= CONTROL_OUT_BYTES) {
		c->events_lost++;
		control_lost_event(sw);
		return;
	}
	tell_lost(c);
	client_put(c, line->text, line->bytes);
	control_say(sw, c);
}

static void tell(struct sw *sw, enum event event, json_t *members)
{
	struct line line = { .event = event };
	json_t *all = json_pack("{s:i, s:s, s:f}", "version", 1, "event",
				event_names[event], "time", wall_s());
	char *text = NULL;

	if (all && members && !json_object_update(all, members))
		text = json_dumps(all, CLIENT_JSON);
	if (text) {
		/* The newline takes the place of the NUL. */
		line.text = text;
		line.bytes = strlen(text) + 1;
		text[line.bytes - 1] = '\n';
	}
	clients_each(sw, tell_one, &line);
	free(text);
	json_decref(all);
}

void events_tell(struct sw *sw, enum event event, const char *format, ...)
{
	json_t *members;
	va_list args;

	va_start(args, format);
	members = json_vpack_ex(NULL, 0, format, args);
	va_end(args);
	tell(sw, event, members);
	json_decref(members);
}

/* --- ports ---------------------------------------------------------------- */

static bool has_told_drops(struct sw *sw, const struct port *p)
{
	struct told *told = sw->events->told;

	if (!told)
		return false;
	if (told[p->id].gen != p->gen) {
		told[p->id] = (struct told){ .gen = p->gen };
		/* A port that has come back brings counts along. */
		memcpy(told[p->id].drop, p->counters->drop,
		       sizeof(told[p->id].drop));
	}
	return true;
}

static void tell_drops(struct sw *sw, const struct port *p)
{
	struct port_counters now;

	if (!has_told_drops(sw, p))
		return;
	now = port_counters(&sw->ports, p);
	for (int why = 0; why < DROP_COUNT; why++) {
		uint64_t *told = &sw->events->told[p->id].drop[why];

		if (now.drop[why] > *told)
			events_tell(sw, EVENT_DROPS, "{s:s, s:s, s:I}", "port",
				    p->name, "reason", drop_names[why],
				    "frames",
				    (json_int_t)(now.drop[why] - *told));
		*told = now.drop[why];
	}
}

static void tell_up(struct sw *sw, const struct port *p)
{
	has_told_drops(sw, p);
	if (!events_wanted(sw, EVENT_PORT_UP))
		return;
	if (p->peer_pid)
		events_tell(sw, EVENT_PORT_UP, "{s:s, s:s, s:I, s:I}", "port",
			    p->name, "kind", p->kind, "pid",
			    (json_int_t)p->peer_pid, "uid",
			    (json_int_t)p->peer_uid);
	else
		events_tell(sw, EVENT_PORT_UP, "{s:s, s:s, s:n, s:n}", "port",
			    p->name, "kind", p->kind, "pid", "uid");
}

static void tell_down(struct sw *sw, const struct port *p)
{
	tell_drops(sw, p);
	if (events_wanted(sw, EVENT_PORT_DOWN))
		events_tell(sw, EVENT_PORT_DOWN, "{s:s, s:s, s:s}", "port",
			    p->name, "kind", p->kind, "why",
			    p->failed ? p->failed : "the switch ends");
}

void events_news(struct sw *sw, const struct port *p, enum port_news news)
{
	enum event event = news == PORT_NEWS_STALL ? EVENT_STALL
						   : EVENT_STALL_END;

	if (!sw->events->wanted)
		return;
	if (news == PORT_NEWS_UP)
		tell_up(sw, p);
	else if (news == PORT_NEWS_DOWN)
		tell_down(sw, p);
	else if (events_wanted(sw, event))
		events_tell(sw, event, "{s:s}", "port", p->name);
}

/* --- addresses ------------------------------------------------------------ */

/* A guest can make up millions: beyond some a second, they are lost. */
static bool is_one_too_many(struct sw *sw)
{
	struct events *e = sw->events;

	if (sw->now_ms - e->macs_since_ms >= 1000) {
		e->macs_since_ms = sw->now_ms;
		e->macs = 0;
	}
	return ++e->macs > MAC_EVENTS_A_SECOND;
}

static void on_learned(struct forward *fw, struct port *in, uint64_t src,
		       enum mac_learned what)
{
	struct sw *sw = sw_of_forward(fw);
	enum event event = what == MAC_NEW ? EVENT_MAC_LEARNED
					   : EVENT_MAC_MOVED;
	const struct line lost = { .event = event };
	char address[ETHER_TEXT_BYTES];

	if (!events_wanted(sw, event))
		return;
	if (is_one_too_many(sw)) {
		clients_each(sw, tell_one, (void *)&lost);
		return;
	}
	ether_text(src, address);
	if (what == MAC_NEW)
		events_tell(sw, event, "{s:s, s:s}", "address", address, "port",
			    in->name);
	else
		events_tell(sw, event, "{s:s, s:s, s:s}", "address", address,
			    "from",
			    sw->ports.by_id[mac_moved_from(fw->macs)]->name,
			    "to", in->name);
}

/* --- who listens ---------------------------------------------------------- */

static void add_wanted(struct sw *sw, struct client *c, void *context)
{
	(void)context;
	sw->events->wanted |= c->events;
}

/* Be told of as much as somebody wants to know. */
static void follow_wanted(struct sw *sw)
{
	struct events *e = sw->events;
	uint32_t macs = 1u << EVENT_MAC_LEARNED | 1u << EVENT_MAC_MOVED;

	e->wanted = 0;
	clients_each(sw, add_wanted, NULL);
	sw->forward.learned = e->wanted & macs ? on_learned : NULL;
	if (e->wanted)
		loop_arm_second(sw);
	if (!events_wanted(sw, EVENT_DROPS)) {
		free(e->told);
		e->told = NULL;
		return;
	}
	if (e->told)
		return;
	e->told = calloc(PORTS_MAX, sizeof(*e->told));
	for (uint16_t i = 0; e->told && i < sw->ports.id_end; i++) {
		e->told[i].gen = sw->ports.by_id[i]->gen;
		memcpy(e->told[i].drop,
		       port_counters(&sw->ports, sw->ports.by_id[i]).drop,
		       sizeof(e->told[i].drop));
	}
}

void events_join(struct sw *sw, struct client *c, uint32_t wanted)
{
	c->events = wanted;
	follow_wanted(sw);
}

void events_leave(struct sw *sw, struct client *c)
{
	if (!c->events)
		return;
	c->events = 0;
	follow_wanted(sw);
}

/* One that has ended its side may go, and nobody is told. */
static bool has_gone(const struct client *c)
{
	struct pollfd state = { .fd = c->fd };

	return c->events && c->in_ended && poll(&state, 1, 0) == 1 &&
	       state.revents & POLLHUP;
}

static void look_after(struct sw *sw, struct client *c, void *context)
{
	(void)context;
	if (has_gone(c)) {
		c->failed = true;
		control_say(sw, c);
	}
	if (!c->events_lost || client_pending(c) >= CONTROL_OUT_BYTES)
		return;
	tell_lost(c);
	control_say(sw, c);
}

bool events_second(struct sw *sw)
{
	if (!sw->events->wanted)
		return false;
	clients_each(sw, look_after, NULL);
	for (uint16_t i = 0; sw->events->told && i < sw->ports.id_end; i++)
		if (sw->ports.by_id[i]->state == PORT_UP)
			tell_drops(sw, sw->ports.by_id[i]);
	return true;
}
