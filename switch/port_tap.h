/*
 * Ports that are tap devices: the way to the host.
 *
 * A tap whose device is deleted stays a port, without a descriptor, and is
 * attached again when a device of its name appears. Changes are heard of
 * through a netlink socket; what has changed is asked of the device itself.
 */
#ifndef PORT_TAP_H
#define PORT_TAP_H

#include <stddef.h>
#include <stdio.h>

struct endpoint;
struct port;
struct sw;

/*
 * The port of @e, a tap, and if it is the first the watch on network devices.
 * Returns 0, or -errno with a line in @why.
 */
int tap_port_open(struct sw *sw, const struct endpoint *e, char *why,
		  size_t why_bytes);

/* The same for @e that names descriptor @fd. -ENOTTY, without a line: it is no
 * tap. */
int tap_port_adopt(struct sw *sw, const struct endpoint *e, int fd, char *why,
		   size_t why_bytes);

/* The watch has something to say. */
void tap_ports_on_link(struct sw *sw);

/*
 * Read the rule files of @only, or of all taps (NULL), again. What is wrong with
 * them is logged; the first complaint is also in @why, and its -errno returned.
 */
int tap_ports_reload(struct sw *sw, const struct port *only, char *why,
		     size_t why_bytes);

/* What the taps' filters have counted, as lines (filter.h). */
void tap_ports_report(struct sw *sw, FILE *to);

#endif
