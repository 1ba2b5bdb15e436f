/*
 * What the files of taps share: port_tap.c, frames and what is told of devices;
 * port_tap_open.c, getting one, or one again; port_tap_adopt.c, from one process
 * to another; port_tap_filter.c, what is said of filters. For these only.
 */
#ifndef PORT_TAP_INSIDE_H
#define PORT_TAP_INSIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../tap/filter.h"

struct endpoint;
struct frame;
struct port;
struct port_ops;
struct sw;
struct tap_state;

/* port_tap.c */
extern const struct port_ops tap_ops;
bool port_tap_admit(struct sw *sw, struct port *p, struct frame *f);
/* Be told when the filter's programs have dropped something. */
void port_tap_arm_samples(struct sw *sw, struct port *p);
/* Its device is like that. */
void port_tap_learn(struct sw *sw, struct port *p,
		    const struct tap_state *state);

/* port_tap_open.c */
struct filter_options port_tap_filters(const struct endpoint *e);
/* @filter is the port's; NULL: it has none. */
void port_tap_use_filter(struct sw *sw, struct port *p, struct filter *filter);
/* Buffers for @p, of device @name. Returns 0, or -errno with a line in @why. */
int port_tap_make_pool(struct sw *sw, struct port *p, const char *name,
		       char *why, size_t why_bytes);
/* p->reattach */
bool port_tap_attach_again(struct sw *sw, struct port *p);

/* port_tap_filter.c */
/* What stands before @p; or somebody else has put there, the program
 * @foreign_xdp (0: nobody), which stays. */
void port_tap_say_filter(const struct port *p, uint32_t foreign_xdp);
/* Its device, @name, is down. */
void port_tap_say_down(const struct port *p, const char *name);

#endif
