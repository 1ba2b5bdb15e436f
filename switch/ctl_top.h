/*
 * The live view: what ctl_top.c does is drawn by ctl_top_draw.c.
 */
#ifndef CTL_TOP_H
#define CTL_TOP_H

#include <stdbool.h>
#include <stddef.h>

#include "ctl_rates.h"

struct ctl;

enum order { BY_RATE, BY_DROPS, BY_NAME, ORDER_COUNT };

struct top {
	struct ctl *ctl;
	struct rates rates;
	struct rate **shown; /* in order */
	enum order order;
	size_t first; /* of the ports that are on the screen */
	bool quit;
};

/* Draw it all, as the screen is now; sets @t->first to what is possible. */
void top_draw(struct top *t);

/* How many ports have room on the screen; 1 at least. */
size_t top_lines(void);

/* Colours for the screen that has just begun. */
void top_colours(void);

#endif
