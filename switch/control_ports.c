#include "client.h"
#include "control_commands.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "events.h"
#include "handover.h"
#include "log.h"
#include "mac.h"
#include "observe.h"
#include "opener.h"
#include "port_name.h"
#include "port_open.h"
#include "port_security.h"
#include "stats.h"
#include "sw.h"

/* --- show ----------------------------------------------------------------- */

static json_t *number_or_null(uint32_t n)
{
	return n ? json_integer(n) : json_null();
}

static json_t *describe(struct sw *sw, const struct port *p)
{
	bool off = p->flags & PORT_ADMIN_DOWN;
	char endpoint[ENDPOINT_BYTES];

	endpoint_format_short(p->endpoint, endpoint, sizeof(endpoint));
	return json_pack(
		"{s:s, s:i, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:i, s:i, s:i, s:b, s:b, s:b, s:b, s:i, s:s?, s:i, s:i, s:b, s:b, s:i, s:i, s:i}",
		"name", p->name, "id", p->id, "kind", p->kind, "state",
		stats_state(p), "admin", off ? "down" : "up", "endpoint",
		client_text(endpoint), "description",
		client_text(p->description), "pid",
		number_or_null(p->peer_pid), "uid",
		p->peer_pid ? json_integer(p->peer_uid) : json_null(),
		"frame_max", p->frame_max, "queue", p->queue_max, "queued",
		p->queue_count, "isolated", !!(p->flags & PORT_ISOLATED),
		"learning", !(p->flags & PORT_NO_LEARNING), "flood",
		!(p->flags & PORT_NO_FLOOD), "locked",
		!!(p->flags & PORT_LOCKED), "mac_limit", p->mac_limit, "mirror",
		*p->mirror_name ? p->mirror_name : NULL, "macs",
		mac_held(sw->forward.macs, p->id, sw_now_s(sw)), "captures",
		p->captures, "filter", !!p->filter, "no_spoof",
		!!(p->flags & PORT_NO_SPOOF), "storm_broadcast",
		p->storms[STORM_BROADCAST].rate, "storm_multicast",
		p->storms[STORM_MULTICAST].rate, "storm_unknown",
		p->storms[STORM_UNKNOWN].rate);
}

static bool produce(struct sw *sw, struct client *c)
{
	if (!c->at && !c->any)
		client_put_text(c, "[");
	if (!control_next_ports(sw, c, describe))
		return false;
	client_put_text(c, "]");
	return true;
}

void control_port_show(struct sw *sw, struct client *c, const json_t *arguments)
{
	control_each_port(sw, c, arguments, produce);
}

/* --- add and delete ------------------------------------------------------- */

static bool is_used(const void *context, const struct endpoint *e)
{
	const struct ports *ps = context;

	for (uint16_t i = 0; i < ps->id_end; i++)
		if (ps->by_id[i]->state != PORT_FREE &&
		    ps->by_id[i]->endpoint == e)
			return true;
	return false;
}

struct endpoint *control_endpoint(struct sw *sw, struct client *c,
				  enum endpoint_role role, const char *text)
{
	struct endpoint e, *place;
	char why[512];
	int err;

	if (strlen(text) >= ENDPOINT_BYTES) {
		client_refuse(c, "argument", "endpoint '%.160s...': is too long", text);
		return NULL;
	}
	/* Groups have their names in a file, which only the opener can read. */
	err = strstr(text, "group=")
		      ? opener_parse(sw_opener(sw), role, text, &e, why,
				     sizeof(why))
		      : endpoint_parse(role, text, &e, why, sizeof(why));
	if (err && err != -EINVAL) {
		client_refuse(c, "refused", "%s", why);
		return NULL;
	}
	if (err) {
		client_refuse(c, "argument", "endpoint '%.160s': must be %s", text, why);
		return NULL;
	}
	if (e.kind == LISTEN_FD || e.kind == PORT_FD) {
		client_refuse(c, "argument", "endpoint '%.160s': descriptors are inherited at the start only", text);
		return NULL;
	}
	if (options_may_add(sw->options, &e, why, sizeof(why))) {
		client_refuse(c, "exists", "%s", why);
		return NULL;
	}
	place = options_add(sw->options, &e, is_used, &sw->ports);
	if (!place)
		client_refuse(c, "refused", "endpoint '%.160s': there are %d already", text, STATIC_PORTS_MAX);
	return place;
}

void control_port_add(struct sw *sw, struct client *c, const json_t *arguments)
{
	struct endpoint *e = control_endpoint(
		sw, c, ENDPOINT_PORT, control_string(arguments, "endpoint"));
	char why[2048];
	struct port *p;

	if (!e)
		return;
	if (*e->name && port_by_name(&sw->ports, e->name)) {
		client_refuse(c, "exists", "port '%s': there is one of that name: choose another", e->name);
		e->removed = true;
		return;
	}
	if (port_open(sw, e, why, sizeof(why))) {
		client_refuse(c, "refused", "%s", why);
		e->removed = true;
		p = port_of_endpoint(&sw->ports, e);
		if (p)
			port_fail(&sw->ports, p, "it cannot be opened");
		return;
	}
	p = port_of_endpoint(&sw->ports, e);
	p->ops->arm_recv(sw, p);
	handover_options_changed(sw);
	log_guest(sw->now_ms, "port %s: added", p->name);
	client_return(c, describe(sw, p));
}

void control_port_del(struct sw *sw, struct client *c, const json_t *arguments)
{
	struct port *p = control_port(sw, c, arguments);

	if (!p)
		return;
	if (endpoint_role(p->endpoint->kind) == ENDPOINT_PORT)
		((struct endpoint *)p->endpoint)->removed = true;
	handover_options_changed(sw);
	port_fail(&sw->ports, p, "deleted by the control client");
	client_wait(c, p->id, p->gen);
}

/* --- up and down ---------------------------------------------------------- */

/* @what is taken. */
static void say_set(struct sw *sw, const struct port *p, json_t *what)
{
	if (events_wanted(sw, EVENT_PORT_SET))
		events_tell(sw, EVENT_PORT_SET, "{s:s, s:O}", "port", p->name,
			    "set", what);
	json_decref(what);
}

static void switch_port(struct sw *sw, struct client *c,
			const json_t *arguments, bool down)
{
	struct port *p = control_port(sw, c, arguments);

	if (!p)
		return;
	port_set_flags(&sw->ports, p,
		       (uint16_t)(down ? p->flags | PORT_ADMIN_DOWN
				       : p->flags & ~PORT_ADMIN_DOWN));
	if (down)
		mac_flush_learned(sw->forward.macs, p->id);
	else if (p->quarantined)
		handover_release(sw, p);
	port_changed(&sw->ports, p);
	say_set(sw, p, json_pack("{s:s}", "admin", down ? "down" : "up"));
	client_return(c, describe(sw, p));
}

void control_port_up(struct sw *sw, struct client *c, const json_t *arguments)
{
	switch_port(sw, c, arguments, false);
}

void control_port_down(struct sw *sw, struct client *c, const json_t *arguments)
{
	switch_port(sw, c, arguments, true);
}

/* --- set ------------------------------------------------------------------ */

/* What is to become of a port: checked as a whole, then done. */
struct wish {
	const char *name;    /* NULL: as it is */
	const char *mirror;  /* the same; "": none */
	uint32_t queue;	     /* 0: as it is */
	json_int_t mac_limit;
	uint32_t storm_rates[STORM_KINDS];
	uint16_t flags;
};

static const char *const storm_words[STORM_KINDS] = {
	[STORM_BROADCAST] = "storm_broadcast",
	[STORM_MULTICAST] = "storm_multicast",
	[STORM_UNKNOWN] = "storm_unknown",
};

static void wish_flag(const json_t *arguments, const char *name, uint16_t flag,
		      bool inverse, uint16_t *flags)
{
	const json_t *value = json_object_get(arguments, name);

	if (!value)
		return;
	if (json_is_true(value) != inverse)
		*flags |= flag;
	else
		*flags &= (uint16_t)~flag;
}

static bool is_mirror_target(const struct sw *sw, const char *name)
{
	for (uint16_t i = 0; i < sw->ports.id_end; i++)
		if (sw->ports.by_id[i]->state == PORT_UP &&
		    !strcmp(sw->ports.by_id[i]->mirror_name, name))
			return true;
	return false;
}

static bool mirror_is_good(struct sw *sw, struct client *c,
			   const struct port *p, const char *name)
{
	const struct port *to = port_by_name(&sw->ports, name);

	if (!to)
		client_refuse(c, "not-found", "mirror '%.64s': there is no port of that name: see port.show", name);
	else if (to == p)
		client_refuse(c, "argument", "mirror '%s': is the port itself: choose another", name);
	else if (*to->mirror_name)
		client_refuse(c, "argument", "mirror '%s': is mirrored itself, to %s: choose another", name, to->mirror_name);
	else if (is_mirror_target(sw, p->name))
		client_refuse(c, "argument", "mirror '%s': others are mirrored to %s: their copies would be copied", name, p->name);
	else
		return true;
	return false;
}

static bool name_is_good(struct sw *sw, struct client *c, const struct port *p,
			 const char *name)
{
	const struct port *other = port_by_name(&sw->ports, name);

	if (!endpoint_name_is_good(name))
		client_refuse(c, "argument", "name '%.64s': must be 1 to %d letters, digits and ._+:@-, but not 'closed', 'total' or 'all'", name, PORT_NAME_BYTES - 1);
	else if (other && other != p)
		client_refuse(c, "exists", "name '%s': another port has it: choose another", name);
	else
		return true;
	return false;
}

static bool numbers_are_good(struct client *c, const json_t *arguments,
			     struct wish *w)
{
	const json_t *queue = json_object_get(arguments, "queue");
	const json_t *limit = json_object_get(arguments, "mac_limit");
	json_int_t frames = json_integer_value(queue);

	if (queue && (frames < 1 || frames > PORT_QUEUE_MAX)) {
		client_refuse(c, "argument", "queue: must be 1 to %d frames", PORT_QUEUE_MAX);
		return false;
	}
	if (limit)
		w->mac_limit = json_integer_value(limit);
	if (w->mac_limit < 0 || w->mac_limit > MAC_LIMIT_MAX) {
		client_refuse(c, "argument", "mac_limit: must be 0 (none) to %d addresses", MAC_LIMIT_MAX);
		return false;
	}
	w->queue = (uint32_t)frames;
	w->flags = (uint16_t)(w->mac_limit ? w->flags | PORT_MAC_LIMIT
					   : w->flags & ~PORT_MAC_LIMIT);
	return true;
}

static bool storms_are_good(struct client *c, const json_t *arguments,
			    struct wish *w)
{
	for (int i = 0; i < STORM_KINDS; i++) {
		const json_t *rate = json_object_get(arguments, storm_words[i]);
		json_int_t frames = json_integer_value(rate);

		if (frames < 0 || frames > STORM_RATE_MAX) {
			client_refuse(c, "argument", "%s: must be 0 (no limit) to %d frames a second", storm_words[i], STORM_RATE_MAX);
			return false;
		}
		if (rate)
			w->storm_rates[i] = (uint32_t)frames;
	}
	w->flags = port_storm_flag(w->flags, w->storm_rates);
	return true;
}

static bool read_wish(struct sw *sw, struct client *c, const struct port *p,
		      const json_t *arguments, struct wish *w)
{
	const json_t *mirror = json_object_get(arguments, "mirror");

	*w = (struct wish){ .name = control_string(arguments, "name"),
			    .mac_limit = p->mac_limit,
			    .flags = p->flags };
	wish_flag(arguments, "isolated", PORT_ISOLATED, false, &w->flags);
	wish_flag(arguments, "learning", PORT_NO_LEARNING, true, &w->flags);
	wish_flag(arguments, "flood", PORT_NO_FLOOD, true, &w->flags);
	wish_flag(arguments, "locked", PORT_LOCKED, false, &w->flags);
	wish_flag(arguments, "no_spoof", PORT_NO_SPOOF, false, &w->flags);
	port_storm_rates(p, w->storm_rates);
	if (mirror)
		w->mirror = json_is_null(mirror) ? ""
						 : json_string_value(mirror);
	if (w->mirror && !*w->mirror && !json_is_null(mirror)) {
		client_refuse(c, "argument", "mirror: must be a port's name, or null for none");
		return false;
	}
	if (json_object_size(arguments) < 2) {
		client_refuse(c, "argument", "port.set needs something to set: see help");
		return false;
	}
	return numbers_are_good(c, arguments, w) &&
	       storms_are_good(c, arguments, w) &&
	       (!w->name || name_is_good(sw, c, p, w->name)) &&
	       (!w->mirror || !*w->mirror ||
		mirror_is_good(sw, c, p, w->mirror));
}

/* One that was configured has it in its configuration from now on. */
static void configure(struct port *p, const struct wish *w)
{
	struct endpoint *e = (struct endpoint *)p->endpoint;
	const uint16_t runtime = PORT_OBSERVED | PORT_ADMIN_DOWN;

	if (endpoint_role(e->kind) != ENDPOINT_PORT)
		return;
	e->flags = (uint16_t)(p->flags & ~runtime);
	e->mac_limit = p->mac_limit;
	port_storm_rates(p, e->storm_rates);
	memcpy(e->mirror, p->mirror_name, sizeof(e->mirror));
	if (w->queue)
		e->queue = w->queue;
	if (w->name)
		memcpy(e->name, p->name, sizeof(e->name));
}

/* Those that mirror to it go on doing so. */
static void rename_port(struct sw *sw, struct port *p, const char *name)
{
	for (uint16_t i = 0; i < sw->ports.id_end; i++) {
		struct port *from = sw->ports.by_id[i];

		if (from->state != PORT_UP || strcmp(from->mirror_name, p->name))
			continue;
		snprintf(from->mirror_name, sizeof(from->mirror_name), "%s",
			 name);
		if (endpoint_role(from->endpoint->kind) == ENDPOINT_PORT)
			memcpy(((struct endpoint *)from->endpoint)->mirror,
			       from->mirror_name, sizeof(from->mirror_name));
	}
	port_rename(p, name);
}

void control_port_set(struct sw *sw, struct client *c, const json_t *arguments)
{
	struct port *p = control_port(sw, c, arguments);
	struct wish w;
	json_t *what;

	if (!p || !read_wish(sw, c, p, arguments, &w))
		return;
	if (w.queue && port_set_queue(p, w.queue)) {
		client_refuse(c, "refused", "no memory for a queue of %u frames", w.queue);
		return;
	}
	p->mac_limit = (uint16_t)w.mac_limit;
	port_set_storms(p, w.storm_rates);
	port_set_flags(&sw->ports, p, w.flags);
	if (w.name)
		rename_port(sw, p, w.name);
	if (w.mirror)
		snprintf(p->mirror_name, sizeof(p->mirror_name), "%s",
			 w.mirror);
	configure(p, &w);
	port_changed(&sw->ports, p);
	handover_options_changed(sw);
	sw->mirrors_changed = true;
	what = json_copy((json_t *)arguments);
	json_object_del(what, "port");
	say_set(sw, p, what);
	client_return(c, describe(sw, p));
}
