/*
 * What the kinds of ports have in common whose socket carries one frame a
 * message: datagrams and SOCK_SEQPACKET.
 */
#ifndef PORT_MESSAGE_H
#define PORT_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

struct frame;
struct port;
struct sw;

/*
 * Buffers and limits for frames of @mtu bytes (0: MTU_DEFAULT) behind their
 * header. Returns 0, or -errno and nothing has changed.
 */
int message_open(struct sw *sw, struct port *p, uint32_t mtu);

/* Implementations of port_ops. A send that finds the peer gone fails with
 * -ENOTCONN; what that means to the port is the kind's to say. */
int message_send(struct sw *sw, struct port *p, struct frame *const *frames,
		 unsigned n);
void message_arm_recv(struct sw *sw, struct port *p);

#endif
