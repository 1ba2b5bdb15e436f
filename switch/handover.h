/*
 * From one switch process to the next: what the keeper (kept.h) holds of this
 * switch, and what is found there when it is started again.
 *
 *     handover_open()       start-up: what is held, and why we were started
 *     handover_options()    listeners and ports as they were at the end
 *     handover_take...()    whoever opens something asks first whether it is open
 *     handover_ports()      guests have their ports back
 *     handover_done()       the rest is forgotten, what is new is kept
 *     handover_round()      while it runs: what has changed is kept
 *     handover_leave()      a planned restart: what is in the switch goes too
 *
 * Records come from a process that may have been taken over by a guest: they are
 * looked at as closely as what guests send (handover_record.h).
 */
#ifndef HANDOVER_H
#define HANDOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct held;
struct port;
struct socket_file;
struct sw;

/*
 * Ask the keeper, if there is one, what it holds, and make the memory that is
 * shared with it. Returns 0, or -errno with a line in @why.
 */
int handover_open(struct sw *sw, char *why, size_t why_bytes);

/* Take what is held of the configuration into sw->options. */
int handover_options(struct sw *sw, char *why, size_t why_bytes);

/* What is held under @key, taken out: the caller's, to be given to free(). NULL
 * if there is nothing. */
struct held *handover_take(struct sw *sw, uint32_t key);

/* The listening socket that is held under @key, into @to; and have one held,
 * called @name. Whether there is one. */
bool handover_take_socket(struct sw *sw, uint32_t key, struct socket_file *to);
void handover_keep_socket(struct sw *sw, uint32_t key, const char *name,
			  const struct socket_file *s);

/* Listeners and endpoints have changed: they are kept in this round. */
void handover_options_changed(struct sw *sw);

/* Ports as they were, with counters, names, settings and addresses. One that
 * cannot be is closed, with a line in the log. */
void handover_ports(struct sw *sw);
void handover_done(struct sw *sw);

/* A port in quarantine takes part again. */
void handover_release(struct sw *sw, struct port *p);

/* The end of a round in which something has changed. */
void handover_round(struct sw *sw);

/*
 * All requests have come back (loop_quiesce): keep what is in the switch, and
 * tell the keeper that a new one is wanted. Then exit with EX_TEMPFAIL. Returns
 * -errno if that cannot be.
 */
int handover_leave(struct sw *sw);

void handover_free(struct sw *sw);

#endif
