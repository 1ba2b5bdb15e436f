/*
 * What the kinds of ports have in common that read one frame at a time into
 * buffers of their pool: from a datagram socket or from a tap.
 */
#ifndef PORT_IO_H
#define PORT_IO_H

#include <stdbool.h>
#include <stdint.h>

struct port;
struct sw;

/*
 * Give @p a pool of buffers of @slot_bytes, known to the kernel. Returns 0, or
 * -errno and nothing has changed.
 */
int port_io_open(struct sw *sw, struct port *p, uint32_t slot_bytes);

/*
 * A completed receive: a frame is forwarded, an empty one counted, want of
 * buffers noted; and the next receive is asked for if this was the last.
 * Returns 0, or the -errno of a receive that failed; the port is then not
 * being read.
 */
int port_io_received(struct sw *sw, struct port *p, int res, uint32_t flags);

/* Be told when p->fd is writable: an implementation of wait_writable. */
void port_io_wait_writable(struct sw *sw, struct port *p);

#endif
