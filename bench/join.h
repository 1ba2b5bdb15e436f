/*
 * Joining a switch by the protocol of 2001, which User-Mode Linux and
 * libvdeplug share up to the name of the data socket.
 */
#ifndef BENCH_JOIN_H
#define BENCH_JOIN_H

struct peer;

/*
 * Open both sockets of @p, whose kind is PEER_UML or PEER_VDE. Waits at most
 * five seconds for the switch. Returns 0 or -errno (-EPROTO: the switch closed
 * or answered something that is not 110 bytes); on failure it is the caller
 * who closes what is open.
 */
int join_switch(struct peer *p, const char *control_path, unsigned int index);

#endif
