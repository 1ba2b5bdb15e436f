/* The object filter. */
#include <stdio.h>
#include <string.h>

#include "ctl_commands.h"
#include "ctl_context.h"
#include "ctl_json.h"
#include "ctl_table.h"
#include "ctl_text.h"
#include "ctl_words.h"

static const struct table_column counter_columns[] = {
	{ .title = "LINE", .key = "line", .right = true },
	{ .title = "FRAMES", .key = "frames", .right = true },
	{ .title = "BYTES", .key = "bytes", .right = true, .rank = 2 },
	{ .title = "OVER", .key = "over", .show = table_bad, .right = true,
	  .rank = 3 },
	{ .title = "DIRECTION", .key = "direction", .rank = 5 },
	{ .title = "ACTION", .key = "action", .rank = 4 },
	{ .title = "TEXT", .key = "text", .rank = 1, .least = 16 },
};

static const struct table_column dropped_columns[] = {
	{ .title = "LINE", .key = "line", .right = true },
	{ .title = "DIRECTION", .key = "direction" },
	{ .title = "MS-AGO", .key = "age_ms", .right = true, .rank = 2 },
	{ .title = "BYTES", .key = "bytes", .right = true, .rank = 3 },
	{ .title = "FRAME", .key = "frame", .rank = 1, .least = 28 },
};

static void print_line(const char *name, const json_t *filter, const char *key)
{
	char shown[CELL_BYTES];

	if (!js_has(filter, key))
		return;
	js_show(json_object_get(filter, key), shown, sizeof(shown));
	table_line("  %s %s", name, shown);
}

static void print_head(const json_t *filter)
{
	char port[256];

	text_printable(js_text(filter, "port"), port, sizeof(port));
	puts(port);
	print_line("rules", filter, "rules");
	print_line("filter", filter, "object");
	print_line("accept-to-guests", filter, "accept_to_guests");
	print_line("in force:", filter, "in_force");
}

static int show(struct ctl *ctl, const json_t *answer)
{
	const json_t *filter;
	size_t i;

	if (!json_is_array(answer))
		return ctl_strange(ctl, "list of filters");
	json_array_foreach(answer, i, filter) {
		const json_t *counters = json_object_get(filter, "counters");
		const json_t *dropped = json_object_get(filter, "dropped");

		if (i)
			putchar('\n');
		print_head(filter);
		table_print(ctl, counters, counter_columns,
			    sizeof(counter_columns) / sizeof(*counter_columns));
		if (json_array_size(dropped))
			puts("dropped last:");
		table_print(ctl, dropped, dropped_columns,
			    sizeof(dropped_columns) / sizeof(*dropped_columns));
	}
	return CTL_OK;
}

/* After loading, what there is now: the counters begin anew. */
static int show_heads(struct ctl *ctl, const json_t *answer)
{
	const json_t *filter;
	size_t i;

	if (!json_is_array(answer))
		return ctl_strange(ctl, "list of filters");
	json_array_foreach(answer, i, filter)
		print_head(filter);
	return CTL_OK;
}

int filter_show(struct ctl *ctl, struct words *words)
{
	const char *port = words_port(words);

	if (words_end(ctl, words))
		return CTL_SYNTAX;
	return ctl_do(ctl, CTL_READS, "filter.show",
		      words_arguments("port", port), show);
}

int filter_load(struct ctl *ctl, struct words *words)
{
	const char *port = words_port(words);

	if (words_end(ctl, words))
		return CTL_SYNTAX;
	return ctl_do(ctl, CTL_CHANGES, "filter.load",
		      words_arguments("port", port), show_heads);
}
