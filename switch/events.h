/*
 * What happens, told to the control clients that monitor: an object a line.
 * Nothing is prepared, and nobody is called, while no client wants to know.
 */
#ifndef EVENTS_H
#define EVENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "port.h"

struct client;
struct sw;

enum event {
	EVENT_PORT_UP,
	EVENT_PORT_DOWN,
	EVENT_PORT_SET,
	EVENT_MAC_LEARNED,
	EVENT_MAC_MOVED,
	EVENT_DROPS,
	EVENT_STALL,
	EVENT_STALL_END,
	EVENT_RELOAD,
	EVENT_LISTENER_ADD,
	EVENT_LISTENER_DEL,
	EVENT_COUNT,
	EVENTS_ALL = (1 << EVENT_COUNT) - 1,
};

/* "port-up" and so on. */
extern const char *const event_names[EVENT_COUNT];

/* Returns 0 or -ENOMEM. */
int events_open(struct sw *sw);
void events_close(struct sw *sw);

/* @c is told of @wanted (bits of enum event, not 0), from now on; and no more. */
void events_join(struct sw *sw, struct client *c, uint32_t wanted);
void events_leave(struct sw *sw, struct client *c);

/* Whether anybody wants to know; then tell, with members as for json_pack():
 * its format, of an object, and arguments. */
bool events_wanted(const struct sw *sw, enum event event);
void events_tell(struct sw *sw, enum event event, const char *format, ...);

/* Something has happened to @p. */
void events_news(struct sw *sw, const struct port *p, enum port_news news);

/* A second has passed: tell of what has been dropped. Returns whether to be
 * called again. */
bool events_second(struct sw *sw);

#endif
