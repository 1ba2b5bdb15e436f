/* Putting frames on a byte stream and finding them again. See stream.h. */
#include "stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
	LENGTH_BYTES = 4,
	READ_BYTES = 4096 + 65536,	/* what QEMU reads at a time */
};

struct stream {
	size_t sent_bytes;		/* of the frame that is being sent */
	size_t start, end;		/* of what was read and not yet taken */
	uint8_t bytes[READ_BYTES];
};

struct stream *stream_new(void)
{
	return calloc(1, sizeof(struct stream));
}

void stream_free(struct stream *s)
{
	free(s);
}

int stream_send(struct stream *s, int fd, const uint8_t *frame, size_t len,
		int flags)
{
	uint32_t length = htonl((uint32_t)len);
	const size_t of_length = s->sent_bytes < LENGTH_BYTES ?
				 s->sent_bytes : LENGTH_BYTES;
	const size_t of_frame = s->sent_bytes - of_length;
	struct iovec parts[] = {
		{ (uint8_t *)&length + of_length, LENGTH_BYTES - of_length },
		{ (uint8_t *)frame + of_frame, len - of_frame },
	};
	const struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
	const ssize_t n = sendmsg(fd, &message, flags | MSG_NOSIGNAL);

	if (n < 0)
		return -errno;
	s->sent_bytes += (size_t)n;
	if (s->sent_bytes < LENGTH_BYTES + len)
		return -EAGAIN;
	s->sent_bytes = 0;
	return 0;
}

/* Returns the length of a frame that is there as a whole, 0, or -EPROTO. */
static ssize_t whole_frame(const struct stream *s, size_t size)
{
	const size_t have = s->end - s->start;
	uint32_t length;

	if (have < LENGTH_BYTES)
		return 0;
	memcpy(&length, s->bytes + s->start, sizeof(length));
	length = ntohl(length);
	if (length == 0 || length > size || length > READ_BYTES - LENGTH_BYTES)
		return -EPROTO;
	return have < LENGTH_BYTES + length ? 0 : (ssize_t)length;
}

static int read_more(struct stream *s, int fd, int flags)
{
	ssize_t n;

	memmove(s->bytes, s->bytes + s->start, s->end - s->start);
	s->end -= s->start;
	s->start = 0;
	n = recv(fd, s->bytes + s->end, READ_BYTES - s->end, flags);
	if (n <= 0)
		return n ? -errno : -ECONNRESET;
	s->end += (size_t)n;
	return 0;
}

ssize_t stream_recv(struct stream *s, int fd, uint8_t *frame, size_t size,
		    int flags)
{
	ssize_t n;

	while ((n = whole_frame(s, size)) == 0) {
		const int err = read_more(s, fd, flags);

		if (err)
			return err;
	}
	if (n > 0) {
		memcpy(frame, s->bytes + s->start + LENGTH_BYTES, (size_t)n);
		s->start += LENGTH_BYTES + (size_t)n;
	}
	return n;
}
