/*
 * A client of a control socket, as commands see it: how it is answered.
 */
#ifndef CLIENT_H
#define CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "limits.h"

/* How answers are written: times to the microsecond. */
#define CLIENT_JSON (JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(16))

struct capture;
struct client;
struct expression_job;
struct sw;

/* Bytes of which [sent, used) are still to be sent. */
struct text {
	char *bytes;
	size_t sent, used, room;
};

/* Puts some more of an answer; returns whether that was all. */
typedef bool produce_fn(struct sw *sw, struct client *c);

struct client {
	int fd; /* -1: this place is free */
	uint16_t index;
	bool monitor; /* may only look */
	uint32_t gen;
	uint64_t active_ms; /* when bytes last went either way */

	/* CONTROL_LINE_BYTES + 1, NULL until it says something; what is not yet
	 * done with is in [in_at, in_end). */
	char *in;
	size_t in_at, in_end;
	bool readable; /* there is something to read, or its end */
	struct text out;
	bool reading, writing; /* we shall be told when it can be read, written */
	bool in_ended;	       /* it will not say more */
	bool retry;	       /* the next tick is to look whether it reads */
	bool closing;	       /* as soon as all is sent */
	bool failed;	       /* now */
	bool said;	       /* there is something to send, outside a step */

	json_t *id;	     /* of the request in work; NULL: none */
	produce_fn *produce; /* the rest of an answer, or NULL */
	/* for the producers */
	uint32_t at;
	bool any;
	char port[PORT_NAME_BYTES]; /* "": all */
	/* The answer comes when this port is no more; wait_id is PORT_NONE if
	 * there is none. */
	uint16_t wait_id;
	uint32_t wait_gen;

	uint32_t events; /* events.h; 0: does not monitor */
	uint64_t events_lost;
	struct capture *capture; /* or NULL */
	/* That of a capture which begins when it is done; or NULL. */
	struct expression_job *job;
};

/* A string of @text, which somebody else has written: what is no UTF-8 in it
 * becomes '?'. The caller's. */
json_t *client_text(const char *text);

/* The answer is @value, whose reference is taken. */
void client_return(struct client *c, json_t *value);

/* The answer is an error: a word from ringswitch-control(7), and a line. */
__attribute__((format(printf, 3, 4))) void
client_refuse(struct client *c, const char *code, const char *format, ...);

/* The answer is what @produce puts, in as many steps as it takes. */
void client_produce(struct client *c, produce_fn *produce);

/* The answer comes when the port is no more. */
void client_wait(struct client *c, uint16_t port_id, uint32_t port_gen);

/* Append to what is to be sent. Without memory the client is closed. */
void client_put(struct client *c, const char *text, size_t bytes);
void client_put_text(struct client *c, const char *text);
/* Its reference is taken. */
void client_put_json(struct client *c, json_t *value);

/* Put a comma between the elements of an array: once before each. */
void client_put_separator(struct client *c);

/* Hand over what there is, without waiting. */
void client_flush(struct sw *sw, struct client *c);

/* What has not been sent yet, bytes. */
static inline size_t client_pending(const struct client *c)
{
	return c->out.used - c->out.sent;
}

/* Calls @each for every client that is there. */
void clients_each(struct sw *sw, void (*each)(struct sw *sw, struct client *c,
					      void *context),
		  void *context);

#endif
