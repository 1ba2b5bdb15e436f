#include "metrics_values.h"

#include <stdio.h>
#include <time.h>

#include "control.h"
#include "loop.h"
#include "mac.h"
#include "stats.h"
#include "sw.h"

#define COUNTER(word, member, name, unit, help) \
	{ word, name, unit, METRICS_COUNTER, AT(member), help }
#define GAUGE(word, member, name, unit, help) \
	{ word, name, unit, METRICS_GAUGE, AT(member), help }

#define AT(member) offsetof(struct metrics_port, member)

const struct metrics_value metrics_port_values[] = {
	COUNTER("received", c.received, "received_frames", "frames",
		"Frames that the switch has taken from there."),
	COUNTER("received_bytes", c.received_bytes, "received_bytes", "bytes",
		"Bytes of the received frames."),
	COUNTER("forwarded", c.forwarded, "forwarded_frames", "frames",
		"Received frames that went on to another port at least."),
	COUNTER("flooded", c.flooded, "flooded_frames", "frames",
		"Forwarded frames that went to all ports."),
	COUNTER("dropped", dropped, NULL, NULL, NULL),
	COUNTER("offered", c.offered, "offered_frames", "frames",
		"Frames of others that were to go there."),
	COUNTER("sent", c.sent, "sent_frames", "frames",
		"Offered frames that were handed over."),
	COUNTER("sent_bytes", c.sent_bytes, "sent_bytes", "bytes",
		"Bytes of the sent frames."),
	COUNTER("undelivered", undelivered, NULL, NULL, NULL),
	COUNTER("stalls", c.stalls, "stalls", NULL,
		"Times at which a receiver took nothing and was passed by."),
	GAUGE("queued", queued, "queued_frames", "frames",
	      "Offered frames that wait."),

	GAUGE("queue_high", queue_high, "queue_high_frames", "frames",
	      "Most frames that have waited at once."),
	GAUGE("queue_limit", queue_limit, "queue_limit_frames", "frames",
	      "Frames that may wait now."),
	GAUGE("credits", credits, "credits", NULL,
	      "Receive buffers that are free: at 0 the switch reads nothing from there."),
	GAUGE("credits_max", credits_max, "credits_max", NULL,
	      "Receive buffers."),
};

#undef AT
#define AT(member) offsetof(struct metrics_switch, member)

const struct metrics_value metrics_switch_values[] = {
	GAUGE("ports", ports, "ports", NULL, "Ports that are there."),
	GAUGE("mac_entries", mac_entries, "mac_entries", NULL,
	      "Addresses in the MAC table."),
	GAUGE("mac_capacity", mac_capacity, "mac_capacity", NULL,
	      "Addresses that the MAC table has room for."),
	COUNTER("mac_learned", mac_learned, "mac_learned", NULL,
		"Addresses that were new to the MAC table."),
	COUNTER("mac_moved", mac_moved, "mac_moved", NULL,
		"Addresses that were seen at another port than before."),
	COUNTER("mac_expired", mac_expired, "mac_expired", NULL,
		"Addresses that were forgotten for their age."),
	COUNTER("mac_evicted", mac_evicted, "mac_evicted", NULL,
		"Addresses that had to make room for others."),
	COUNTER("mac_refused", mac_refused, "mac_refused", NULL,
		"Addresses for which there was no room."),
	COUNTER("loop_rounds", loop_rounds, "loop_rounds", NULL,
		"Rounds of the event loop."),
	COUNTER("loop_completions", loop_completions, "loop_completions", NULL,
		"Answers of the kernel."),
	COUNTER("loop_submissions", loop_submissions, "loop_submissions", NULL,
		"Requests handed to the kernel."),
	GAUGE("loop_frames_max", loop_frames_max, "loop_round_max_frames",
	      "frames", "Most frames received in one round."),
	GAUGE("clients", clients, "control_clients", NULL,
	      "Connections to the control sockets."),
	GAUGE("monitors", monitors, "control_monitors", NULL,
	      "Connections that events are sent to."),
	COUNTER("requests", requests, "control_requests", NULL,
		"Requests at the control sockets."),
	COUNTER("events_lost", events_lost, "control_events_lost", NULL,
		"Events that a client was too slow for."),
	GAUGE("captures", captures, "captures", NULL, "Captures that run."),
	COUNTER("capture_frames", capture_frames, "capture_frames", "frames",
		"Frames captured."),
	COUNTER("capture_dropped", capture_dropped, "capture_dropped_frames",
		"frames", "Frames that a capture's client was too slow for."),
};

static void add_sums(struct metrics_port *p)
{
	p->dropped = port_dropped(&p->c);
	p->undelivered = port_undelivered(&p->c);
}

bool metrics_read_port(const struct sw *sw, uint16_t id,
		       struct metrics_port *to)
{
	struct stats_port now;

	if (!stats_port(sw, id, &now))
		return false;
	*to = (struct metrics_port){
		.kind = now.kind,
		.state = now.state,
		.c = now.counters,
		.queued = now.queued,
		.queue_high = now.queue_high,
		.queue_limit = now.queue_limit,
		.credits = now.credits,
		.credits_max = now.credits_max,
	};
	snprintf(to->name, sizeof(to->name), "%s", now.name);
	if (now.latency)
		to->latency = *now.latency;
	add_sums(to);
	return true;
}

static void read_mac(struct metrics_switch *to, const struct stats_sums *now)
{
	to->mac_entries = now->mac_entries;
	to->mac_capacity = now->mac_capacity;
	to->mac_learned = now->mac->learned;
	to->mac_moved = now->mac->moved;
	to->mac_expired = now->mac->expired;
	to->mac_evicted = now->mac->evicted;
	to->mac_refused = now->mac->refused;
}

static void read_loop(struct metrics_switch *to, const struct loop_counters *l)
{
	to->loop_rounds = l->rounds;
	to->loop_completions = l->completions;
	to->loop_submissions = l->submissions;
	to->loop_frames_max = l->frames_max;
}

static void read_control(struct metrics_switch *to,
			 const struct control_counters *c)
{
	to->clients = c->clients;
	to->monitors = c->monitors;
	to->requests = c->requests;
	to->events_lost = c->events_lost;
	to->captures = c->captures;
	to->capture_frames = c->capture_frames;
	to->capture_dropped = c->capture_dropped;
}

static uint64_t processor_ns(void)
{
	struct timespec ts = { 0 };

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

void metrics_read_switch(struct sw *sw, struct metrics_switch *to)
{
	struct stats_sums now;

	stats_sums(sw, &now);
	*to = (struct metrics_switch){
		.total = { .c = now.total, .queued = now.queued },
		.closed = { .c = now.closed },
		.ports = sw->ports.up_count,
		.started_ns = sw->started_wall_ns,
		.uptime_s = (sw->now_ms - sw->started_ms) / 1000,
		.cpu_ns = processor_ns(),
	};
	add_sums(&to->total);
	add_sums(&to->closed);
	read_mac(to, &now);
	read_loop(to, now.loop);
	read_control(to, now.control);
}
