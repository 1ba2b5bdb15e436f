/*
 * Ports for which the switch is the client: connect-stream and connect-bess.
 * Their server must be there at start-up; when it goes later, they wait for it
 * to come back.
 */
#ifndef PORT_CONNECT_H
#define PORT_CONNECT_H

#include <stddef.h>

struct endpoint;
struct sw;

/* Make the port of @e. Returns 0, or -errno with a line in @why. */
int connect_port_open(struct sw *sw, const struct endpoint *e, char *why,
		      size_t why_bytes);

struct port;

/* @p, which another process has left: connected, or detached. */
void connect_adopt(struct sw *sw, struct port *p);

#endif
