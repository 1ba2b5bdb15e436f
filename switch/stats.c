#include "stats.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "control.h"
#include "log.h"
#include "mac.h"
#include "port_tap.h"
#include "sw.h"

const char *stats_state(const struct port *p)
{
	if (p->quarantined)
		return "quarantined";
	if (p->flags & PORT_ADMIN_DOWN)
		return "admin-down";
	if (p->detached)
		return "detached";
	if (p->link_down)
		return "down";
	return p->stalled ? "stalled" : p->blocked ? "blocked" : "up";
}

bool stats_port(const struct sw *sw, uint16_t id, struct stats_port *to)
{
	const struct port *p = id < sw->ports.id_end ? sw->ports.by_id[id]
						     : NULL;

	if (!p || p->state != PORT_UP)
		return false;
	*to = (struct stats_port){
		.name = p->name,
		.kind = p->kind,
		.state = stats_state(p),
		.counters = port_counters(&sw->ports, p),
		.queued = p->queue_count,
		.queue_high = p->queue_high,
		.queue_limit = p->queue_limit,
		.credits = p->pool ? p->pool->available : 0,
		.credits_max = p->pool ? p->pool->count : 0,
		.latency = p->latency,
	};
	return true;
}

void stats_sums(struct sw *sw, struct stats_sums *to)
{
	*to = (struct stats_sums){
		.closed = sw->ports.memory->gone,
		.total = sw->ports.memory->gone,
		.closed_latency = sw->ports.gone_latency,
		.total_latency = sw->ports.gone_latency,
		/* Before the counters are read: it takes out what has aged. */
		.mac_entries = mac_count(sw->forward.macs, sw_now_s(sw)),
		.mac_capacity = mac_capacity(sw->forward.macs),
		.mac = mac_counters(sw->forward.macs),
		.loop = &sw->loop.counters,
		.control = control_counters(sw),
	};
	for (uint16_t i = 0; i < sw->ports.id_end; i++) {
		const struct port *p = sw->ports.by_id[i];
		struct port_counters c;

		if (p->state != PORT_UP)
			continue;
		c = port_counters(&sw->ports, p);
		port_counters_add(&to->total, &c);
		latency_add(&to->total_latency, p->latency);
		to->queued += p->queue_count;
	}
}

static void print_port(FILE *to, const char *name, const char *state,
		       const char *kind, const char *description,
		       const struct port_counters *c, uint32_t queued)
{
	fprintf(to,
		"port=%s state=%s%s%s received=%" PRIu64 " forwarded=%" PRIu64
		" dropped=%" PRIu64 " offered=%" PRIu64 " sent=%" PRIu64
		" undelivered=%" PRIu64 " queued=%u rx_bytes=%" PRIu64
		" tx_bytes=%" PRIu64 " flooded=%" PRIu64 " stalls=%" PRIu64,
		name, state, kind ? " kind=" : "", kind ? kind : "", c->received, c->forwarded, port_dropped(c),
		c->offered, c->sent, port_undelivered(c), queued,
		c->received_bytes, c->sent_bytes, c->flooded, c->stalls);
	for (int i = 0; i < DROP_COUNT; i++)
		if (c->drop[i])
			fprintf(to, " drop.%s=%" PRIu64, drop_names[i],
				c->drop[i]);
	if (*description)
		fprintf(to, " description=\"%s\"", description);
	fputc('\n', to);
}

static void print(struct sw *sw, FILE *to)
{
	struct stats_sums sums;
	struct stats_port port;

	stats_sums(sw, &sums);
	tap_ports_report(sw, to);
	for (uint16_t i = 0; i < sw->ports.id_end; i++)
		if (stats_port(sw, i, &port))
			print_port(to, port.name, port.state, port.kind,
				   sw->ports.by_id[i]->description,
				   &port.counters, port.queued);
	print_port(to, "closed", "closed", NULL, "", &sums.closed, 0);
	print_port(to, "total", "sum", NULL, "", &sums.total, sums.queued);
	fprintf(to,
		"mac entries=%u capacity=%u learned=%" PRIu64 " moved=%" PRIu64
		" expired=%" PRIu64 " evicted=%" PRIu64 " refused=%" PRIu64 "\n",
		sums.mac_entries, sums.mac_capacity, sums.mac->learned,
		sums.mac->moved, sums.mac->expired, sums.mac->evicted,
		sums.mac->refused);
}

void stats_report(struct sw *sw)
{
	char *text = NULL;
	size_t bytes;
	FILE *to = open_memstream(&text, &bytes);

	if (!to)
		return;
	print(sw, to);
	if (!fclose(to))
		log_report(text);
	free(text);
}
