/*
 * Sockets at which guests knock: making them, letting in who may, and handing
 * a connection to its kind of port.
 */
#ifndef LISTENER_H
#define LISTENER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "endpoint.h"
#include "socket_file.h"

struct sw;

struct listener {
	struct socket_file file;
	const struct endpoint *endpoint;
	enum endpoint_kind serves; /* LISTEN_UML, _VDE, _BESS or _STREAM */
	bool paused;		   /* out of descriptors or ports */
	char *remove_directory;    /* at the end, if it is empty; or NULL */
};

/*
 * Listen where the options say. Returns 0, or -errno with a line in @why;
 * listeners_close() is then still to be called.
 */
int listeners_open(struct sw *sw, char *why, size_t why_bytes);
void listeners_close(struct sw *sw);

/* Accept connections. */
void listeners_start(struct sw *sw);

/* The answer of listener @index: a connection, or -errno. */
void listener_on_accept(struct sw *sw, uint16_t index, int res);

/* Try again where accepting had to pause. */
void listeners_resume(struct sw *sw);

/*
 * What the names of data sockets begin with that belong to the listener of
 * @e: an absolute path, or NULL if it has none.
 */
const char *listener_data_prefix(const struct sw *sw, const struct endpoint *e,
				 char *prefix, size_t bytes);

#endif
