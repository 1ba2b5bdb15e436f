#include <stdio.h>
#include <unistd.h>

#include "../tap/filter.h"
#include "client.h"
#include "endpoint.h"
#include "events.h"
#include "log.h"
#include "opener.h"
#include "port.h"
#include "port_tap.h"
#include "port_tap_inside.h"
#include "sw.h"

void port_tap_say_filter(const struct port *p, uint32_t foreign_xdp)
{
	char text[2560];

	if (foreign_xdp)
		log_info("tap %s: has an XDP program of somebody else's, id %u, which judges what goes to the host (see it: bpftool prog show id %u)",
			 p->endpoint->argument, foreign_xdp, foreign_xdp);
	if (!p->filter)
		return;
	filter_describe(p->filter, text, sizeof(text));
	log_info("tap %s: %s", p->endpoint->argument, text);
}

void port_tap_say_down(const struct port *p, const char *name)
{
	log_info("tap %s: is down, and bringing it up is not permitted: ip link set %s up",
		 p->name, name);
}

static void tell_reload(struct sw *sw, const struct port *p, int err,
			const char *why)
{
	char text[2560];

	if (err) {
		log_error("%s", why);
		log_error("tap %s: rules: the old ones stay in force",
			  p->endpoint->argument);
	} else {
		port_tap_say_filter(p, 0);
	}
	if (!events_wanted(sw, EVENT_RELOAD))
		return;
	filter_describe(p->filter, text, sizeof(text));
	events_tell(sw, EVENT_RELOAD, "{s:s, s:b, s:o}", "port", p->name, "ok",
		    !err, "message", client_text(err ? why : text));
}

/* The switch itself can open no file any more. */
static int reload(struct sw *sw, struct port *p, char *why, size_t why_bytes)
{
	char reason[512];
	int fd = opener_rules(sw->opener, p->endpoint->rules, reason,
			      sizeof(reason));
	int err;

	if (fd < 0) {
		snprintf(why, why_bytes, "tap %s: rules: %s: %s",
			 p->endpoint->argument, p->endpoint->rules, reason);
		return fd;
	}
	err = filter_reload(p->filter, fd, sw->now_ms, why, why_bytes);
	close(fd);
	return err;
}

int tap_ports_reload(struct sw *sw, const struct port *only, char *why,
		     size_t why_bytes)
{
	char reason[FILTER_WHY_BYTES];
	int first = 0;

	for (uint16_t i = 0; i < sw->ports.id_end; i++) {
		struct port *p = sw->ports.by_id[i];
		int err;

		if (!port_is_tap(p) || !p->filter || !*p->endpoint->rules ||
		    (only && only != p))
			continue;
		err = reload(sw, p, reason, sizeof(reason));
		tell_reload(sw, p, err, reason);
		if (err && !first) {
			snprintf(why, why_bytes, "%s", reason);
			first = err;
		}
	}
	return first;
}

void tap_ports_report(struct sw *sw, FILE *to)
{
	for (uint16_t i = 0; i < sw->ports.id_end; i++)
		if (port_is_tap(sw->ports.by_id[i]) &&
		    sw->ports.by_id[i]->filter)
			filter_report(sw->ports.by_id[i]->filter, to);
}
