#include "client.h"
#include "control_commands.h"

#include <stdio.h>

#include "../tap/filter.h"
#include "port_tap.h"
#include "sw.h"

static void add_count(void *counts, const struct filter_count *c)
{
	json_array_append_new(
		counts, json_pack("{s:i, s:s, s:s, s:I, s:I, s:o, s:o}", "line",
				  (int)c->line, "direction", c->direction,
				  "action", c->action, "frames",
				  (json_int_t)c->frames, "bytes",
				  (json_int_t)c->bytes, "over",
				  c->limits ? json_integer((json_int_t)c->over)
					    : json_null(),
				  "text", client_text(c->text)));
}

static void add_lost(void *lost, const struct filter_lost *l)
{
	char hex[513] = "";

	for (unsigned i = 0; i < l->taken && 2 * i + 2 < sizeof(hex); i++)
		snprintf(hex + 2 * i, 3, "%02x", l->frame[i]);
	json_array_append_new(
		lost, json_pack("{s:i, s:s, s:I, s:i, s:s}", "line",
				(int)l->line, "direction", l->direction,
				"age_ms", (json_int_t)l->age_ms, "bytes",
				(int)l->bytes, "frame", hex));
}

/* Both arrays are filled by one visit. */
struct arrays {
	json_t *counts, *lost;
};

static void count(void *context, const struct filter_count *c)
{
	add_count(((struct arrays *)context)->counts, c);
}

static void lose(void *context, const struct filter_lost *l)
{
	add_lost(((struct arrays *)context)->lost, l);
}

static json_t *or_null(const char *text)
{
	return *text ? client_text(text) : json_null();
}

static json_t *describe(struct sw *sw, const struct port *p)
{
	struct arrays arrays = { json_array(), json_array() };
	const struct filter_visitor v = { count, lose, &arrays };
	const struct filter_options *o;
	char in_force[2560];

	(void)sw;
	if (!p->filter) {
		json_decref(arrays.counts);
		json_decref(arrays.lost);
		return NULL;
	}
	o = filter_options(p->filter);
	filter_describe(p->filter, in_force, sizeof(in_force));
	filter_visit(p->filter, &v);
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "port",
			 p->name, "rules", or_null(o->rules), "object",
			 or_null(o->object), "accept_to_guests",
			 or_null(o->expression), "in_force", client_text(in_force),
			 "counters", arrays.counts, "dropped", arrays.lost);
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

void control_filter_show(struct sw *sw, struct client *c,
			 const json_t *arguments)
{
	control_each_port(sw, c, arguments, produce);
}

void control_filter_load(struct sw *sw, struct client *c,
			 const json_t *arguments)
{
	const struct port *p = NULL;
	char why[FILTER_WHY_BYTES];

	if (json_object_get(arguments, "port")) {
		p = control_port(sw, c, arguments);
		if (!p)
			return;
		if (!p->filter || !*p->endpoint->rules) {
			client_refuse(c, "refused", "port '%s': has no rules to load: it was started without rules=", p->name);
			return;
		}
	}
	if (tap_ports_reload(sw, p, why, sizeof(why)))
		client_refuse(c, "refused", "%s (the old rules stay in force)", why);
	else
		control_each_port(sw, c, arguments, produce);
}
