/* Making JSON of results. See result.h. */
#include "result.h"

#include <math.h>
#include <stdio.h>

#include "now.h"

void result_number(json_t *to, const char *key, uint64_t value)
{
	json_object_set_new(to, key, json_integer((json_int_t)value));
}

static void set_text(json_t *to, const char *key, const char *value)
{
	json_object_set_new(to, key, json_string(value));
}

static void set_real(json_t *to, const char *key, double value)
{
	json_object_set_new(to, key, isfinite(value) ? json_real(value) :
			    json_null());
}

void result_ratio(json_t *to, const char *key, double part, double whole)
{
	set_real(to, key, whole > 0 ? part / whole : NAN);
}

void result_times(json_t *to, const char *name, const struct histogram *h)
{
	static const struct {
		const char *name;
		double fraction;
	} percentiles[] = {
		{ "p50", 0.5 }, { "p90", 0.9 }, { "p99", 0.99 },
		{ "p999", 0.999 }, { "p9999", 0.9999 },
	};
	char key[48];

	snprintf(key, sizeof(key), "%s_samples", name);
	result_number(to, key, h->count);
	if (!h->count)
		return;
	snprintf(key, sizeof(key), "%s_min_ns", name);
	result_number(to, key, h->min_ns);
	snprintf(key, sizeof(key), "%s_mean_ns", name);
	result_number(to, key, h->sum_ns / h->count);
	for (size_t i = 0; i < sizeof(percentiles) / sizeof(percentiles[0]); i++) {
		snprintf(key, sizeof(key), "%s_%s_ns", name,
			 percentiles[i].name);
		result_number(to, key, histogram_percentile(
				      h, percentiles[i].fraction));
	}
	snprintf(key, sizeof(key), "%s_max_ns", name);
	result_number(to, key, h->max_ns);
}

json_t *result_request(const struct settings *s)
{
	const uint64_t *number = s->number;
	json_t *to = json_object();

	set_text(to, "mode", mode_name[s->mode]);
	set_text(to, "client", peer_kind_name[s->near.kind]);
	set_text(to, "receiver", peer_kind_name[s->far.kind]);
	set_text(to, "when_refused", refused_name[s->refused_policy]);
	set_text(to, "pattern", plan_pattern_name[s->pattern]);
	set_text(to, "sizes", s->sizes_text);
	if (s->sizes.cycle == 1)
		result_number(to, "size_bytes", s->sizes.max_bytes);
	else
		set_real(to, "size_bytes", s->sizes.mean_bytes);
	result_number(to, "ports", number[OPTION_PORTS] +
				   number[OPTION_IDLE_PORTS]);
	result_number(to, "busy_ports", number[OPTION_PORTS]);
	result_number(to, "addresses", number[OPTION_ADDRESSES]);
	result_number(to, "sources", number[OPTION_SOURCES]);
	result_number(to, "broadcast_every", number[OPTION_BROADCAST_EVERY]);
	result_number(to, "burst", number[OPTION_BURST]);
	result_number(to, "batch", number[OPTION_BATCH]);
	result_number(to, "window", number[OPTION_WINDOW]);
	return to;
}

static void set_switch(json_t *to, const struct proc_usage *usage,
		       uint64_t elapsed_ns, uint64_t delivered)
{
	const uint64_t switches = usage->voluntary_switches +
				  usage->involuntary_switches;

	result_number(to, "switch_cpu_ns", usage->cpu_ns);
	result_ratio(to, "switch_cpu_ns_per_frame", (double)usage->cpu_ns,
		     (double)delivered);
	result_ratio(to, "switch_cpu_share", (double)usage->cpu_ns,
		     (double)elapsed_ns);
	result_number(to, "switch_voluntary_switches",
		      usage->voluntary_switches);
	result_number(to, "switch_involuntary_switches",
		      usage->involuntary_switches);
	result_ratio(to, "switch_switches_per_frame", (double)switches,
		     (double)delivered);
}

static void set_memory(json_t *to, const struct proc_usage *usage)
{
	result_number(to, "switch_rss_kib", usage->rss_kib);
	set_real(to, "switch_pss_kib", usage->pss_kib ?
		 (double)usage->pss_kib : NAN);
	result_number(to, "switch_processes", usage->processes);
}

struct processors {
	uint64_t sender_ns, receiver_ns, machine_ns, elapsed_ns, delivered;
};

static void set_processors(json_t *to, const struct processors *p)
{
	const double frames = (double)p->delivered;

	result_ratio(to, "sender_cpu_share", (double)p->sender_ns,
		     (double)p->elapsed_ns);
	result_ratio(to, "receiver_cpu_share", (double)p->receiver_ns,
		     (double)p->elapsed_ns);
	result_ratio(to, "bench_cpu_ns_per_frame",
		     (double)(p->sender_ns + p->receiver_ns), frames);
	result_ratio(to, "machine_cpu_ns_per_frame", (double)p->machine_ns,
		     frames);
}

static void set_counts(json_t *to, const struct traffic_result *result,
		       bool has_packet)
{
	const struct sender_report *sender = &result->sender;
	const struct receiver *r = &result->receiver;
	const uint64_t delivered = r->tracker.delivered;
	const uint64_t lost = sender->copies > delivered ?
			      sender->copies - delivered : 0;

	result_number(to, "sent", sender->sent);
	result_number(to, "refused", sender->refused);
	result_number(to, "unsent", sender->intended > sender->sent ?
				    sender->intended - sender->sent : 0);
	result_number(to, "expected", sender->copies);
	result_number(to, "delivered", delivered);
	result_number(to, "lost", lost);
	result_ratio(to, "loss", (double)lost, (double)sender->copies);
	if (has_packet)
		result_number(to, "lost_at_receiver", r->overruns < lost ?
						      r->overruns : lost);
	else
		set_real(to, "lost_at_receiver", NAN);
	result_number(to, "reordered", r->tracker.reordered);
	result_number(to, "duplicated", r->tracker.duplicated);
	result_number(to, "corrupt", r->corrupt);
	result_number(to, "stale", r->tracker.stale);
	result_number(to, "stray", r->stray);
	result_number(to, "foreign", r->foreign);
	result_number(to, "idle_sent", sender->idle_sent);
	result_number(to, "idle_delivered", r->idle_delivered);
	result_number(to, "flow_frames_min", result->flow_min);
	result_number(to, "flow_frames_max", result->flow_max);
}

void result_rates(json_t *to, const struct traffic_result *result)
{
	const double elapsed_ns = (double)result->elapsed_ns;
	const double delivered = (double)result->receiver.tracker.delivered;
	const double bits = 8 * (double)result->receiver.bytes;
	const struct processors processors = {
		result->sender.cpu_ns, result->receiver_cpu_ns,
		result->machine_cpu_ns, result->elapsed_ns,
		result->receiver.tracker.delivered,
	};

	result_ratio(to, "offered_frames_per_s",
		     (double)result->sender.sent * NS_PER_S, elapsed_ns);
	result_ratio(to, "frames_per_s", delivered * NS_PER_S, elapsed_ns);
	result_ratio(to, "bits_per_s", bits * NS_PER_S, elapsed_ns);
	set_processors(to, &processors);
}

json_t *result_traffic(const struct settings *s, const struct load *load,
		       const struct traffic *t,
		       const struct traffic_result *result)
{
	const bool has_packet = s->near.kind == PEER_PACKET ||
				s->far.kind == PEER_PACKET;
	json_t *to = result_request(s);

	result_number(to, "flows", t->plan->flow_count);
	set_real(to, "rate_wanted", load->frames_per_s > 0 ?
		 load->frames_per_s : NAN);
	set_real(to, "elapsed_s", (double)result->elapsed_ns / NS_PER_S);
	set_counts(to, result, has_packet);
	result_rates(to, result);
	if (t->switch_pid) {
		set_switch(to, &result->usage, result->elapsed_ns,
			   result->receiver.tracker.delivered);
		set_memory(to, &result->usage);
	}
	if (load_is_timed(load))
		result_times(to, "latency", &result->receiver.latency);
	if (load->frames_per_s > 0) {
		result_times(to, "transit", &result->receiver.transit);
		result_times(to, "late", &result->sender.late);
	}
	return to;
}

json_t *result_roundtrip(const struct settings *s, const struct traffic *t,
			 const struct roundtrip_result *result)
{
	const struct processors processors = {
		result->sender_cpu_ns, result->receiver_cpu_ns,
		result->machine_cpu_ns, result->elapsed_ns, result->answered,
	};
	json_t *to = result_request(s);

	result_number(to, "flows", t->plan->flow_count);
	set_real(to, "elapsed_s", (double)result->elapsed_ns / NS_PER_S);
	result_number(to, "sent", result->sent);
	result_number(to, "delivered", result->answered);
	result_number(to, "lost", result->lost);
	result_ratio(to, "loss", (double)result->lost, (double)result->sent);
	result_number(to, "corrupt", result->corrupt);
	result_number(to, "foreign", result->foreign);
	result_ratio(to, "frames_per_s", (double)result->answered * NS_PER_S,
		     (double)result->elapsed_ns);
	set_processors(to, &processors);
	if (t->switch_pid) {
		set_switch(to, &result->usage, result->elapsed_ns,
			   result->answered);
		set_memory(to, &result->usage);
	}
	result_times(to, "roundtrip", &result->time);
	return to;
}

json_t *result_attach(const struct settings *s, uint64_t elapsed_ns,
		      const struct proc_usage *usage)
{
	json_t *to = json_object();

	set_text(to, "mode", mode_name[s->mode]);
	result_number(to, "ports", s->number[OPTION_PORTS] +
				   s->number[OPTION_IDLE_PORTS]);
	set_memory(to, usage);
	if (elapsed_ns) {
		set_real(to, "elapsed_s", (double)elapsed_ns / NS_PER_S);
		set_switch(to, usage, elapsed_ns, 0);
	}
	return to;
}
