#include "client.h"
#include "control_commands.h"

#include <string.h>

#include "events.h"
#include "listener.h"
#include "log.h"
#include "sw.h"

static int ports_of(const struct sw *sw, const struct endpoint *e)
{
	int n = 0;

	for (uint16_t i = 0; i < sw->ports.id_end; i++)
		n += sw->ports.by_id[i]->state == PORT_UP &&
		     sw->ports.by_id[i]->endpoint == e;
	return n;
}

static json_t *describe(const struct sw *sw, const struct listener *l)
{
	const struct endpoint *e = l->endpoint;
	char text[ENDPOINT_BYTES];

	return json_pack("{s:o, s:s, s:s, s:i, s:s?, s:i, s:o}", "listener",
			 client_text(endpoint_format_short(e, text,
							   sizeof(text))),
			 "kind",
			 endpoint_kinds[l->serves], "state",
			 l->paused ? "paused" : "listening", "ports",
			 ports_of(sw, e), "name", *e->name ? e->name : NULL,
			 "queue", e->queue ? e->queue : PORT_QUEUE, "mtu",
			 e->mtu ? json_integer(e->mtu) : json_null());
}

/* The one that is called @name (KIND:PATH), or NULL. */
static struct listener *find(struct sw *sw, const char *name)
{
	char text[ENDPOINT_BYTES];

	for (uint16_t i = 0; i < sw->listener_count; i++) {
		struct listener *l = &sw->listeners[i];

		if (listener_is_open(l) &&
		    !strcmp(endpoint_format_short(l->endpoint, text,
						  sizeof(text)),
			    name))
			return l;
	}
	return NULL;
}

static void refuse_name(struct client *c, const char *name)
{
	client_refuse(c, "not-found", "listener '%.160s': there is none of that name, KIND:PATH: see listener.show", name);
}

void control_listener_show(struct sw *sw, struct client *c,
			   const json_t *arguments)
{
	const char *name = control_string(arguments, "listener");
	const struct listener *one = name ? find(sw, name) : NULL;
	json_t *all;

	if (name && !one) {
		refuse_name(c, name);
		return;
	}
	all = json_array();
	for (uint16_t i = 0; i < sw->listener_count; i++) {
		const struct listener *l = &sw->listeners[i];

		if (listener_is_open(l) && (!one || one == l))
			json_array_append_new(all, describe(sw, l));
	}
	client_return(c, all);
}

static void tell(struct sw *sw, enum event event, const struct listener *l)
{
	char text[ENDPOINT_BYTES];

	endpoint_format_short(l->endpoint, text, sizeof(text));
	log_guest(sw->now_ms, "listener %s: %s", text,
		 event == EVENT_LISTENER_ADD ? "added" : "deleted");
	if (events_wanted(sw, event))
		events_tell(sw, event, "{s:o}", "listener", client_text(text));
}

void control_listener_add(struct sw *sw, struct client *c,
			  const json_t *arguments)
{
	struct endpoint *e = control_endpoint(
		sw, c, ENDPOINT_LISTENER, control_string(arguments, "endpoint"));
	char why[2048];
	struct listener *l;

	if (!e)
		return;
	l = listener_add(sw, e, why, sizeof(why));
	if (!l) {
		e->removed = true;
		client_refuse(c, "refused", "%s", why);
		return;
	}
	tell(sw, EVENT_LISTENER_ADD, l);
	client_return(c, describe(sw, l));
}

void control_listener_del(struct sw *sw, struct client *c,
			  const json_t *arguments)
{
	const char *name = control_string(arguments, "listener");
	struct listener *l = find(sw, name);

	if (!l) {
		refuse_name(c, name);
		return;
	}
	tell(sw, EVENT_LISTENER_DEL, l);
	((struct endpoint *)l->endpoint)->removed = true;
	listener_remove(sw, l);
	client_return(c, json_object());
}
