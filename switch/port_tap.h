/*
 * Ports that are tap devices: the way to the host.
 *
 * A tap whose device is deleted stays a port, without a descriptor, and is
 * attached again when a device of its name appears. Changes are heard of
 * through a netlink socket; what has changed is asked of the device itself.
 */
#ifndef PORT_TAP_H
#define PORT_TAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "../tap/filter.h"

struct endpoint;
struct port;
struct sw;

/* The most that a tap is when it is handed over. */
enum { TAP_RECORD_BYTES = 512, TAP_FDS = 1 + FILTER_FDS };

/*
 * The port of @e, a tap, and if it is the first the watch on network devices.
 * Returns 0, or -errno with a line in @why.
 */
int tap_port_open(struct sw *sw, const struct endpoint *e, char *why,
		  size_t why_bytes);

/* The same for @e that names descriptor @fd. -ENOTTY, without a line: it is no
 * tap. */
int tap_port_inherit(struct sw *sw, const struct endpoint *e, int fd,
		     char *why, size_t why_bytes);

/*
 * What another process needs to go on with @p: @record, of at most @bytes
 * (TAP_RECORD_BYTES are always enough), and descriptors, at most TAP_FDS, which
 * stay the port's: @fds has room for them, *@n becomes how many. It changes when
 * port_changed() is told so; what a filter counts is in memory behind one of the
 * descriptors. Its sender must not close the port afterwards as one that ends:
 * sw->restarting is to be set.
 * Returns the length of the record, or -EMSGSIZE.
 */
int tap_port_export(const struct port *p, void *record, size_t bytes, int *fds,
		    unsigned *n);

/*
 * The other side of that: port @id of @e, which must outlive it, in state
 * JOINING, with no name yet. port_name_give() or whatever names it, port_up()
 * and then tap_port_resume() make it take part. Needs no privilege. On success
 * @fds are the port's; otherwise it is NULL with a line in @why, and they are
 * the caller's.
 */
struct port *tap_port_adopt(struct sw *sw, uint16_t id,
			    const struct endpoint *e, const void *record,
			    size_t bytes, const int *fds, unsigned n,
			    char *why, size_t why_bytes);
void tap_port_resume(struct sw *sw, struct port *p);

/*
 * Watch network devices (sw->link_watch_fd), if they are not being watched: to
 * be called before sockets can no longer be opened. What is there is asked for,
 * too. Returns 0, or -errno with a line in @why.
 */
int tap_ports_watch(struct sw *sw, char *why, size_t why_bytes);

/* The watch has something to say. */
void tap_ports_on_link(struct sw *sw);

/* Whether @p is a tap, and up. */
bool port_is_tap(const struct port *p);

/*
 * Read the rule files of @only, or of all taps (NULL), again. What is wrong with
 * them is logged; the first complaint is also in @why, and its -errno returned.
 */
int tap_ports_reload(struct sw *sw, const struct port *only, char *why,
		     size_t why_bytes);

/* What the taps' filters have counted, as lines (filter.h). */
void tap_ports_report(struct sw *sw, FILE *to);

#endif
