/* Rates as tables, one after another. */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ctl_context.h"
#include "ctl_json.h"
#include "ctl_rates.h"
#include "ctl_stats.h"
#include "ctl_table.h"
#include "ctl_text.h"
#include "ctl_words.h"

static void show_rate(const json_t *row, const char *key, struct cell *to)
{
	text_rate(js_number(row, key), to->text, sizeof(to->text));
	if (!strcmp(key, "dropped_rate") && js_number(row, key) > 0)
		to->colour = WARN;
}

static void show_bits(const json_t *row, const char *key, struct cell *to)
{
	text_rate(js_number(row, key) * 8, to->text, sizeof(to->text));
}

static const struct table_column columns[] = {
	{ .title = "PORT", .key = "name", .least = 12 },
	{ .title = "STATE", .key = "state", .show = table_state, .rank = 1 },
	{ .title = "RX/s", .key = "received_rate", .show = show_rate,
	  .right = true },
	{ .title = "bit/s", .key = "received_byte_rate", .show = show_bits,
	  .right = true },
	{ .title = "TX/s", .key = "sent_rate", .show = show_rate,
	  .right = true },
	{ .title = "bit/s", .key = "sent_byte_rate", .show = show_bits,
	  .right = true },
	{ .title = "DROPS/s", .key = "dropped_rate", .show = show_rate,
	  .right = true },
	{ .title = "QUEUED", .key = "queued", .right = true, .rank = 3 },
	{ .title = "STALLS", .key = "stalls", .show = table_bad, .right = true,
	  .rank = 2 },
};

/* The ports, and their sum where there is more than one. */
static void print_table(struct ctl *ctl, json_t *now)
{
	json_t *ports = json_object_get(now, "ports");
	json_t *total = json_object_get(now, "total");

	if (json_array_size(ports) != 1) {
		json_object_set_new(total, "name", json_string("total"));
		json_array_append(ports, total);
	}
	if (isatty(STDOUT_FILENO))
		fputs("\033[H\033[J", stdout);
	table_print(ctl, ports, columns, sizeof(columns) / sizeof(*columns));
	if (!isatty(STDOUT_FILENO))
		putchar('\n');
}

static void print(struct ctl *ctl, const struct rates *rates)
{
	json_t *now = rates_json(rates);

	if (ctl->json)
		ctl_print_json(ctl, now);
	else
		print_table(ctl, now);
	json_decref(now);
	fflush(stdout);
}

/* Until @next, or until nobody reads what we print: false. */
static bool wait_until(const struct timespec *next)
{
	struct pollfd out = { .fd = STDOUT_FILENO };
	struct timespec now;
	int64_t left_ms;

	do {
		clock_gettime(CLOCK_MONOTONIC, &now);
		left_ms = (next->tv_sec - now.tv_sec) * 1000 +
			  (next->tv_nsec - now.tv_nsec) / 1000000;
		if (left_ms > 0 && poll(&out, 1, (int)left_ms) > 0)
			return false;
	} while (left_ms > 0);
	return true;
}

static void advance(struct timespec *at, double seconds)
{
	int64_t ns = at->tv_nsec + (int64_t)(seconds * 1e9);

	at->tv_sec += ns / 1000000000;
	at->tv_nsec = ns % 1000000000;
}

static int look(struct ctl *ctl, const char *port, struct rates *rates)
{
	json_t *stats = ctl_ask(ctl, CTL_READS, "stats.show",
				words_arguments("port", port));
	int code = CTL_OK;

	if (!stats)
		return CTL_REFUSED;
	if (!rates_add(rates, stats))
		code = ctl_strange(ctl, "list of ports");
	json_decref(stats);
	return code;
}

int watch_rates(struct ctl *ctl, const char *port, const struct watch *watch)
{
	struct rates rates = { 0 };
	struct timespec next;
	int code = look(ctl, port, &rates);

	clock_gettime(CLOCK_MONOTONIC, &next);
	for (int64_t n = 0; !code && (!watch->count || n < watch->count); n++) {
		advance(&next, watch->seconds);
		if (!wait_until(&next))
			break;
		code = look(ctl, port, &rates);
		if (!code)
			print(ctl, &rates);
	}
	rates_fini(&rates);
	return code;
}
