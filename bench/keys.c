/* The keys of results. See keys.h. */
#include "keys.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define TIMES(name, row) \
	{ name "_p50_ns", UNIT_NS, row, "p50" }, \
	{ name "_p90_ns", UNIT_NS, NULL, NULL }, \
	{ name "_p99_ns", UNIT_NS, row, "p99" }, \
	{ name "_p999_ns", UNIT_NS, row, "p99.9" }, \
	{ name "_p9999_ns", UNIT_NS, NULL, NULL }, \
	{ name "_max_ns", UNIT_NS, row, "max" }, \
	{ name "_min_ns", UNIT_NS, row, "min" }, \
	{ name "_mean_ns", UNIT_NS, row, "mean" }, \
	{ name "_samples", UNIT_COUNT, NULL, NULL }

const struct key keys[] = {
	{ "mode", UNIT_TEXT, "run", "" },
	{ "client", UNIT_TEXT, "run", "from" },
	{ "receiver", UNIT_TEXT, "run", "to" },
	{ "pattern", UNIT_TEXT, "run", "" },
	{ "ports", UNIT_COUNT, "run", "ports" },
	{ "flows", UNIT_COUNT, "run", "flows" },
	{ "sizes", UNIT_TEXT, "run", "bytes" },
	{ "elapsed_s", UNIT_S, "run", "" },
	{ "when_refused", UNIT_TEXT, NULL, NULL },
	{ "size_bytes", UNIT_COUNT, NULL, NULL },
	{ "busy_ports", UNIT_COUNT, NULL, NULL },
	{ "addresses", UNIT_COUNT, NULL, NULL },
	{ "sources", UNIT_COUNT, NULL, NULL },
	{ "broadcast_every", UNIT_COUNT, NULL, NULL },
	{ "burst", UNIT_COUNT, NULL, NULL },
	{ "batch", UNIT_COUNT, NULL, NULL },
	{ "window", UNIT_COUNT, NULL, NULL },
	{ "throughput_frames_per_s", UNIT_FRAMES_PER_S, "throughput", "" },
	{ "throughput_bits_per_s", UNIT_BITS_PER_S, "throughput", "" },
	{ "throughput_upper_frames_per_s", UNIT_FRAMES_PER_S, "throughput",
	  "does not hold" },
	{ "limited_by", UNIT_TEXT, "throughput", "limited by" },
	{ "full_speed_frames_per_s", UNIT_FRAMES_PER_S, "throughput",
	  "at full speed" },
	{ "frames_per_s", UNIT_FRAMES_PER_S, "delivered", "" },
	{ "bits_per_s", UNIT_BITS_PER_S, "delivered", "" },
	{ "rate_wanted", UNIT_FRAMES_PER_S, "delivered", "wanted" },
	{ "offered_frames_per_s", UNIT_FRAMES_PER_S, "delivered", "sent" },
	{ "sent", UNIT_COUNT, "frames", "sent" },
	{ "delivered", UNIT_COUNT, "frames", "delivered" },
	{ "expected", UNIT_COUNT, "frames", "expected" },
	{ "refused", UNIT_COUNT, "frames", "refused at first" },
	{ "unsent", UNIT_COUNT, "frames", "never taken" },
	{ "loss", UNIT_SHARE, "damage", "loss" },
	{ "lost", UNIT_COUNT, "damage", "lost" },
	{ "lost_at_receiver", UNIT_COUNT, "damage", "by our socket" },
	{ "reordered", UNIT_COUNT, "damage", "reordered" },
	{ "duplicated", UNIT_COUNT, "damage", "duplicated" },
	{ "corrupt", UNIT_COUNT, "damage", "corrupt" },
	{ "stale", UNIT_COUNT, "damage", "stale" },
	{ "stray", UNIT_COUNT, "others", "at wrong ports" },
	{ "foreign", UNIT_COUNT, "others", "foreign" },
	{ "idle_sent", UNIT_COUNT, "others", "sent to idle ports" },
	{ "idle_delivered", UNIT_COUNT, "others", "read by them" },
	{ "flow_frames_min", UNIT_COUNT, "flows", "worst" },
	{ "flow_frames_max", UNIT_COUNT, "flows", "best" },
	TIMES("latency", "one way"),
	TIMES("transit", "from the offer"),
	TIMES("late", "sender late"),
	TIMES("roundtrip", "round trip"),
	{ "switch_cpu_ns_per_frame", UNIT_NS, "switch", "CPU a frame" },
	{ "switch_cpu_share", UNIT_SHARE, "switch", "CPU" },
	{ "switch_switches_per_frame", UNIT_RATIO, "switch",
	  "context switches a frame" },
	{ "switch_rss_kib", UNIT_KIB, "switch", "memory" },
	{ "switch_pss_kib", UNIT_KIB, NULL, NULL },
	{ "switch_processes", UNIT_COUNT, "switch", "processes" },
	{ "switch_cpu_ns", UNIT_NS, NULL, NULL },
	{ "switch_voluntary_switches", UNIT_COUNT, NULL, NULL },
	{ "switch_involuntary_switches", UNIT_COUNT, NULL, NULL },
	{ "send_ns", UNIT_NS, "calls", "send" },
	{ "receive_ns", UNIT_NS, "calls", "receive" },
	{ "cpu_ns_per_frame", UNIT_NS, "calls", "both" },
	{ "ns_per_frame", UNIT_NS, "calls", "a frame" },
	{ "sender_cpu_ns_per_frame", UNIT_NS, "calls", "sender" },
	{ "sender_cpu_share", UNIT_SHARE, "bench", "sender" },
	{ "receiver_cpu_share", UNIT_SHARE, "bench", "receiver" },
	{ "bench_cpu_ns_per_frame", UNIT_NS, "bench", "CPU a frame" },
	{ "machine_cpu_ns_per_frame", UNIT_NS, "bench", "of all processors" },
	{ "cpu_x_floor", UNIT_RATIO, "x floor", "switch CPU" },
	{ "latency_p50_x_floor", UNIT_RATIO, "x floor", "one way p50" },
	{ "rate_x_floor", UNIT_RATIO, "x floor", "delivered" },
	{ NULL, UNIT_TEXT, NULL, NULL },
};

static const struct {
	const char *name, *key;
} short_names[] = {
	{ "rate", "frames_per_s" },
	{ "throughput", "throughput_frames_per_s" },
	{ "p50", "latency_p50_ns" },
	{ "p90", "latency_p90_ns" },
	{ "p99", "latency_p99_ns" },
	{ "p99.9", "latency_p999_ns" },
	{ "max", "latency_max_ns" },
	{ "p99.99", "latency_p9999_ns" },
	{ "roundtrip", "roundtrip_p50_ns" },
	{ "cpu", "switch_cpu_ns_per_frame" },
	{ "memory", "switch_rss_kib" },
};

const struct key *key_find(const char *name)
{
	for (size_t i = 0; i < sizeof(short_names) / sizeof(short_names[0]); i++)
		if (strcmp(short_names[i].name, name) == 0)
			name = short_names[i].key;
	for (const struct key *key = keys; key->name; key++)
		if (strcmp(key->name, name) == 0)
			return key;
	return NULL;
}

/* With a thousands separator in any locale. */
static void format_whole(char *text, int size, double value)
{
	char digits[32];
	const int len = snprintf(digits, sizeof(digits), "%.0f", value);
	int at = 0;

	for (int i = 0; i < len && at < size - 2; i++) {
		if (i && (len - i) % 3 == 0)
			text[at++] = ',';
		text[at++] = digits[i];
	}
	text[at] = '\0';
}

static void format_scaled(char *text, int size, double value, double step,
			  const char *const units[])
{
	int i = 0;

	for (; value >= step && units[i + 1]; i++)
		value /= step;
	snprintf(text, (size_t)size, "%.*f %s", value < 10 ? 2 : value < 100 ?
		 1 : 0, value, units[i]);
}

void key_format(char *text, int size, const struct key *key, double value)
{
	static const char *const bits[] = { "bit/s", "kbit/s", "Mbit/s",
					    "Gbit/s", NULL };
	static const char *const times[] = { "ns", "us", "ms", "s", NULL };
	static const char *const memory[] = { "KiB", "MiB", "GiB", NULL };

	switch (key->unit) {
	case UNIT_BITS_PER_S:
		format_scaled(text, size, value, 1000, bits);
		break;
	case UNIT_NS:
		format_scaled(text, size, value, 1000, times);
		break;
	case UNIT_KIB:
		format_scaled(text, size, value, 1024, memory);
		break;
	case UNIT_S:
		snprintf(text, (size_t)size, "%.3g s", value);
		break;
	case UNIT_SHARE:
		snprintf(text, (size_t)size, "%.3g %%", 100 * value);
		break;
	case UNIT_RATIO:
		snprintf(text, (size_t)size, "%.3g", value);
		break;
	case UNIT_FRAMES_PER_S:
		format_whole(text, size, value);
		snprintf(text + strlen(text), (size_t)size - strlen(text),
			 " frames/s");
		break;
	case UNIT_COUNT:
	case UNIT_TEXT:
		format_whole(text, size, value);
		break;
	}
}
