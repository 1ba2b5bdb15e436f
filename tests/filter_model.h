/*
 * What a rule file says, in the simplest way: line by line, match by match,
 * value by value, from the words as they are written. An oracle for tests: it
 * knows nothing of how the filter does it, and believes that the rules are
 * well-formed. Limits are never reached.
 */
#ifndef FILTER_MODEL_H
#define FILTER_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "../tap/filter_table.h"

struct model;

/* Read @text, a string. Never NULL. */
struct model *model_new(const char *text);
void model_free(struct model *m);

/* Whether a frame of @bytes, 14 or more, is to be dropped, and by which line, 0
 * being no line of the file; counts it. */
bool model_drops(struct model *m, enum filter_direction direction,
		 const uint8_t *frame, uint32_t bytes, uint32_t *line);

struct model_count {
	uint64_t frames, bytes;
};

/* For model_count(): what the filter cannot see enough of is dropped. */
#define MODEL_HIDDEN UINT32_MAX

/* What the rule in @line has matched; 0 is a default that is not said. */
struct model_count model_count(const struct model *m,
			       enum filter_direction direction, uint32_t line);

#endif
