/*
 * What the switch and its opener say to each other: structures as they are in
 * memory, since both are the same program, one a message. The opener does not
 * trust what it gets any more than a guest's words: opener_wire_check().
 */
#ifndef OPENER_WIRE_H
#define OPENER_WIRE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/un.h>

#include "../tap/filter.h"
#include "../tap/tap.h"
#include "endpoint.h"
#include "opener.h"
#include "socket_file.h"

enum opener_what {
	OPENER_LISTEN,
	OPENER_REMOVE_FILE,
	OPENER_REMOVE_DIRECTORY,
	OPENER_REMOVE_PLACE,
	OPENER_CONNECT,
	OPENER_DGRAM,
	OPENER_DGRAM_LOOK, /* with descriptors: the socket; the watch, if any */
	OPENER_TAP,	   /* and those of the filter that it had */
	OPENER_TAP_BARE,   /* the tap */
	OPENER_RULES,
	OPENER_COMPILE,
	OPENER_PARSE,
	OPENER_END, /* answered when everything before it is done */
	OPENER_WHAT_COUNT,
};

enum { OPENER_WHY_BYTES = 2048, OPENER_FDS_MAX = FILTER_FDS + 1 };

struct opener_job {
	uint32_t what; /* an enum opener_what */
	uint32_t number;
	struct endpoint endpoint; /* what of it counts is up to the job */
	struct socket_file file; /* REMOVE_FILE, REMOVE_DIRECTORY: its path */
	uint32_t has_watch, anyway; /* DGRAM_LOOK: whether a second descriptor
				     * comes; opener.h */
	uint32_t again;			/* TAP: @filter is the one it had */
	struct filter_record filter;	/* its numbers are not descriptors */
	uint32_t role;			/* PARSE: enum endpoint_role of @text */
	char text[ENDPOINT_BYTES];
};

struct opener_answer {
	uint32_t number; /* of the job */
	int32_t result;	 /* 0 or -errno */
	int32_t second;	 /* DGRAM_LOOK: of the watch */
	char why[OPENER_WHY_BYTES];
	struct socket_file file;
	char made[OPENER_MADE_BYTES]; /* LISTEN: the directory, or "" */
	struct tap_state tap;
	struct filter_record filter;
	struct endpoint endpoint; /* PARSE */
};

/* The other channel: a guest that joins, or a file to be removed. */
struct opener_join {
	uint32_t gen;
	uint16_t port;
	uint8_t remove; /* the file @prefix, and nothing else */
	uint8_t vde;
	struct sockaddr_un addr;	/* the guest's */
	char prefix[SOCKET_PATH_BYTES]; /* of our data socket; "": abstract */
};

struct opener_joined {
	uint32_t gen;
	uint16_t port;
	int32_t result;		/* 0 and a descriptor, or -errno */
	uint64_t guest[2];	/* what tells the guest's socket from others */
	struct sockaddr_un own; /* what our data socket is called */
};

/* What is in @guest of an abstract name, behind a 0. Names that have the same are
 * still to be compared. */
uint64_t opener_guest_hash(const struct sockaddr_un *name);

/* Descriptors that come with a message. */
struct opener_fds {
	unsigned count;
	int fd[OPENER_FDS_MAX];
};

/*
 * One message, without waiting. Returns 0, or -errno; -EAGAIN is full, or
 * nothing there; -EPIPE the other side's end. What is received has @bytes, and
 * its descriptors are the caller's; another length is -EPROTO.
 */
int opener_wire_send(int fd, const void *message, size_t bytes,
		     const struct opener_fds *fds);
int opener_wire_receive(int fd, void *message, size_t bytes,
			struct opener_fds *fds);

void opener_fds_close(struct opener_fds *fds);

/* Whether @job can be worked with: its numbers are in range, its texts end. */
bool opener_wire_check(const struct opener_job *job, unsigned fds);

#endif
