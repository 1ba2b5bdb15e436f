/*
 * The table (filter_table.h) as we read it ourselves, with the code that BPF
 * reads it with. Pure.
 */
#ifndef FILTER_VIEW_H
#define FILTER_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "filter_table.h"

/* One set of lines. */
struct filter_view {
	struct filter_line *lines;
	uint32_t count;
};

/*
 * Whether a frame of @bytes is to be dropped; *@line (if not NULL) is the rule
 * that says so. Counts nothing, and takes limits for not reached.
 */
bool filter_view_drops(const struct filter_view *view,
		       enum filter_direction direction, const uint8_t *frame,
		       uint32_t bytes, uint32_t *line);

/* Translate the addresses in a frame, in place, and count that. */
void filter_view_translate(const struct filter_view *view,
			   enum filter_direction direction, uint8_t *frame,
			   uint32_t bytes);

#endif
