/*
 * The rule language: what may cross a tap, in words. One statement a line,
 * '#' begins a comment:
 *
 *     default DIRECTION accept|drop
 *     translate INNER <-> OUTER
 *     ACTION [DIRECTION] [MATCH VALUE]...
 *
 * The README has the words. Pure: text in, rules or a complaint out.
 *
 * A match is turned into conditions: a field of the frame (filter_table.h) and
 * the ranges that it may be in. A rule is a list of entries: it matches if all
 * conditions of one of them hold. Most have one entry; several have those with
 * lists that are not ranges of one field, such as of IPv6 prefixes.
 */
#ifndef FILTER_RULES_H
#define FILTER_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "filter_table.h"

struct filter_range {
	uint64_t first, last;
};

/* Ranges are in order and apart from each other. */
struct filter_condition {
	enum filter_field field;
	uint64_t mask; /* what is compared of the field; all ones but for MACs */
	uint32_t range_at, ranges;
};

struct filter_entry {
	uint32_t condition_at, conditions;
};

struct filter_statement {
	uint32_t line;
	unsigned directions; /* bits, of enum filter_direction */
	enum filter_action action;
	uint64_t rate;	   /* packets or bits a second */
	uint64_t burst_ns; /* how long the rate takes for the burst */
	uint32_t entry_at, entries;
	char *text; /* its words */
};

struct filter_name {
	uint32_t line;
	uint32_t inner, outer; /* IPv4 addresses */
	char *text;
};

struct filter_rules {
	struct filter_statement *statements;
	struct filter_entry *entries;
	struct filter_condition *conditions;
	struct filter_range *ranges;
	struct filter_name *names;
	uint32_t statement_count, entry_count, condition_count, range_count,
		name_count;
	enum filter_action default_action[FILTER_DIRECTIONS];
	uint32_t default_line[FILTER_DIRECTIONS]; /* 0: not said */
};

/* How directions and actions are written. */
extern const char *const filter_direction_names[FILTER_DIRECTIONS];
extern const char *const filter_action_names[FILTER_ACTIONS];

/*
 * Read @bytes of @text, the contents of file @file. Returns the rules, the
 * caller's, or NULL with "FILE:LINE:COLUMN: what is wrong" in @why (of
 * @why_bytes).
 */
struct filter_rules *filter_rules_parse(const char *file, const char *text,
					size_t bytes, char *why,
					size_t why_bytes);
void filter_rules_free(struct filter_rules *rules); /* NULL is accepted */

#endif
