#include "sw.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "clock.h"
#include "control.h"
#include "events.h"
#include "handover.h"
#include "handover_parts.h"
#include "log.h"
#include "mac.h"
#include "metrics_http.h"
#include "metrics_options.h"
#include "notify.h"
#include "observe.h"
#include "port_open.h"
#include "port_tap.h"

static int make_mac_table(struct sw *sw)
{
	uint8_t key[16];

	if (getrandom(key, sizeof(key), 0) != sizeof(key))
		return -EIO;
	sw->forward.macs = mac_new_in(shared_macs(sw->handover->shared),
				      sw->options->mac_entries, PORTS_MAX,
				      sw->options->ageing_s, key);
	return sw->forward.macs ? 0 : -ENOMEM;
}

static int serve_metrics(struct sw *sw, char *why, size_t why_bytes)
{
	struct metrics_options where;

	if (!sw->options->metrics)
		return 0;
	if (metrics_options_parse(sw->options->metrics, &where, why, why_bytes))
		return -EINVAL;
	return metrics_open(sw, &where, why, why_bytes);
}

/* Everything by which people talk to us. */
static int open_sockets(struct sw *sw, char *why, size_t why_bytes)
{
	int err = listeners_open(sw, why, why_bytes);

	if (!err)
		err = control_open(sw, why, why_bytes);
	return err ? err : serve_metrics(sw, why, why_bytes);
}

/* What guests had before, and what the options say that is not there yet. */
static int open_ports(struct sw *sw, char *why, size_t why_bytes)
{
	const struct options *o = sw->options;
	char ignored[128];
	struct port *p;
	int err = 0;

	handover_ports(sw);
	for (unsigned i = 0; !err && i < o->port_count; i++) {
		if (o->ports[i].removed ||
		    port_of_endpoint(&sw->ports, &o->ports[i]))
			continue;
		err = port_open(sw, &o->ports[i], why, why_bytes);
		if (!err || !sw->again)
			continue;
		/* The guests of all others are not to wait for it. */
		log_error("%s: going on without it", why);
		p = port_of_endpoint(&sw->ports, &o->ports[i]);
		if (p)
			port_fail(&sw->ports, p, "it cannot be opened");
		err = 0;
	}
	/* For taps that come later, when no socket can be opened any more. */
	if (!err)
		tap_ports_watch(sw, ignored, sizeof(ignored));
	return err;
}

int sw_init(struct sw *sw, struct options *o, char *why, size_t why_bytes)
{
	uint64_t watchdog_us = 0;
	int err;

	sw->now_ms = sw->started_ms = clock_now_ms();
	sw->started_wall_ns = sw->handover->shared->started_wall_ns;
	err = ports_init(&sw->ports);
	sw->ports.memory = &sw->handover->shared->ports;
	sw->ports.kept = sw->kept;
	observe_start(sw);
	if (err || events_open(sw)) {
		snprintf(why, why_bytes, "out of memory");
		return -ENOMEM;
	}
	sw->forward.ports = &sw->ports;
	sw->forward.hub = o->hub;
	err = make_mac_table(sw);
	if (err) {
		snprintf(why, why_bytes, "MAC table: %s", strerror(-err));
		return err;
	}
	sw->watch_stdin = !o->daemon && isatty(STDIN_FILENO);
	err = loop_init(&sw->loop, o->without, o->busy_poll_us, why, why_bytes);
	if (err)
		return err;
	if (sd_watchdog_enabled(0, &watchdog_us) > 0)
		sw->loop.watchdog_ms = watchdog_us / 2000;
	err = open_ports(sw, why, why_bytes);
	if (!err)
		err = open_sockets(sw, why, why_bytes);
	if (!err)
		handover_done(sw);
	return err;
}

void sw_fini(struct sw *sw)
{
	metrics_close(sw);
	control_close(sw);
	loop_close_ports(sw);
	listeners_close(sw);
	loop_fini(&sw->loop);
	if (sw->link_watch_fd >= 0)
		close(sw->link_watch_fd);
	if (sw->signal_fd >= 0)
		close(sw->signal_fd);
	ports_fini(&sw->ports);
	mac_free(sw->forward.macs);
	events_close(sw);
	free(sw->control);
	notify_close(sw);
	handover_free(sw);
}
