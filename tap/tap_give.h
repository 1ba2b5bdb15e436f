/*
 * A tap device with a filter before it: made when the switch starts, or later
 * by a process that may open devices (the opener), which gives it to the
 * switch.
 */
#ifndef TAP_GIVE_H
#define TAP_GIVE_H

#include <stddef.h>
#include <stdint.h>

#include "filter.h"
#include "tap.h"

struct tap_wish {
	const char *name;
	uint32_t mtu;		      /* 0: as it is */
	struct filter_options filter; /* all "": none */
	int tries;		      /* at a device that is busy; at least 1 */
};

/*
 * Attach to the device of @w, making it if there is none, with its filter in
 * force before anything passes. Returns a descriptor, the caller's as is
 * *@filter (NULL: there is none); or -errno with a line in @why. The strings of
 * @w must outlive the filter.
 */
int tap_make(const struct tap_wish *w, struct tap_state *state,
	     struct filter **filter, char *why, size_t why_bytes);

/*
 * The same for somebody else: with the filter in @filter, whose descriptors are
 * the caller's. If @filter is one already, a device that has gone is to be
 * attached to again, if it is there: with that filter as it is, not with @w's.
 * The descriptors in it are used up in any case.
 */
int tap_give(const struct tap_wish *w, bool again, struct tap_state *state,
	     struct filter_record *filter, char *why, size_t why_bytes);

/* Take off what tap_make() has attached to the device itself: one that is
 * persistent keeps it. */
void tap_give_bare(int tap_fd);

#endif
