/*
 * Rules (filter_rules.h) to a table (filter_table.h). Pure.
 */
#ifndef FILTER_COMPILE_H
#define FILTER_COMPILE_H

#include <stdint.h>

#include "filter_rules.h"
#include "filter_table.h"

struct filter_table {
	struct filter_line *lines;
	uint32_t count;
	/* Where a rule's line is, 0 if it is not for that direction: of each
	 * statement, then of the default; and of each translation. */
	uint32_t *rule_at[FILTER_DIRECTIONS];
	uint32_t unseen_at[FILTER_DIRECTIONS]; /* 0: none */
	uint32_t *name_at[FILTER_DIRECTIONS];
};

/*
 * Returns the table of @rules, the caller's; or NULL: there is no memory, or
 * *@error is a sentence (a literal) that says what is too much.
 */
struct filter_table *filter_compile(const struct filter_rules *rules,
				    const char **error);
void filter_table_free(struct filter_table *table); /* NULL is accepted */

#endif
