/* A filter, for filter.c, which makes and uses it, and filter_export.c, which
 * hands it over. */
#ifndef FILTER_STATE_H
#define FILTER_STATE_H

#include "filter.h"

struct filter_builtin;
struct filter_expression;
struct filter_kept;

enum { FILTER_WHAT_BYTES = 256 };

struct filter {
	struct filter_options options;
	const char *tap;
	struct filter_builtin *builtin;
	struct filter_expression *expression;
	struct filter_programs programs;
	struct filter_links links;
	struct filter_kept *kept;
	int kept_fd;
	int object_maps[FILTER_OBJECT_MAPS];
	char what[FILTER_WHAT_BYTES]; /* the object's programs */
	void (*bare)(void *context, int tap_fd);
	void *bare_context;
};

/* With nothing in it yet; NULL: there is no memory. */
struct filter *filter_empty(const struct filter_options *o, const char *tap);

#endif
