/*
 * `stats words`: NAME:VALUE on one line, the names being those of the switch's
 * own page for pollers (metrics_words.h): at most 19 letters, which is what an
 * RRD can have. That is why they are listed, and are not simply the members
 * that there are.
 */
#include <stdio.h>

#include "ctl_commands.h"
#include "ctl_context.h"
#include "ctl_json.h"
#include "ctl_words.h"

static const char *const summed_words[] = {
	/* behind "received" */
	"received_bytes", "forwarded",	"flooded",     "dropped", "offered",
	"sent",		  "sent_bytes", "undelivered", "stalls",  "queued",
	NULL,
};
static const char *const port_words[] = { "queue_high", "queue_limit",
					  "credits", "credits_max", NULL };
static const char *const latency_words[] = { "samples", "sum_ns", NULL };
static const char *const mac_words[] = { "entries", "capacity", "learned",
					 "moved", "expired", "evicted",
					 "refused", NULL };
static const char *const loop_words[] = { "rounds", "completions",
					  "submissions", "frames_max", NULL };
static const char *const control_words[] = {
	"clients", "monitors", "requests", "events_lost", "captures",
	"capture_frames", "capture_dropped", NULL
};

static void print_words(const char *prefix, const json_t *object,
			const char *const *names)
{
	for (; *names; names++)
		printf(" %s%s:%" JSON_INTEGER_FORMAT, prefix, *names,
		       js_integer(object, *names));
}

/* What all have first, at the same places in every line. */
static void print_summed(const json_t *counters)
{
	const char *reason;
	json_t *frames;

	printf("received:%" JSON_INTEGER_FORMAT,
	       js_integer(counters, "received"));
	print_words("", counters, summed_words);
	json_object_foreach(json_object_get(counters, "drops"), reason, frames)
		printf(" drop_%s:%" JSON_INTEGER_FORMAT, reason,
		       json_integer_value(frames));
}

static int print_switch(struct ctl *ctl, const json_t *answer)
{
	const json_t *total = json_object_get(answer, "total");

	if (!json_is_object(total))
		return ctl_strange(ctl, "total");
	print_summed(total);
	printf(" ports:%zu", json_array_size(json_object_get(answer, "ports")));
	print_words("mac_", json_object_get(answer, "mac"), mac_words);
	print_words("loop_", json_object_get(answer, "loop"), loop_words);
	print_words("", json_object_get(answer, "control"), control_words);
	printf(" uptime:%.0f\n", js_number(answer, "uptime"));
	return CTL_OK;
}

static int print_port(struct ctl *ctl, const json_t *answer)
{
	const json_t *ports = json_object_get(answer, "ports");
	const json_t *port = json_array_get(ports, 0);

	if (!json_is_object(port))
		return ctl_strange(ctl, "port");
	print_summed(port);
	print_words("", port, port_words);
	print_words("latency_", json_object_get(port, "latency"),
		    latency_words);
	putchar('\n');
	return CTL_OK;
}

int stats_words(struct ctl *ctl, struct words *words)
{
	const char *port = words_port(words);

	if (words_end(ctl, words))
		return CTL_SYNTAX;
	return ctl_do(ctl, CTL_READS, "stats.show",
		      words_arguments("port", port),
		      port ? print_port : print_switch);
}
