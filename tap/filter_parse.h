/*
 * What the files that read rules share: where we are in a file, the words of
 * the line, and what has been found out so far. For filter_rules.c and
 * filter_match.c only.
 */
#ifndef FILTER_PARSE_H
#define FILTER_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "filter_rules.h"
#include "filter_value.h"

enum { LINE_WORDS = 128 };

struct word {
	char *text;
	uint32_t column;
};

/* One alternative of a match: conditions that must all hold. */
struct alternative {
	struct filter_condition conditions[3];
	uint32_t count;
};

/*
 * Addresses with masks that are prefixes are ranges; each other mask is a field
 * of its own, so what is listed here is by mask.
 */
struct mac_list {
	uint64_t masks[FILTER_MASKS + 1];
	struct filter_spans spans[FILTER_MASKS + 1];
	size_t count;
};

struct parser {
	const char *file;
	char *why;
	size_t why_bytes;
	struct filter_rules *rules;
	uint32_t line;
	struct word *words;
	size_t word_count, next;
	char nothing[1];
	/* Of the match that is being read. */
	struct filter_spans spans, spans6;
	struct mac_list macs;
	struct alternative *alternatives;
	size_t alternative_count;
};


/* The alternatives of each match of a rule. */
struct choice {
	size_t at, count, taken;
};

/* "FILE:LINE:COLUMN: ..." of the line we are in. Returns -EINVAL. */
int parse_complain(struct parser *p, uint32_t column, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The same for @word that is not @what, or is missing. */
int parse_expected(struct parser *p, const struct word *word,
		   const char *what);
/* Returns -ENOMEM, with a line. */
int parse_no_memory(struct parser *p);

/* Room for one more in *@array of @count: it doubles at powers of two. Returns
 * 0 or -ENOMEM, with a line. */
int parse_make_room(struct parser *p, void *array, size_t bytes,
		    uint32_t count);

/* The word behind the last; at the line's end, an empty one. */
struct word *parse_take(struct parser *p);
bool parse_at_end(const struct parser *p);

enum { MATCHES = 17 };

/* Read a match and its value: its alternatives are @choice. @seen has a bit for
 * each match that the rule has had. Returns 0, or -errno with a line. */
int parse_match(struct parser *p, struct choice *choice, unsigned *seen);

#endif
