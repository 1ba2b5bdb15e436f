#include "client.h"
#include "control_commands.h"

#include "clock.h"
#include "control.h"
#include "mac.h"
#include "stats.h"
#include "sw.h"

static void set(json_t *to, const char *name, uint64_t value)
{
	json_object_set_new_nocheck(to, name, json_integer((json_int_t)value));
}

static json_t *latency(const struct latency *l)
{
	static const struct latency none;
	json_t *buckets = json_array();

	l = l ? l : &none;
	for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
		uint64_t bound = latency_bound(i);

		json_array_append_new(
			buckets,
			json_pack("[o, I]",
				  bound ? json_integer((json_int_t)bound)
					: json_null(),
				  (json_int_t)l->bucket[i]));
	}
	return json_pack("{s:I, s:I, s:o}", "samples", (json_int_t)l->samples,
			 "sum_ns", (json_int_t)l->sum_ns, "buckets", buckets);
}

static void add_counters(json_t *to, const struct stats_port *s)
{
	const struct port_counters *c = &s->counters;
	json_t *drops = json_object();

	set(to, "received", c->received);
	set(to, "received_bytes", c->received_bytes);
	set(to, "forwarded", c->forwarded);
	set(to, "flooded", c->flooded);
	set(to, "dropped", port_dropped(c));
	set(to, "offered", c->offered);
	set(to, "sent", c->sent);
	set(to, "sent_bytes", c->sent_bytes);
	set(to, "undelivered", port_undelivered(c));
	set(to, "queued", s->queued);
	set(to, "queue_high", s->queue_high);
	set(to, "queue_limit", s->queue_limit);
	set(to, "stalls", c->stalls);
	set(to, "credits", s->credits);
	set(to, "credits_max", s->credits_max);
	for (int i = 0; i < DROP_COUNT; i++)
		set(drops, drop_names[i], c->drop[i]);
	json_object_set_new(to, "drops", drops);
	json_object_set_new(to, "latency", latency(s->latency));
}

static json_t *describe(struct sw *sw, const struct port *p)
{
	struct stats_port s;
	json_t *to;

	if (!stats_port(sw, p->id, &s))
		return NULL;
	to = json_pack("{s:s, s:s, s:s}", "name", s.name, "kind", s.kind,
		       "state", s.state);
	add_counters(to, &s);
	return to;
}

static json_t *sum(const struct port_counters *c, uint32_t queued,
		   const struct latency *l)
{
	const struct stats_port s = { .counters = *c, .queued = queued,
				      .latency = l };
	json_t *to = json_object();

	add_counters(to, &s);
	return to;
}

static json_t *loop_sums(const struct sw *sw)
{
	const struct loop_counters *l = &sw->loop.counters;

	return json_pack("{s:I, s:I, s:I, s:I, s:I}", "rounds",
			 (json_int_t)l->rounds, "completions",
			 (json_int_t)l->completions, "frames",
			 (json_int_t)sw->forward.frames, "submissions",
			 (json_int_t)l->submissions, "frames_max",
			 (json_int_t)l->frames_max);
}

static json_t *mac_sums(const struct stats_sums *s)
{
	return json_pack("{s:i, s:i, s:I, s:I, s:I, s:I, s:I}", "entries",
			 s->mac_entries, "capacity", s->mac_capacity, "learned",
			 (json_int_t)s->mac->learned, "moved",
			 (json_int_t)s->mac->moved, "expired",
			 (json_int_t)s->mac->expired, "evicted",
			 (json_int_t)s->mac->evicted, "refused",
			 (json_int_t)s->mac->refused);
}

static json_t *control_sums(const struct control_counters *c)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "clients",
			 (json_int_t)c->clients, "monitors",
			 (json_int_t)c->monitors, "requests",
			 (json_int_t)c->requests, "events_lost",
			 (json_int_t)c->events_lost, "captures",
			 (json_int_t)c->captures, "capture_frames",
			 (json_int_t)c->capture_frames, "capture_dropped",
			 (json_int_t)c->capture_dropped);
}

static void put_member(struct client *c, const char *name, json_t *value)
{
	client_put_text(c, ",\"");
	client_put_text(c, name);
	client_put_text(c, "\":");
	client_put_json(c, value);
}

static void put_sums(struct sw *sw, struct client *c)
{
	struct stats_sums s;

	stats_sums(sw, &s);
	put_member(c, "closed", sum(&s.closed, 0, &s.closed_latency));
	put_member(c, "total", sum(&s.total, s.queued,
				   &s.total_latency));
	put_member(c, "mac", mac_sums(&s));
	put_member(c, "loop", loop_sums(sw));
	put_member(c, "control", control_sums(s.control));
	put_member(c, "uptime",
		   json_real((double)(sw->now_ms - sw->started_ms) / 1e3));
	put_member(c, "time", json_real((double)(clock_wall_ns() / 1000) / 1e6));
}

static bool produce(struct sw *sw, struct client *c)
{
	if (!c->at && !c->any)
		client_put_text(c, "{\"ports\":[");
	if (!control_next_ports(sw, c, describe))
		return false;
	client_put_text(c, "]");
	put_sums(sw, c);
	client_put_text(c, "}");
	return true;
}

void control_stats_show(struct sw *sw, struct client *c, const json_t *arguments)
{
	control_each_port(sw, c, arguments, produce);
}
