/*
 * What --metrics says: where statistics are served. Pure: text in, a structure
 * or one line of complaint out.
 *
 *     unix:PATH[,mode=OCTAL][,group=GROUP]
 *     127.0.0.1:PORT, localhost:PORT, [::1]:PORT
 *
 * The counters have no password, so that TCP is served to this machine only.
 */
#ifndef METRICS_OPTIONS_H
#define METRICS_OPTIONS_H

#include <netinet/in.h>
#include <stddef.h>
#include <sys/types.h>

#include "limits.h"

struct metrics_options {
	char path[SOCKET_PATH_BYTES]; /* "": TCP, at address */
	int mode;		      /* of path */
	gid_t group;		      /* of path; (gid_t)-1: as it comes */
	union {
		struct sockaddr any; /* sa_family tells which */
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} address;
};

/* Read @text into @o. Returns 0, or -EINVAL with one line in @why (of
 * @why_bytes) and @o as it was. */
int metrics_options_parse(const char *text, struct metrics_options *o,
			  char *why, size_t why_bytes);

#endif
