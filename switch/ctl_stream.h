/*
 * Commands after which the connection is theirs: events and captures.
 */
#ifndef CTL_STREAM_H
#define CTL_STREAM_H

#include "ctl_context.h"

/* As ctl_ask(), on a connection of its own, which is @to's to close then. */
json_t *stream_ask(struct ctl *ctl, enum ctl_needs needs, const char *execute,
		   json_t *arguments, struct client *to);

/*
 * Wait until there is something to read from @c, or the end, or a byte in
 * @wake (-1: none). False: nobody reads @out any more, which only those who
 * write would learn of, and there may be nothing to write for long.
 */
bool stream_wait(const struct client *c, int out, int wake);

#endif
