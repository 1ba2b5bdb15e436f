/*
 * Ports whose frames go over a byte stream, each behind its length
 * (wire_stream.h): QEMU's -netdev stream, and passt.
 *
 * These are the only frames that are copied on their way in: a stream does not
 * come in frames, and a buffer that several frames share would let one of them,
 * stuck in some queue, keep the room of all. What one read gives, 43 full
 * frames, more than pays for it. When the kernel takes a part of a frame on
 * the way out, the rest is kept aside and goes first.
 */
#ifndef PORT_STREAM_H
#define PORT_STREAM_H

#include <stdbool.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdio.h>

struct port;
struct port_ops;
struct sw;

extern const struct port_ops stream_ops;

/*
 * Buffers and limits for frames of @mtu bytes (0: MTU_DEFAULT) behind their
 * header. Returns 0, or -errno.
 */
int stream_open(struct port *p, uint32_t mtu);

/*
 * p->fd is a stream that another process was in the middle of: find out where;
 * and what it had in its hands, if it could leave that: @bytes at @from, as
 * stream_save() writes them, which returns how many. False if they make no sense.
 */
void stream_adopt(struct port *p);
size_t stream_save(const struct port *p, FILE *to);
bool stream_load(struct port *p, const uint8_t *from, size_t bytes);

/*
 * p->fd is a stream that another process was in the middle of: find out where;
 * and what it had in its hands, if it could leave that: @bytes at @from, as
 * stream_save() writes them, which returns how many. False if they make no
 * sense.
 */
void stream_adopt(struct port *p);
size_t stream_save(const struct port *p, FILE *to);
bool stream_load(struct port *p, const uint8_t *from, size_t bytes);

/* p->fd is another stream than before: begin at its beginning. */
void stream_restart(struct port *p);

#endif
