/* The object mac. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl_commands.h"
#include "ctl_context.h"
#include "ctl_json.h"
#include "ctl_table.h"
#include "ctl_words.h"

static void show_age(const json_t *row, const char *key, struct cell *to)
{
	if (js_true(row, "static"))
		strcpy(to->text, "static");
	else
		js_show(json_object_get(row, key), to->text, sizeof(to->text));
}

static const struct table_column columns[] = {
	{ .title = "ADDRESS", .key = "address", .least = 17 },
	{ .title = "PORT", .key = "port", .least = 12 },
	{ .title = "AGE", .key = "age", .show = show_age, .right = true,
	  .rank = 1 },
};

static int by_address(const void *a, const void *b)
{
	return strcmp(js_text(*(json_t *const *)a, "address"),
		      js_text(*(json_t *const *)b, "address"));
}

/* The table is a hash: people look for addresses in order. */
static json_t *sorted(const json_t *rows)
{
	size_t count = json_array_size(rows);
	json_t **all = calloc(count + 1, sizeof(json_t *));
	json_t *to = json_array();

	for (size_t i = 0; all && i < count; i++)
		all[i] = json_array_get(rows, i);
	if (all)
		qsort(all, count, sizeof(json_t *), by_address);
	for (size_t i = 0; all && i < count; i++)
		json_array_append(to, all[i]);
	free(all);
	return to;
}

static int show(struct ctl *ctl, const json_t *answer)
{
	json_t *rows;

	if (!json_is_array(answer))
		return ctl_strange(ctl, "list of addresses");
	rows = sorted(answer);
	table_print(ctl, rows, columns, sizeof(columns) / sizeof(*columns));
	json_decref(rows);
	return CTL_OK;
}

int mac_show(struct ctl *ctl, struct words *words)
{
	const char *port = words_port(words);

	if (words_end(ctl, words))
		return CTL_SYNTAX;
	return ctl_do(ctl, CTL_READS, "mac.show", words_arguments("port", port),
		      show);
}

int mac_add(struct ctl *ctl, struct words *words)
{
	const char *address = words_next(words);
	const char *port = words_port(words);

	if (!port)
		return words_missing(ctl, address ? "PORT" : "ADDRESS");
	/* bridge(8) has other kinds; here it says what is so anyway. */
	words_skip(words, "static");
	if (words_end(ctl, words))
		return CTL_SYNTAX;
	return ctl_do(ctl, CTL_CHANGES, "mac.add",
		      json_pack("{s:o, s:o}", "address", words_json(address),
				"port", words_json(port)),
		      NULL);
}

int mac_del(struct ctl *ctl, struct words *words)
{
	const char *address = words_next(words);

	if (!address)
		return words_missing(ctl, "ADDRESS");
	if (words_end(ctl, words))
		return CTL_SYNTAX;
	return ctl_do(ctl, CTL_CHANGES, "mac.del",
		      words_arguments("address", address), NULL);
}

static int show_flushed(struct ctl *ctl, const json_t *answer)
{
	if (!js_has(answer, "flushed"))
		return ctl_strange(ctl, "number of addresses");
	printf("%" JSON_INTEGER_FORMAT " flushed\n",
	       js_integer(answer, "flushed"));
	return CTL_OK;
}

int mac_flush(struct ctl *ctl, struct words *words)
{
	const char *port = words_port(words);

	if (words_end(ctl, words))
		return CTL_SYNTAX;
	return ctl_do(ctl, CTL_CHANGES, "mac.flush",
		      words_arguments("port", port), show_flushed);
}
