/* The built-in programs (filter.bpf.c), into the kernel. Needs root. */
#ifndef FILTER_BUILTIN_LOAD_H
#define FILTER_BUILTIN_LOAD_H

#include <stddef.h>
#include <stdint.h>

#include "filter.h"
#include "filter_memory.h"

struct filter_builtin_loaded {
	struct filter_programs programs;
	int map_fd[FILTER_MAPS];
	uint32_t room; /* lines of a set */
};

/*
 * Load them for @tap, with room for a set of @lines and for larger ones. Returns
 * 0, and the descriptors in @to are the caller's; or -errno with a line in @why.
 */
int filter_builtin_load(const char *tap, uint32_t lines,
			struct filter_builtin_loaded *to, char *why,
			size_t why_bytes);
void filter_builtin_unload(const struct filter_builtin_loaded *loaded);

#endif
