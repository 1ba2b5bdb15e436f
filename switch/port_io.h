/*
 * What the kinds of ports have in common that read one frame at a time into
 * buffers of their pool: from a datagram socket or from a tap.
 */
#ifndef PORT_IO_H
#define PORT_IO_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

struct port;
struct sw;

/* Room for a frame of @mtu bytes behind its header, with a tag. */
uint32_t port_io_buffer_bytes(uint32_t mtu);

/*
 * Give @p a pool of buffers of @slot_bytes, known to the kernel. Returns 0, or
 * -errno and nothing has changed.
 */
int port_io_open(struct sw *sw, struct port *p, uint32_t slot_bytes);

/* A receive that failed with @res is asked for once more: what the port's other
 * side has nothing to do with must not cost it its port. */
static inline bool port_io_again(int res)
{
	return res == -EAGAIN || res == -EINTR || res == -ENOMEM;
}

/*
 * A completed receive: a frame is forwarded, an empty one counted, want of
 * buffers noted; and the next receive is asked for if this was the last.
 * Returns 0, or the -errno of a receive that failed; the port is then not
 * being read.
 */
int port_io_received(struct sw *sw, struct port *p, int res, uint32_t flags);

/* Of a completed receive, the buffer only: the frame is not wanted. */
void port_io_give_back(struct port *p, uint32_t flags);

/*
 * The other side of @p has gone, for @why (a literal). A port of a kind that
 * reattaches stays without it and looks for it again; another is closed.
 */
void port_lost(struct sw *sw, struct port *p, const char *why);

/* Let go of p->fd, take back what the kernel was asked, forget its addresses,
 * and look for its other side. */
void port_io_detach(struct sw *sw, struct port *p);

/* Call p->reattach in the next tick. */
void port_io_look(struct sw *sw, struct port *p);

/* @p is about to be freed: the file of its socket goes, if it has one. */
void port_io_remove_file(struct sw *sw, struct port *p);

/* Whether the other side of a connection has gone, even if it has left frames
 * that are still to be read. */
bool port_io_other_side_has_gone(const struct port *p);

/* Be told when p->fd is writable: an implementation of wait_writable. */
void port_io_wait_writable(struct sw *sw, struct port *p);

#endif
