/*
 * Ports of descriptors that were open when the switch was started (main.c has
 * made sure of that): a connected socket or a tap. What it is, it says itself.
 */
#ifndef PORT_INHERIT_H
#define PORT_INHERIT_H

#include <stdbool.h>
#include <stddef.h>

struct endpoint;
struct sw;

/* Make the port of @e. Returns 0, or -errno with a line in @why. The descriptor
 * is the switch's from now on. */
int inherit_port_open(struct sw *sw, const struct endpoint *e, char *why,
		      size_t why_bytes);

/*
 * What kind of socket listens at descriptor @fd: its type tells, and for a byte
 * stream the name, whose first word may be a kind. Returns 0, or -errno with a
 * sentence in @why.
 */
int inherit_listener_kind(int fd, const char *name, int *kind, char *why,
			  size_t why_bytes);

/* Whether @fd is a socket that listens. */
bool inherit_listens(int fd);

#endif
