/* Two ports with nothing between them. */
#ifndef BENCH_DIRECT_H
#define BENCH_DIRECT_H

#include "peer.h"

/*
 * Open both ends of a connection that is to ports of @kind what a switch's are:
 * of PEER_TAP, and with them turned round of PEER_PACKET, a tap of our own and a
 * packet socket on it, in a network of our own that this process moves to.
 * Returns 0, or -errno with nothing left open.
 */
int direct_open(struct peer ends[2], enum peer_kind kind);

#endif
