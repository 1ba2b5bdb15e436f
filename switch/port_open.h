/*
 * Ports that are named one by one: opening whatever kind it is.
 */
#ifndef PORT_OPEN_H
#define PORT_OPEN_H

#include <stddef.h>

struct endpoint;
struct sw;

/*
 * The port that @e, a place in the options, says. Returns 0, or -errno with a
 * line in @why; there may then be a port of @e that is still to be closed.
 */
int port_open(struct sw *sw, const struct endpoint *e, char *why,
	      size_t why_bytes);

#endif
