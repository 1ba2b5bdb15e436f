/*
 * Statistics over HTTP, on a UNIX socket or to this machine only:
 *
 *     GET /metrics      for Prometheus and its like (metrics.h)
 *     GET /words        the switch's words for RRD pollers (metrics_words.h)
 *     GET /words/PORT   a port's
 *
 * HTTP is libmicrohttpd's, without threads: the event loop polls one descriptor,
 * and gives it its turn, in which each connection reads or writes once. Nothing
 * a client does or leaves undone makes anybody wait: there are METRICS_CLIENTS_MAX
 * of them, the one that has done nothing for longest goes when another comes, and
 * each has METRICS_CLIENT_BYTES for what it asks, one piece of an answer, and the
 * copies that the answer is made from.
 */
#ifndef METRICS_HTTP_H
#define METRICS_HTTP_H

#include <stddef.h>
#include <stdint.h>

struct metrics_options;
struct sw;

enum {
	METRICS_CLIENTS_MAX = 32,
	METRICS_CLIENT_BYTES = 32768,
	/* In which it has done nothing. A client that has asked and closed its
	 * side may wait as long for the end of the connection: that it will
	 * ask no more is not always noticed. */
	METRICS_CLIENT_TIMEOUT_S = 10,
	METRICS_PIECE_BYTES = 16384,
	/* Connections accepted in one turn. */
	METRICS_ACCEPT_MAX = 8,
	/* Accepting goes on after this when descriptors were short. */
	METRICS_PAUSE_MS = 1000,
};

/* Serve from now on, at @o. Returns 0 and sets sw->metrics, or -errno with a
 * line in @why (of @why_bytes); then sw->metrics is NULL. */
int metrics_open(struct sw *sw, const struct metrics_options *o, char *why,
		 size_t why_bytes);

/* Close every connection and remove the socket. Does nothing if sw->metrics is
 * NULL. */
void metrics_close(struct sw *sw);

/* The descriptor that is readable when metrics_run() has something to do, be it
 * that time has gone by; -1 if sw->metrics is NULL. */
int metrics_fd(const struct sw *sw);

/* A turn: never waits. Does nothing if sw->metrics is NULL. */
void metrics_run(struct sw *sw);


#endif
