/*
 * What is attached to the switch, in words:
 *
 *     KIND:ARGUMENT[,key=value...]
 *
 * A listener is a socket from which ports are born, a port is one attachment.
 * The same words are used wherever either is named. A comma that belongs to a
 * value is written twice. Pure: text in, a structure or a complaint out.
 */
#ifndef ENDPOINT_H
#define ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "limits.h"
#include "storm.h"

enum endpoint_role {
	ENDPOINT_LISTENER,
	ENDPOINT_PORT,
	ENDPOINT_CONTROL,
};

enum endpoint_kind {
	/* listeners */
	LISTEN_UML,    /* PATH: UML daemon guests and VDE clients */
	LISTEN_VDE,    /* DIR: the same at DIR/ctl */
	LISTEN_BESS,   /* PATH: one frame a SOCK_SEQPACKET message */
	LISTEN_STREAM, /* PATH: frames behind their length, as QEMU does */
	LISTEN_FD,     /* N: an inherited one of the above */
	/* ports */
	PORT_TAP,	     /* NAME: a tap device */
	PORT_DGRAM,	     /* LOCAL, remote=PEER: one frame a datagram */
	PORT_CONNECT_STREAM, /* PATH: as LISTEN_STREAM, but we connect */
	PORT_CONNECT_BESS,   /* PATH: as LISTEN_BESS, but we connect */
	PORT_FD,	     /* N: an inherited connection or tap */
	/* not for frames */
	CONTROL_SOCKET, /* PATH: control.h */
	ENDPOINT_KIND_COUNT,
};

enum { ENDPOINT_BYTES = 8192 };

struct endpoint {
	enum endpoint_kind kind;
	char argument[SOCKET_PATH_BYTES];
	char remote[SOCKET_PATH_BYTES]; /* "": none */
	char name[PORT_NAME_BYTES];	/* "": automatic */
	bool name_shared; /* others may have it too: systemd's are by unit */
	int mode;	/* of the socket; -1: not said */
	gid_t group;	/* of the socket; (gid_t)-1: not said */
	uint32_t mtu;	/* bytes behind the Ethernet header; 0: not said */
	uint32_t queue; /* frames that may wait for a port; 0: not said */
	/* What stands between a tap and the switch; "": nothing. */
	char filter[FILTER_PATH_BYTES]; /* an eBPF object */
	char rules[FILTER_PATH_BYTES];
	char accept_to_guests[EXPRESSION_BYTES];
	/* How its ports begin. */
	uint16_t flags; /* of those in port.h that have a key */
	uint16_t mac_limit;
	uint32_t storm_rates[STORM_KINDS]; /* frames a second; 0: no limit */
	uint64_t mac; /* the address of its only or first port; 0: not said */
	char mirror[PORT_NAME_BYTES]; /* "": to nobody */
	bool removed; /* its place is free when no port is of it any more */
};

/* What to write for a kind: "uml", "connect-stream". */
extern const char *const endpoint_kinds[ENDPOINT_KIND_COUNT];

/*
 * Read @text, a @role, into @e. Returns 0, or -EINVAL with a sentence in @why
 * (of @why_bytes) that says what it must be; @e is then undefined.
 */
int endpoint_parse(enum endpoint_role role, const char *text,
		   struct endpoint *e, char *why, size_t why_bytes);

/* The same for text behind "KIND:"; and for text that is an argument and
 * nothing else, commas included. */
int endpoint_parse_as(enum endpoint_kind kind, const char *text,
		      struct endpoint *e, char *why, size_t why_bytes);
int endpoint_plain(enum endpoint_kind kind, const char *argument,
		   struct endpoint *e, char *why, size_t why_bytes);

/*
 * The path in @e that is used again later, relative to directory @cwd until
 * now, becomes absolute: to be connected to, or read, when we are elsewhere. Returns 0, or -EINVAL
 * with a sentence in @why: it is then too long for a socket.
 */
int endpoint_make_absolute(struct endpoint *e, const char *cwd, char *why,
			   size_t why_bytes);

/*
 * Write @e as it would be read, into @to of @bytes; returns @to. ENDPOINT_BYTES
 * are always enough. In short, it is kind and argument only: what listeners
 * are called by.
 */
char *endpoint_format(const struct endpoint *e, char *to, size_t bytes);
char *endpoint_format_short(const struct endpoint *e, char *to, size_t bytes);

/* The permissions of its socket: as said, or for the group if there is one, or
 * -1: by the umask. */
int endpoint_mode(const struct endpoint *e);

enum endpoint_role endpoint_role(enum endpoint_kind kind);

/* Whether endpoints of @kind make a socket in the file system. */
bool endpoint_makes_file(enum endpoint_kind kind);

/* Whether @name may be a port's: letters, digits and "._+:@-", not too
 * long, and no word that the counters use. */
bool endpoint_name_is_good(const char *name);

#endif
