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

struct sw;

/*
 * A port for every tap of the options, and the watch on network devices.
 * Returns 0, or -errno with a line in @why.
 */
int tap_ports_open(struct sw *sw, char *why, size_t why_bytes);

/* The watch has something to say. */
void tap_ports_on_link(struct sw *sw);

/* Look at every tap's device again. */
void tap_ports_recheck(struct sw *sw);

#endif
