/*
 * The words of a command: any that comes from a list may be shortened as long
 * as it is unique.
 */
#ifndef CTL_WORDS_H
#define CTL_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ctl_context.h"

/* The words that are left. */
struct words {
	int count;
	char **at;
};

/* The next word, or NULL. */
const char *words_next(struct words *w);

/* Whether it is @word itself, which is then taken. */
bool words_skip(struct words *w, const char *word);

/* A port's name behind an optional "dev"; NULL: there is none. */
const char *words_port(struct words *w);

/*
 * The index of the entry that @word stands for, in a @table of @count entries
 * of @stride bytes that begin with a const char *name: the one of that name, or
 * the only one that begins so. Otherwise -1, having said that there is no such
 * @what or which ones there are.
 */
int words_match(const struct ctl *ctl, const char *what, const char *word,
		const void *table, size_t stride, size_t count);

/* CTL_OK if no word is left, or CTL_SYNTAX and has said so. */
int words_end(const struct ctl *ctl, const struct words *w);

/* CTL_SYNTAX, having said that @what is missing. */
int words_missing(const struct ctl *ctl, const char *what);

/* A whole number from @min (0 or more) to @max. False: it is none. */
bool words_number(const char *word, int64_t min, int64_t max, int64_t *to);

/* A number of seconds, not 0, with a fraction. False: it is none. */
bool words_seconds(const char *word, double *to);

/* A word from the command line as JSON. What is not UTF-8 becomes \xHH, which
 * no port and no file is called: the switch can say so. */
json_t *words_json(const char *word);

/* A table of arguments with one string in it; none if @value is NULL. */
json_t *words_arguments(const char *key, const char *value);

#endif
