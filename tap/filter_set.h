/*
 * A set of rules: a file as it has been read, and the table that it becomes.
 */
#ifndef FILTER_SET_H
#define FILTER_SET_H

#include <stdbool.h>
#include <stddef.h>

#include "filter_compile.h"
#include "filter_rules.h"

struct filter_set {
	struct filter_rules *rules;
	struct filter_table *table;
};

/*
 * Read @bytes of @text, the contents of @path, for @tap. Returns 0 and @set is
 * the caller's, or -errno with a line in @why.
 */
int filter_set_compile(const char *path, const char *tap, const char *text,
		       size_t bytes, struct filter_set *set, char *why,
		       size_t why_bytes);
void filter_set_free(struct filter_set *set); /* what is in it, if anything */

/* Whether both translate the same. */
bool filter_set_same_names(const struct filter_set *one,
			   const struct filter_set *other);

/* Rules of @new_set that are in @old_set as well go on counting from there, in
 * @direction: the lines of both are in @old and @new. */
void filter_set_carry_over(const struct filter_line *old,
			   const struct filter_set *old_set,
			   struct filter_line *new,
			   const struct filter_set *new_set, int direction);

#endif
