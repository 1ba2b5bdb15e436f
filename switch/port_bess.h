/*
 * Ports whose frames go over a SOCK_SEQPACKET connection, one a message: UML
 * guests started with vec0:transport=bess, and what speaks as they do.
 *
 * A guest whose connection we close spins until it sends something, and then
 * has no network: it is never closed but because it has gone. A message of no
 * bytes would look to it like the end and is never sent; one that it sends is
 * told from the end by what the socket says besides.
 */
#ifndef PORT_BESS_H
#define PORT_BESS_H

struct port_ops;

extern const struct port_ops bess_ops;

#endif
