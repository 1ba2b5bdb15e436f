/* Showing a result, and holding it against what was expected. */
#ifndef BENCH_OUTPUT_H
#define BENCH_OUTPUT_H

#include <jansson.h>
#include <stdbool.h>

struct settings;

/*
 * Print @result, as JSON on one line or as a table. Returns whether all that is
 * expected of it holds; the first that does not is named on stderr.
 */
bool output_result(const struct settings *s, const json_t *result);

#endif
