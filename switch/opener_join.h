/*
 * Guests that join: their data sockets are made by the opener, and nobody waits
 * for that. While frames flow, joining gets a fifth of the time (JOIN_SHARE): a
 * guest that joins again and again slows nobody down by more.
 */
#ifndef OPENER_JOIN_H
#define OPENER_JOIN_H

#include <stdbool.h>
#include <stdint.h>

#include "opener_wire.h"

struct port;
struct sw;

/*
 * Ask for the data socket of @p, whose control connection there is; uml_joined()
 * hears of it. Returns 0; -EAGAIN if there is as much to do as may be: ask again
 * later; or -ENOTCONN if the opener has ended, or there is none.
 */
int opener_join(struct sw *sw, const struct port *p,
		const struct opener_join *join);

/* How many ports wait for that: those that have been given up are not counted
 * otherwise. */
void opener_join_count(struct sw *sw, unsigned waiting);

/* Listen to the opener: once, when the loop begins. */
void opener_arm(struct sw *sw);
/* It has something to say, or has ended. */
void opener_on_joined(struct sw *sw);

/* The end of a round: let one guest in, unless frames come in (@traffic) and it
 * is not the turn of those who join. */
void opener_join_run(struct sw *sw, bool traffic);

/* How long until then, in nanoseconds; UINT64_MAX if there is nobody. */
uint64_t opener_join_wait_ns(const struct sw *sw, bool traffic);

#endif
