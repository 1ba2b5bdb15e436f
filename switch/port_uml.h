/*
 * Ports of User-Mode Linux guests started with eth0=daemon, and of VDE clients:
 * a control connection on which the guest says where it receives, and a
 * datagram socket of its own on which frames go both ways, one a datagram.
 *
 * That socket is connected to the guest before the guest hears of it: the
 * kernel then refuses everybody else's datagrams, tells us when the guest can
 * take more, and queues 93 full frames from the guest instead of 11.
 *
 * It has an abstract name for a UML guest, as uml_switch's has, and one in the
 * file system for a VDE client, as vde_switch's has: then the client may be in
 * another network namespace, where abstract names are others.
 */
#ifndef PORT_UML_H
#define PORT_UML_H

#include <stdbool.h>

struct opener_joined;
struct port;
struct port_ops;
struct sw;

extern const struct port_ops uml_ops;

/* Somebody has connected: p->control_fd. Wait for what it wants, if that is not
 * in p->request already. */
void uml_start(struct sw *sw, struct port *p);

/* Its buffers are there: what is so for every guest of UML, or VDE client. */
void uml_adopt(struct port *p, bool vde);

struct port_record;

/*
 * A guest that another process had as @r, of which nothing but the addresses is
 * left: it never connects again, but goes on sending to the address that it was
 * told. Bind to that again, and connect to the guest. False with a few words in
 * *@why: then its guest has gone.
 */
bool uml_revive(struct port *p, const struct port_record *r, const char **why);

/* The opener has made the data socket of a guest, @fd, or not (-1). */
void uml_joined(struct sw *sw, const struct opener_joined *answer, int fd);

/* Give up connections that have been silent for too long. */
void uml_expire_joining(struct sw *sw);

#endif
