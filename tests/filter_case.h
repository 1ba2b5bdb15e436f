/*
 * A rule file, as the filter has it and as the model has it: for unit tests
 * that compare them.
 */
#ifndef FILTER_CASE_H
#define FILTER_CASE_H

#include "../tap/filter_compile.h"
#include "../tap/filter_view.h"
#include "filter_model.h"
#include "make_frame.h"

struct filter_case {
	char *text;
	struct filter_rules *rules;
	struct filter_table *table;
	struct filter_view view;
	struct model *model;
};

/* Read @text, from malloc(), which it takes; the test fails if it is refused. */
struct filter_case filter_case_read(char *text);
void filter_case_free(struct filter_case *c);

/* What somebody says about a frame. */
struct filter_verdict {
	bool drop;
	uint32_t line;
};

/* Print who says what, with the line; and a frame. For tests that fail. */
void filter_case_print(const struct filter_case *c, const char *who,
		       struct filter_verdict verdict);
void filter_case_print_frame(const char *what, const struct make_frame *m);

#endif
