/*
 * Captures: copies of the frames of one port, or all, as a pcapng file to the
 * control client that asked. Copies wait in a buffer of the capture's own; when
 * that is full copies are lost, and counted, never frames.
 */
#ifndef CAPTURE_H
#define CAPTURE_H

#include <jansson.h>
#include <stddef.h>

#include "port.h"

struct client;
struct sw;

/* The command "capture". */
void capture_command(struct sw *sw, struct client *c, const json_t *arguments);

/* Its expression has been compiled, or cannot be. */
void capture_compiled(struct sw *sw, struct client *c);

/* No more frames: what is there follows, then the sums and the end. */
void capture_finish(struct sw *sw, struct client *c);

/* Its client is being closed. */
void capture_end(struct sw *sw, struct client *c);

/* Hand over some of what there is, without waiting: whether any of it went. And
 * how much is left. */
bool capture_flush(struct sw *sw, struct client *c);
size_t capture_pending(const struct client *c);

/* A frame of a port that is captured. */
void captures_take(struct sw *sw, struct port *p, const struct frame *f,
		   enum seen seen, enum drop why);

/* A port has come, or goes. */
void captures_port_up(struct sw *sw, struct port *p);
void captures_port_down(struct sw *sw, struct port *p);

#endif
