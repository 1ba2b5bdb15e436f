#include "filter_case.h"

#include <stdlib.h>
#include <string.h>

#include "test.h"

struct filter_case filter_case_read(char *text)
{
	struct filter_case c = { .text = text };
	char why[512] = "";
	const char *error = why;

	c.rules = filter_rules_parse("rules", text, strlen(text), why,
				     sizeof(why));
	if (c.rules)
		c.table = filter_compile(c.rules, &error);
	if (!c.table)
		fail_msg("refused: %s\n%s", error, text);
	c.view = (struct filter_view){ c.table->lines, c.table->count };
	c.model = model_new(text);
	return c;
}

void filter_case_free(struct filter_case *c)
{
	model_free(c->model);
	filter_table_free(c->table);
	filter_rules_free(c->rules);
	free(c->text);
	*c = (struct filter_case){ .text = NULL };
}

static void print_line(const char *text, uint32_t number)
{
	while (number > 1 && (text = strchr(text, '\n'))) {
		text++;
		number--;
	}
	if (number && text)
		print_error("  %.*s\n", (int)strcspn(text, "\r\n"), text);
}

void filter_case_print(const struct filter_case *c, const char *who,
		       struct filter_verdict verdict)
{
	print_error("%s: %s by line %u\n", who,
		    verdict.drop ? "dropped" : "accepted", verdict.line);
	print_line(c->text, verdict.line);
}

void filter_case_print_frame(const char *what, const struct make_frame *m)
{
	print_error("%s ", what);
	for (uint32_t i = 0; i < m->length; i++)
		print_error("%02x", m->bytes[i]);
	print_error("\n");
}
