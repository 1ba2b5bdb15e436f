#include "stats.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "log.h"
#include "mac.h"
#include "port_tap.h"
#include "sw.h"

static const char *state_of(const struct port *p)
{
	if (p->detached)
		return "detached";
	if (p->link_down)
		return "down";
	return p->stalled ? "stalled" : p->blocked ? "blocked" : "up";
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
	struct port_counters total = sw->ports.gone;
	const struct mac_counters *m = mac_counters(sw->forward.macs);
	/* Before the counters are read: it takes out what has aged. */
	uint32_t entries = mac_count(sw->forward.macs, sw_now_s(sw));
	uint32_t queued = 0;

	tap_ports_report(sw, to);
	for (uint16_t i = 0; i < sw->ports.id_end; i++) {
		const struct port *p = sw->ports.by_id[i];
		struct port_counters c;

		if (p->state != PORT_UP)
			continue;
		c = port_counters(&sw->ports, p);
		print_port(to, p->name, state_of(p), p->kind, p->description, &c,
			   p->queue_count);
		port_counters_add(&total, &c);
		queued += p->queue_count;
	}
	print_port(to, "closed", "closed", NULL, "", &sw->ports.gone, 0);
	print_port(to, "total", "sum", NULL, "", &total, queued);
	fprintf(to,
		"mac entries=%u capacity=%u learned=%" PRIu64 " moved=%" PRIu64
		" expired=%" PRIu64 " evicted=%" PRIu64 " refused=%" PRIu64 "\n",
		entries, mac_capacity(sw->forward.macs), m->learned, m->moved,
		m->expired, m->evicted, m->refused);
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
