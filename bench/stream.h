/*
 * Frames on a byte stream, as QEMU's -netdev stream and socket put them there:
 *
 *   | length, 4 bytes, big endian | frame | length | frame ...
 *
 * A write may take a part of a frame, and a read may end anywhere. As QEMU, a
 * read takes whatever is there, many frames too.
 */
#ifndef BENCH_STREAM_H
#define BENCH_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct peer_frame;
struct stream;

/* Returns NULL if there is no memory. */
struct stream *stream_new(void);
void stream_free(struct stream *s);

/*
 * Send frames. Returns how many the socket has taken, or -errno: -EAGAIN if
 * none. Of the last one a part may have to wait here until the next call, or
 * until stream_flush(), which returns 0 when nothing waits any more.
 */
int stream_send(struct stream *s, int fd, const struct peer_frame *frames,
		unsigned int count, int flags);
int stream_flush(struct stream *s, int fd, int flags);

/*
 * The next whole frames, without waiting; they stay until the next call.
 * Returns how many, -EAGAIN, -EPROTO for a length that no frame has,
 * -ECONNRESET at the end of the stream, or another -errno.
 */
int stream_recv(struct stream *s, int fd, struct peer_frame *frames,
		unsigned int count);
/* Whether there is one that has been read already. */
bool stream_has_frame(const struct stream *s);

#endif
