/*
 * Ports of datagram sockets, one frame a datagram: two paths that both sides
 * know (QEMU's -netdev dgram), or an inherited socket.
 *
 * Nobody says hello on them. Ours is connected to the other's path whenever
 * there is a socket, so that strangers are refused and the kernel tells when it
 * takes more; that it was made, or made anew, the directory tells (inotify).
 * Until then ours is open to whoever may write to its file, so that what the
 * other sends before we have looked is not lost.
 */
#ifndef PORT_DGRAM_H
#define PORT_DGRAM_H

#include <stddef.h>

struct endpoint;
struct port_ops;
struct sw;

extern const struct port_ops dgram_ops;

/* Make the port of @e. Returns 0, or -errno with a line in @why. */
int dgram_port_open(struct sw *sw, const struct endpoint *e, char *why,
		    size_t why_bytes);

struct file_record;
struct port;

/* @p, which another process has left, with its socket's @file. Returns 0 or
 * -ENOMEM. */
int dgram_adopt(struct sw *sw, struct port *p, const struct file_record *file);

#endif
