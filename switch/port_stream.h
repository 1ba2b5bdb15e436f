/*
 * Ports whose frames go over a byte stream, each behind its length
 * (wire_stream.h): QEMU's -netdev stream, and passt.
 *
 * These are the only frames that are copied on their way in: a stream does not
 * come in frames, and a buffer that several frames share would let one of them,
 * stuck in some queue, keep the room of all. What one read gives, 43 full
 * frames, more than pays for it. On the way out frames are gathered; when the
 * kernel takes a part of one, the rest is kept aside and goes first.
 */
#ifndef PORT_STREAM_H
#define PORT_STREAM_H

#include <stdint.h>

struct port;
struct port_ops;
struct sw;

extern const struct port_ops stream_ops;

/*
 * Buffers and limits for frames of @mtu bytes (0: MTU_DEFAULT) behind their
 * header. Returns 0, or -errno.
 */
int stream_open(struct port *p, uint32_t mtu);

/* p->fd is another stream than before: begin at its beginning. */
void stream_restart(struct port *p);

#endif
