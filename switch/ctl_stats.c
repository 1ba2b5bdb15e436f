/* The object stats: counters. ctl_watch.c has the rates. */
#include "ctl_stats.h"

#include <stdio.h>
#include <string.h>

#include "ctl_commands.h"
#include "ctl_context.h"
#include "ctl_json.h"
#include "ctl_table.h"
#include "ctl_text.h"
#include "ctl_words.h"

static const struct table_column port_columns[] = {
	{ .title = "PORT", .key = "name", .least = 12 },
	{ .title = "STATE", .key = "state", .show = table_state, .rank = 1 },
	{ .title = "RECEIVED", .key = "received", .right = true },
	{ .title = "RX-BYTES", .key = "received_bytes", .right = true, .rank = 7 },
	{ .title = "DROPPED", .key = "dropped", .show = table_bad,
	  .right = true, .rank = 2 },
	{ .title = "SENT", .key = "sent", .right = true },
	{ .title = "TX-BYTES", .key = "sent_bytes", .right = true, .rank = 6 },
	{ .title = "UNDELIVERED", .key = "undelivered", .show = table_bad,
	  .right = true, .rank = 3 },
	{ .title = "QUEUED", .key = "queued", .right = true, .rank = 4 },
	{ .title = "HIGH", .key = "queue_high", .right = true, .rank = 8 },
	{ .title = "LIMIT", .key = "queue_limit", .right = true, .rank = 10 },
	{ .title = "STALLS", .key = "stalls", .show = table_bad, .right = true,
	  .rank = 5 },
	{ .title = "CREDITS", .key = "credits", .right = true, .rank = 9 },
};

static const struct table_column drop_columns[] = {
	{ .title = "DROPPED AT", .key = "name", .least = 12 },
	{ .title = "REASON", .key = "reason" },
	{ .title = "FRAMES", .key = "frames", .right = true },
};

/* All reasons of @port that are not 0, as rows of a table. */
static void add_drops(json_t *rows, const json_t *port)
{
	json_t *drops = json_object_get(port, "drops");
	const char *reason;
	json_t *frames;

	json_object_foreach(drops, reason, frames)
		if (json_integer_value(frames))
			json_array_append_new(
				rows,
				json_pack("{s:s, s:s, s:O}", "name",
					  js_text(port, "name"), "reason",
					  reason, "frames", frames));
}

static void print_drops(struct ctl *ctl, const json_t *ports)
{
	json_t *rows = json_array();
	const json_t *port;
	size_t i;

	json_array_foreach(ports, i, port)
		add_drops(rows, port);
	if (json_array_size(rows))
		putchar('\n');
	table_print(ctl, rows, drop_columns,
		    sizeof(drop_columns) / sizeof(*drop_columns));
	json_decref(rows);
}

/* The ports, and those that are no port, under the names that they have where
 * the switch prints them itself. */
static json_t *all_rows(const json_t *stats)
{
	static const char *const sums[] = { "closed", "total" };
	json_t *rows = json_deep_copy(json_object_get(stats, "ports"));

	for (size_t i = 0; i < sizeof(sums) / sizeof(*sums); i++) {
		json_t *sum = json_object_get(stats, sums[i]);

		if (!json_is_object(sum))
			continue;
		sum = json_deep_copy(sum);
		json_object_set_new(sum, "name", json_string(sums[i]));
		json_object_set_new(sum, "state", json_string(""));
		json_array_append_new(rows, sum);
	}
	return rows;
}

static int show(struct ctl *ctl, const json_t *answer)
{
	json_t *rows;

	if (!json_is_array(json_object_get(answer, "ports")))
		return ctl_strange(ctl, "list of ports");
	rows = all_rows(answer);
	table_print(ctl, rows, port_columns,
		    sizeof(port_columns) / sizeof(*port_columns));
	/* The sum of the drops is in the table above. */
	print_drops(ctl, json_object_get(answer, "ports"));
	json_decref(rows);
	putchar('\n');
	table_pairs("mac", json_object_get(answer, "mac"));
	table_pairs("loop", json_object_get(answer, "loop"));
	table_pairs("control", json_object_get(answer, "control"));
	return CTL_OK;
}

/* One port in full ------------------------------------------------------ */

static void print_bucket(const json_t *bucket, double count, double samples,
			 double before)
{
	double upper = json_number_value(json_array_get(bucket, 0));
	double part = count < samples ? count / samples : 1;
	char limit[32], bar[41] = "";

	if (json_is_null(json_array_get(bucket, 0)))
		strcpy(limit, "more");
	else
		text_duration(upper, limit, sizeof(limit));
	memset(bar, '#', (size_t)(part * 40 + 0.5));
	table_line("  %8s  %10.0f  %5.1f %%  %s", limit, count,
		   100 * (before + count) / samples, bar);
}

/* The buckets that have something in them; a percentage is of all that took no
 * longer. */
static void print_latency(const json_t *latency)
{
	const json_t *buckets = json_object_get(latency, "buckets"), *bucket;
	double samples = js_number(latency, "samples"), before = 0;
	char mean[32];
	size_t i;

	if (samples < 1) {
		table_line("\nlatency through the switch: no samples yet (one frame in 64 of a sender)");
		return;
	}
	text_duration(js_number(latency, "sum_ns") / samples, mean,
		      sizeof(mean));
	putchar('\n');
	table_line("latency through the switch: %.0f samples, mean %s; up to",
		   samples, mean);
	json_array_foreach(buckets, i, bucket) {
		double count = json_number_value(json_array_get(bucket, 1));

		if (count < 1)
			continue;
		print_bucket(bucket, count, samples, before);
		before += count;
	}
}

static int show_one(struct ctl *ctl, const json_t *answer)
{
	const json_t *ports = json_object_get(answer, "ports");
	json_t *port = json_array_get(ports, 0);

	if (!json_is_object(port))
		return ctl_strange(ctl, "port");
	table_members(ctl, port);
	print_drops(ctl, ports);
	print_latency(json_object_get(port, "latency"));
	return CTL_OK;
}

/* -w and its number of seconds, which may be left out. */
static int take_watch(struct ctl *ctl, struct words *words, struct watch *to)
{
	const char *next = words->count ? *words->at : "";

	to->on = true;
	if (*next < '0' || *next > '9')
		return CTL_OK;
	if (!words_seconds(words_next(words), &to->seconds))
		return ctl_syntax(ctl, "-w '%s' must be 0.01 to 86400 seconds",
				  next);
	return CTL_OK;
}

static int take_count(struct ctl *ctl, struct words *words, struct watch *to)
{
	const char *word = words_next(words);

	if (!word || !words_number(word, 1, INT64_MAX, &to->count))
		return ctl_syntax(ctl, "--count must be a number from 1 on");
	return CTL_OK;
}

int stats_show(struct ctl *ctl, struct words *words)
{
	struct watch watch = { .seconds = 1 };
	const char *port = NULL;
	int code = CTL_OK;

	while (words->count && !code) {
		if (words_skip(words, "-w") || words_skip(words, "-watch") ||
		    words_skip(words, "--watch"))
			code = take_watch(ctl, words, &watch);
		else if (words_skip(words, "--count") ||
			 words_skip(words, "-count"))
			code = take_count(ctl, words, &watch);
		else if (!port)
			port = words_port(words);
		else
			code = words_end(ctl, words);
	}
	if (!code && watch.count && !watch.on)
		code = ctl_syntax(ctl, "--count goes with --watch");
	if (code)
		return code;
	if (watch.on)
		return watch_rates(ctl, port, &watch);
	return ctl_do(ctl, CTL_READS, "stats.show",
		      words_arguments("port", port), port ? show_one : show);
}
