/*
 * Ports of User-Mode Linux guests started with eth0=daemon: a control
 * connection on which the guest says where it receives, and a datagram socket
 * of its own on which frames go both ways, one a datagram.
 *
 * That socket is connected to the guest before the guest hears of it: the
 * kernel then refuses everybody else's datagrams, tells us when the guest can
 * take more, and queues 93 full frames from the guest instead of 11.
 */
#ifndef PORT_UML_H
#define PORT_UML_H

#include <stdint.h>

struct port;
struct sw;

/* The answer to loop_arm_accept(): a connection, or -errno. */
void uml_on_accept(struct sw *sw, int res);

/* Something on a control connection: bytes, its end (0), or -errno. */
void uml_on_control(struct sw *sw, struct port *p, int res);

/* Give up connections that have been silent for too long. */
void uml_expire_joining(struct sw *sw);

#endif
