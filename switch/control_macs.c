#include "client.h"
#include "control_commands.h"

#include <stdio.h>
#include <string.h>

#include "ether.h"
#include "ether_text.h"
#include "mac.h"
#include "port_name.h"
#include "sw.h"

static json_t *describe(struct sw *sw, const struct mac_entry *e)
{
	char address[ETHER_TEXT_BYTES];

	ether_text(e->addr, address);
	return json_pack("{s:s, s:s, s:o, s:b}", "address", address, "port",
			 sw->ports.by_id[e->port]->name, "age",
			 e->fixed ? json_null()
				  : json_integer(sw_now_s(sw) - e->seen_s),
			 "static", e->fixed);
}

static bool produce(struct sw *sw, struct client *c)
{
	struct mac_table *macs = sw->forward.macs;
	uint32_t end = c->at + CONTROL_PIECE_PLACES;
	unsigned some = CONTROL_PIECE_MACS;
	struct mac_entry e;

	if (!c->at)
		client_put_text(c, "[");
	while (some-- && c->at < end &&
	       mac_next(macs, &c->at, end - c->at, sw_now_s(sw), &e)) {
		if (*c->port && strcmp(c->port, sw->ports.by_id[e.port]->name))
			continue;
		client_put_separator(c);
		client_put_json(c, describe(sw, &e));
	}
	if (c->at < mac_capacity(macs))
		return false;
	client_put_text(c, "]");
	return true;
}

void control_mac_show(struct sw *sw, struct client *c, const json_t *arguments)
{
	control_each_port(sw, c, arguments, produce);
}

void control_mac_flush(struct sw *sw, struct client *c, const json_t *arguments)
{
	uint16_t id = MAC_NONE;

	if (json_object_get(arguments, "port")) {
		const struct port *p = control_port(sw, c, arguments);

		if (!p)
			return;
		id = p->id;
	}
	/* What has aged out is not there any more. */
	mac_count(sw->forward.macs, sw_now_s(sw));
	client_return(c, json_pack("{s:i}", "flushed",
				   mac_flush_learned(sw->forward.macs, id)));
}

/* The argument "address"; false with an answer if it is none. */
static bool read_address(struct client *c, const json_t *arguments,
			 uint64_t *addr)
{
	const char *text = control_string(arguments, "address");

	if (ether_parse(text, addr) && *addr && !ether_is_group(*addr))
		return true;
	client_refuse(c, "argument", "address '%.32s': must be a station's, as 02:00:00:00:00:01", text);
	return false;
}

/* By mac= of something but @except. */
static bool is_configured(const struct sw *sw, uint64_t addr,
			  const struct endpoint *except)
{
	const struct options *o = sw->options;

	for (unsigned i = 0; i < o->listener_count; i++)
		if (!o->listeners[i].removed && o->listeners[i].mac == addr &&
		    &o->listeners[i] != except)
			return true;
	for (unsigned i = 0; i < o->port_count; i++)
		if (!o->ports[i].removed && o->ports[i].mac == addr &&
		    &o->ports[i] != except)
			return true;
	return false;
}

void control_mac_add(struct sw *sw, struct client *c, const json_t *arguments)
{
	uint64_t addr;
	const struct port *p;

	if (!read_address(c, arguments, &addr))
		return;
	p = control_port(sw, c, arguments);
	if (!p)
		return;
	if (is_configured(sw, addr, p->endpoint)) {
		client_refuse(c, "refused", "address '%s': belongs to another port by its configuration (mac=)", control_string(arguments, "address"));
		return;
	}
	if (mac_fix(sw->forward.macs, addr, p->id, sw_now_s(sw)))
		client_refuse(c, "refused", "the table has no room for it: start with a larger --mac-table");
	else
		client_return(c, json_object());
}

void control_mac_del(struct sw *sw, struct client *c, const json_t *arguments)
{
	uint64_t addr;

	if (!read_address(c, arguments, &addr))
		return;
	if (is_configured(sw, addr, NULL)) {
		client_refuse(c, "refused", "address '%s': belongs to its port by its configuration (mac=)", control_string(arguments, "address"));
		return;
	}
	if (mac_forget(sw->forward.macs, addr, sw_now_s(sw)))
		client_return(c, json_object());
	else
		client_refuse(c, "not-found", "address '%s': is not in the table: see mac.show", control_string(arguments, "address"));
}
