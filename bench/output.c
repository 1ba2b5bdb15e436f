/* JSON for programs, a table for people. See output.h. */
#include "output.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keys.h"
#include "settings.h"

enum { VALUE_BYTES = 64 };

static void print_json(const json_t *result)
{
	char *text = json_dumps(result, JSON_REAL_PRECISION(6));

	if (text)
		puts(text);
	free(text);
}

static void print_value(const struct key *key, const json_t *value)
{
	char text[VALUE_BYTES];

	if (*key->label)
		printf("%s ", key->label);
	if (json_is_string(value)) {
		fputs(json_string_value(value), stdout);
		return;
	}
	key_format(text, sizeof(text), key, json_number_value(value));
	fputs(text, stdout);
}

/* Keys of one row follow each other in the table of keys. */
static void print_rows(const char *prefix, const json_t *result)
{
	const char *row = "";

	for (const struct key *key = keys; key->name; key++) {
		const json_t *value = json_object_get(result, key->name);

		if (!key->row || !value || json_is_null(value))
			continue;
		if (strcmp(row, key->row) == 0)
			fputs(", ", stdout);
		else
			printf("%s%s%-15s", *row ? "\n" : "", prefix, key->row);
		print_value(key, value);
		row = key->row;
	}
	puts("");
}

/* Those of the floor are inside, one for each kind; so is why one is missing. */
static void print_kinds(const json_t *result)
{
	const char *name;
	json_t *kind;

	json_object_foreach(json_object_get(result, "kinds"), name, kind) {
		printf("\n%s\n", name);
		print_rows("  ", kind);
	}
	json_object_foreach(json_object_get(result, "not_measured"), name, kind)
		printf("%s: not measured (%s)\n", name, json_string_value(kind));
}

static void print_trials(const json_t *result)
{
	const json_t *trials = json_object_get(result, "trials");

	for (size_t i = 0; i < json_array_size(trials); i++) {
		const json_t *trial = json_array_get(trials, i);

		printf("trial at %-12.0f %s, loss %.3g %%, %.0f not taken in time\n",
		       json_number_value(json_object_get(trial, "rate")),
		       json_is_true(json_object_get(trial, "held")) ?
		       "held" : "failed",
		       100 * json_number_value(json_object_get(trial, "loss")),
		       json_number_value(json_object_get(trial, "unsent")));
	}
}

static bool is_as_expected(const struct expect *e, const json_t *result)
{
	const json_t *value = json_object_get(result, e->key->name);
	char text[VALUE_BYTES];

	if (!json_is_number(value)) {
		fprintf(stderr, "ringbench: expected %s, but %s was not measured\n",
			e->text, e->key->name);
		return false;
	}
	if (expect_holds(e, json_number_value(value)))
		return true;
	key_format(text, sizeof(text), e->key, json_number_value(value));
	fprintf(stderr, "ringbench: expected %s, but %s is %s\n", e->text,
		e->key->name, text);
	return false;
}

bool output_result(const struct settings *s, const json_t *result)
{
	bool all_hold = true;

	if (s->wants_json) {
		print_json(result);
	} else {
		print_trials(result);
		print_rows("", result);
		print_kinds(result);
	}
	fflush(stdout);
	for (unsigned int i = 0; all_hold && i < s->expect_count; i++)
		all_hold = is_as_expected(&s->expect[i], result);
	return all_hold;
}
