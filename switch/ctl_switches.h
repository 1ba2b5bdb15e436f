/*
 * Which switch is meant, and where its control socket is.
 *
 * A switch with a name has its sockets in a directory of that name, below one
 * of at most three: that of the service we run in ($RUNTIME_DIRECTORY's
 * parent), the caller's own (/run/ringswitch for root, otherwise
 * $XDG_RUNTIME_DIR/ringswitch), and /run/ringswitch.
 */
#ifndef CTL_SWITCHES_H
#define CTL_SWITCHES_H

#include <stddef.h>

#include "ctl_context.h"

/*
 * Connect to the switch that --socket, -n, $RINGSWITCH_NAME or else the only
 * one that answers. Where the control socket may not be opened and the command
 * only reads, the monitor socket beside it is taken. Returns 0, or CTL_REFUSED
 * and has said why.
 */
int switches_connect(const struct ctl *ctl, enum ctl_needs needs,
		     struct client *to);

#endif
