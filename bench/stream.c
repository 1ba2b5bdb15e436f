/* Putting frames on a byte stream and finding them again. See stream.h. */
#include "stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "peer.h"

enum {
	LENGTH_BYTES = 4,
	READ_BYTES = 4096 + 65536,	/* what QEMU reads at a time */
};

struct stream {
	size_t rest_start, rest_end;	/* of a frame that is being sent */
	size_t start, end;		/* of what was read and not yet taken */
	uint8_t rest[LENGTH_BYTES + FRAME_MAX_BYTES];
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

int stream_flush(struct stream *s, int fd, int flags)
{
	while (s->rest_start < s->rest_end) {
		const ssize_t n = send(fd, s->rest + s->rest_start,
				       s->rest_end - s->rest_start, flags);

		if (n < 0)
			return -errno;
		s->rest_start += (size_t)n;
	}
	return 0;
}

static void keep(struct stream *s, const struct iovec *part, size_t from)
{
	memcpy(s->rest + s->rest_end, (const uint8_t *)part->iov_base + from,
	       part->iov_len - from);
	s->rest_end += part->iov_len - from;
}

/*
 * Of frames of two parts each, @n bytes are gone. Returns how many frames that
 * is, with one of which a part is left, and keeps that part.
 */
static unsigned int frames_in(struct stream *s, const struct iovec *parts,
			      size_t n)
{
	unsigned int i = 0;

	for (; n >= parts[i].iov_len + parts[i + 1].iov_len; i += 2) {
		n -= parts[i].iov_len + parts[i + 1].iov_len;
		if (!n)
			return i / 2 + 1;
	}
	s->rest_start = 0;
	s->rest_end = 0;
	if (n < LENGTH_BYTES)
		keep(s, &parts[i], n);
	keep(s, &parts[i + 1], n < LENGTH_BYTES ? 0 : n - LENGTH_BYTES);
	return i / 2 + 1;
}

int stream_send(struct stream *s, int fd, const struct peer_frame *frames,
		unsigned int count, int flags)
{
	uint32_t length[PEER_BATCH_MAX];
	struct iovec parts[2 * PEER_BATCH_MAX];
	const struct msghdr message = {
		.msg_iov = parts, .msg_iovlen = (size_t)2 * count,
	};
	int err = stream_flush(s, fd, flags);
	ssize_t n;

	if (err)
		return err;
	for (unsigned int i = 0; i < count; i++) {
		length[i] = htonl((uint32_t)frames[i].len);
		parts[2 * i] = (struct iovec){ &length[i], LENGTH_BYTES };
		parts[2 * i + 1] = (struct iovec){ frames[i].bytes,
						   frames[i].len };
	}
	n = sendmsg(fd, &message, flags);
	return n < 0 ? -errno : (int)frames_in(s, parts, (size_t)n);
}

/* Returns the length of a frame that is there as a whole, 0, or -EPROTO. */
static ssize_t whole_frame(const struct stream *s)
{
	const size_t have = s->end - s->start;
	uint32_t length;

	if (have < LENGTH_BYTES)
		return 0;
	memcpy(&length, s->bytes + s->start, sizeof(length));
	length = ntohl(length);
	if (length == 0 || length > READ_BYTES - LENGTH_BYTES)
		return -EPROTO;
	return have < LENGTH_BYTES + length ? 0 : (ssize_t)length;
}

bool stream_has_frame(const struct stream *s)
{
	return whole_frame(s) != 0;
}

static int read_more(struct stream *s, int fd)
{
	ssize_t n;

	memmove(s->bytes, s->bytes + s->start, s->end - s->start);
	s->end -= s->start;
	s->start = 0;
	n = recv(fd, s->bytes + s->end, READ_BYTES - s->end, MSG_DONTWAIT);
	if (n <= 0)
		return n ? -errno : -ECONNRESET;
	s->end += (size_t)n;
	return 0;
}

/* Those that have been read already. Returns how many, or -EPROTO. */
static int take(struct stream *s, struct peer_frame *frames, unsigned int count)
{
	unsigned int taken = 0;
	ssize_t n = 0;

	while (taken < count && (n = whole_frame(s)) > 0) {
		frames[taken++] = (struct peer_frame){
			s->bytes + s->start + LENGTH_BYTES, (size_t)n,
		};
		s->start += LENGTH_BYTES + (size_t)n;
	}
	return taken || n >= 0 ? (int)taken : (int)n;
}

int stream_recv(struct stream *s, int fd, struct peer_frame *frames,
		unsigned int count)
{
	int n;

	while ((n = take(s, frames, count)) == 0) {
		const int err = read_more(s, fd);

		if (err)
			return err;
	}
	return n;
}
