/*
 * ringbench: attaches to any switch as guests do, and measures it.
 *
 * One run, one JSON object on one line of standard output. The modes are
 * defaults for one and the same measurement (traffic.h), except attach, which
 * only joins and looks at the switch's memory, and replay (replay.h).
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "now.h"
#include "replay.h"
#include "settings.h"
#include "traffic.h"

enum exit_status {
	EXIT_MEASURED = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
};

/* Two descriptors per port; a thousand ports need more than the usual 1024. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* Not a number if there is no whole: print_real() makes it null. */
static double ratio(uint64_t part, uint64_t whole)
{
	return whole ? (double)part / (double)whole : NAN;
}

static void print_number(const char *name, uint64_t value)
{
	printf(", \"%s\": %" PRIu64, name, value);
}

static void print_real(const char *name, double value)
{
	if (isnan(value))
		printf(", \"%s\": null", name);
	else
		printf(", \"%s\": %.6g", name, value);
}

/* Exact: the smallest sample with at least @fraction of all at or below it. */
static uint64_t percentile(const uint64_t *sorted, uint64_t count,
			   double fraction)
{
	const double rank = fraction * (double)count;
	uint64_t index = (uint64_t)rank;

	if ((double)index == rank && index > 0)
		index--;
	return sorted[index < count ? index : count - 1];
}

static void print_latency(const struct traffic_result *result)
{
	const uint64_t *sorted = result->latency_ns;
	const uint64_t count = result->latency_count;

	if (!count)
		return;
	print_number("latency_p50_ns", percentile(sorted, count, 0.5));
	print_number("latency_p90_ns", percentile(sorted, count, 0.9));
	print_number("latency_p99_ns", percentile(sorted, count, 0.99));
	print_number("latency_p999_ns", percentile(sorted, count, 0.999));
	print_number("latency_max_ns", sorted[count - 1]);
}

static void print_switch(const struct traffic_result *result)
{
	const uint64_t delivered = result->tally.delivered;
	const struct proc_usage *usage = &result->usage;

	print_number("switch_cpu_ns", usage->cpu_ns);
	print_real("switch_cpu_ns_per_frame", ratio(usage->cpu_ns, delivered));
	print_real("switch_cpu_share", ratio(usage->cpu_ns, result->elapsed_ns));
	print_number("switch_voluntary_switches", usage->voluntary_switches);
	print_number("switch_involuntary_switches", usage->involuntary_switches);
	print_number("switch_rss_kib", usage->rss_kib);
}

static void print_result(const struct settings *s,
			 const struct traffic_result *result)
{
	const struct sender_report *sender = &result->sender;
	const struct tally *tally = &result->tally;

	printf("{\"mode\": \"%s\", \"client\": \"%s\", \"when_refused\": \"%s\"",
	       mode_name[s->mode], client_name[s->sender.kind],
	       refused_name[s->refused_policy]);
	printf(", \"receiver\": \"%s\"", client_name[s->receiver.kind]);
	print_number("size_bytes", s->number[OPTION_SIZE]);
	print_number("ports", s->number[OPTION_IDLE_PORTS] + 2);
	print_number("broadcast_every", s->number[OPTION_BROADCAST_EVERY]);
	print_real("elapsed_s", (double)result->elapsed_ns / NS_PER_S);
	print_number("sent", sender->sent);
	print_number("refused", sender->refused);
	print_number("delivered", tally->delivered);
	print_real("loss", 1 - ratio(tally->delivered, sender->sent));
	print_number("reordered", tally->reordered);
	print_number("duplicated", tally->duplicated);
	print_number("corrupt", tally->corrupt);
	print_number("foreign", tally->foreign);
	print_real("frames_per_s", ratio(tally->delivered, result->elapsed_ns) *
				   NS_PER_S);
	print_real("sender_cpu_share", ratio(sender->cpu_ns, result->elapsed_ns));
	print_real("receiver_cpu_share",
		   ratio(result->receiver_cpu_ns, result->elapsed_ns));
	if (s->number[OPTION_PID])
		print_switch(result);
	print_latency(result);
	puts("}");
}

static int measure(const struct settings *s, struct traffic *t)
{
	const uint64_t *number = s->number;
	const struct load load = {
		.size_bytes = number[OPTION_SIZE],
		.count = number[OPTION_COUNT],
		.limit_ns = number[OPTION_SECONDS] * NS_PER_S,
		.pause_us = number[OPTION_PAUSE_US],
		.jitter_us = number[OPTION_JITTER_US],
		.broadcast_every = number[OPTION_BROADCAST_EVERY],
		.refused_policy = s->refused_policy,
	};
	struct traffic_result result;
	int err = traffic_run(t, &load, &result);

	if (err)
		return err;
	print_result(s, &result);
	free(result.latency_ns);
	return 0;
}

static int report_memory(const struct settings *s)
{
	struct proc_usage usage;
	int err;

	err = proc_read_usage((pid_t)s->number[OPTION_PID], &usage);
	if (err) {
		fprintf(stderr, "ringbench: process %" PRIu64
			": cannot read its usage: %s\n", s->number[OPTION_PID],
			strerror(-err));
		return err;
	}
	printf("{\"mode\": \"attach\"");
	print_number("ports", s->number[OPTION_IDLE_PORTS] + 2);
	print_number("switch_rss_kib", usage.rss_kib);
	puts("}");
	return 0;
}

static void print_replay(const struct settings *s,
			 const struct replay_result *result)
{
	const bool has_receiver = s->receiver.path != NULL;
	const uint64_t cpu_ns = result->usage.cpu_ns;

	printf("{\"mode\": \"replay\", \"client\": \"%s\"",
	       client_name[s->sender.kind]);
	print_number("size_bytes", s->number[OPTION_SIZE]);
	print_real("elapsed_s", (double)result->elapsed_ns / NS_PER_S);
	print_number("sent", result->sent);
	print_number("refused", result->refused);
	print_real("sender_cpu_ns_per_frame",
		   ratio(result->sender_cpu_ns, result->sent));
	if (!has_receiver)
		print_real("ns_per_frame", ratio(result->batch_ns, REPLAY_BATCH));
	if (has_receiver) {
		printf(", \"receiver\": \"%s\"",
		       client_name[s->receiver.kind]);
		print_number("delivered", result->delivered);
		print_number("corrupt", result->corrupt);
		print_real("loss", 1 - ratio(result->delivered, result->sent));
		print_real("frames_per_s",
			   ratio(result->delivered, result->elapsed_ns) *
			   NS_PER_S);
	}
	if (has_receiver && s->number[OPTION_PID])
		print_real("switch_cpu_ns_per_frame",
			   ratio(cpu_ns, result->delivered));
	puts("}");
}

static int replay(const struct settings *s)
{
	const struct replay_setup setup = {
		.sender = s->sender,
		.receiver = s->receiver,
		.frames_path = s->frames_path,
		.size_bytes = s->number[OPTION_SIZE],
		.limit_ns = s->number[OPTION_MILLISECONDS] * 1000 * NS_PER_US,
		.window = s->number[OPTION_WINDOW],
		.switch_pid = (pid_t)s->number[OPTION_PID],
	};
	struct replay_result result;
	int err = replay_run(&setup, &result);

	if (!err)
		print_replay(s, &result);
	return err;
}

int main(int argc, char **argv)
{
	struct settings s;
	struct traffic *t;
	int err;

	if (settings_parse(&s, argc, argv))
		return EXIT_USAGE;
	raise_descriptor_limit();
	if (s.mode == MODE_REPLAY)
		return replay(&s) ? EXIT_FAILED : EXIT_MEASURED;
	t = traffic_new(&(struct traffic_setup){
		.sender = s.sender,
		.receiver = s.receiver,
		.idle_ports = (unsigned int)s.number[OPTION_IDLE_PORTS],
		.switch_pid = (pid_t)s.number[OPTION_PID],
		.keep_latency = s.mode == MODE_LATENCY,
	});
	if (!t)
		return EXIT_FAILED;
	err = s.mode == MODE_ATTACH ? report_memory(&s) : measure(&s, t);
	traffic_free(t);
	return err ? EXIT_FAILED : EXIT_MEASURED;
}
