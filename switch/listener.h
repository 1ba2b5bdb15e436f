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
#include "opener.h"
#include "socket_file.h"

struct sw;

struct listener {
	struct socket_file file;
	const struct endpoint *endpoint;
	enum endpoint_kind serves; /* LISTEN_UML, _VDE, _BESS or _STREAM */
	uint32_t gen;		   /* of what is at this place */
	bool accepting;		   /* the kernel has a request */
	bool paused;		   /* out of descriptors or ports */
	bool complained;	   /* of what made it pause */
	char made_directory[OPENER_MADE_BYTES]; /* of LISTEN_VDE, to be
						 * removed; or "" */
};

/*
 * Listen where the options say. Returns 0, or -errno with a line in @why;
 * listeners_close() is then still to be called.
 */
int listeners_open(struct sw *sw, char *why, size_t why_bytes);
void listeners_close(struct sw *sw);

/* Whether anything is at this place. */
static inline bool listener_is_open(const struct listener *l)
{
	return l->file.fd >= 0;
}

/*
 * Listen where @e, a place in the options, says, while the switch runs. Returns
 * it, or NULL with a line in @why. The ports of one that is removed stay.
 */
struct listener *listener_add(struct sw *sw, const struct endpoint *e,
			      char *why, size_t why_bytes);
void listener_remove(struct sw *sw, struct listener *l);

/* A port that came from @e is no more: what its listener has left goes, if that
 * has been removed. */
void listener_port_gone(struct sw *sw, const struct endpoint *e);

/* Accept connections. */
void listeners_start(struct sw *sw);

/* The answer of listener @index of generation @gen: a connection, or -errno;
 * @more to come. */
void listener_on_accept(struct sw *sw, uint16_t index, uint32_t gen, int res,
			bool more);

/* A port called @name whose other side has gone gives its name up now, what it
 * had sent and is still unread with it: whoever asks for it is back. */
void listener_reclaim_name(struct sw *sw, const char *name);

/* Try again where accepting had to pause. */
void listeners_resume(struct sw *sw);

/*
 * What the names of data sockets begin with that belong to the listener of
 * @e: an absolute path, or NULL if it has none.
 */
const char *listener_data_prefix(const struct sw *sw, const struct endpoint *e,
				 char *prefix, size_t bytes);

#endif
