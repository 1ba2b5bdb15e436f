/*
 * Any text as a rule file. What is refused is so in one line that names the
 * place; what is taken says the same again rule by rule, can be compiled or is
 * refused with a reason, and judges frames.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../tap/filter_compile.h"
#include "../tap/filter_view.h"
#include "filter_random.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum {
	FRAMES = 8,
	/* More take long to compile, and are not so different. */
	ENTRIES_MAX = 2000,
};

static uint32_t lines_in(const uint8_t *bytes, size_t len)
{
	uint32_t lines = 1;

	for (size_t i = 0; i < len; i++)
		lines += bytes[i] == '\n';
	return lines;
}

static void check_refusal(const char *why)
{
	unsigned line, column;
	int at = 0;

	assert(sscanf(why, "fuzz:%u:%u: %n", &line, &column, &at) == 2 && at);
	assert(line && column && why[at]);
	for (const char *c = why; *c; c++)
		assert((unsigned char)*c >= ' ' && *c != 0x7f);
}

/* What counters and reloads know a rule by. */
static void check_text(const char *text)
{
	char why[512];
	struct filter_rules *again =
		filter_rules_parse("fuzz", text, strlen(text), why, sizeof(why));

	assert(again && again->statement_count + again->name_count == 1);
	assert(!strcmp(again->statement_count ? again->statements[0].text
					      : again->names[0].text,
		       text));
	filter_rules_free(again);
}

static void judge(const struct filter_table *table, uint32_t lines)
{
	const struct filter_view view = { table->lines, table->count };
	struct dice d = { table->count };

	for (int i = 0; i < FRAMES; i++) {
		struct make_frame m;
		uint32_t line;

		random_frame(&d, &m);
		filter_view_drops(&view, FILTER_TO_HOST, m.bytes, m.length,
				  &line);
		assert(line <= lines);
		filter_view_translate(&view, FILTER_TO_HOST, m.bytes, m.length);
		filter_view_drops(&view, FILTER_TO_GUESTS, m.bytes, m.length,
				  &line);
		assert(line <= lines);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	char why[1024] = "";
	const char *error = "";
	struct filter_rules *rules = filter_rules_parse(
		"fuzz", (const char *)bytes, len, why, sizeof(why));
	struct filter_table *table = NULL;

	if (!rules) {
		check_refusal(why);
		return 0;
	}
	for (uint32_t i = 0; i < rules->statement_count; i++)
		check_text(rules->statements[i].text);
	for (uint32_t i = 0; i < rules->name_count; i++)
		check_text(rules->names[i].text);
	if (rules->entry_count <= ENTRIES_MAX) {
		table = filter_compile(rules, &error);
		assert(table || *error);
	}
	if (table)
		judge(table, lines_in(bytes, len));
	filter_table_free(table);
	filter_rules_free(rules);
	return 0;
}
