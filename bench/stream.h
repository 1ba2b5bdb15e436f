/*
 * Frames on a byte stream, as QEMU's -netdev stream and socket put them there:
 *
 *   | length, 4 bytes, big endian | frame | length | frame ...
 *
 * A write may take a part of a frame, and a read may end anywhere. As QEMU,
 * a frame is one write, and a read takes whatever is there, many frames too.
 */
#ifndef BENCH_STREAM_H
#define BENCH_STREAM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct stream;

/* Returns NULL if there is no memory. */
struct stream *stream_new(void);
void stream_free(struct stream *s);

/*
 * Send a frame, or what is left of it. Returns 0 when the last byte is gone.
 * -EAGAIN: it is not, and the same frame must be offered again, no other.
 */
int stream_send(struct stream *s, int fd, const uint8_t *frame, size_t len,
		int flags);

/*
 * The next whole frame. Returns its length, -EPROTO for a length of nothing or
 * more than @size, -ECONNRESET at the end of the stream, or another -errno.
 */
ssize_t stream_recv(struct stream *s, int fd, uint8_t *frame, size_t size,
		    int flags);

#endif
