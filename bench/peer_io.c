/* Frames in and out of ports of each kind. See peer.h. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "packet.h"
#include "peer.h"
#include "stream.h"
#include "unix.h"

/* A tap takes one frame a call, and never has to wait for room. */
static int tap_send(const struct peer *p, const struct peer_frame *frames,
		    unsigned int count)
{
	unsigned int sent = 0;

	while (sent < count &&
	       write(p->data_fd, frames[sent].bytes, frames[sent].len) >= 0)
		sent++;
	return sent ? (int)sent : -errno;
}

/* Messages for @count frames. */
static void fill_messages(struct mmsghdr *messages, struct iovec *parts,
			  const struct peer *p,
			  const struct peer_frame *frames, unsigned int count,
			  bool is_send)
{
	memset(messages, 0, count * sizeof(*messages));
	for (unsigned int i = 0; i < count; i++) {
		struct msghdr *header = &messages[i].msg_hdr;

		parts[i] = (struct iovec){ frames[i].bytes, frames[i].len };
		header->msg_iov = &parts[i];
		header->msg_iovlen = 1;
		if (is_send && p->by_address) {
			header->msg_name = (void *)&p->to;
			header->msg_namelen = p->to_len;
		}
	}
}

int peer_send(const struct peer *p, const struct peer_frame *frames,
	      unsigned int count, bool wait)
{
	const int flags = (wait ? 0 : MSG_DONTWAIT) | MSG_NOSIGNAL;
	struct mmsghdr messages[PEER_BATCH_MAX];
	struct iovec parts[PEER_BATCH_MAX];
	int n;

	if (p->stream)
		return stream_send(p->stream, p->data_fd, frames, count, flags);
	if (p->kind == PEER_TAP)
		return tap_send(p, frames, count);
	fill_messages(messages, parts, p, frames, count, true);
	if (count == 1)
		return sendmsg(p->data_fd, &messages[0].msg_hdr, flags) < 0 ?
		       -errno : 1;
	n = sendmmsg(p->data_fd, messages, count, flags);
	return n > 0 ? n : -errno;
}

int peer_flush(const struct peer *p)
{
	return p->stream ? stream_flush(p->stream, p->data_fd,
					MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
}

int peer_send_one(const struct peer *p, uint8_t *frame, size_t len, bool wait)
{
	const struct peer_frame one = { frame, len };
	const int n = peer_send(p, &one, 1, wait);

	return n < 0 ? n : 0;
}

static int tap_recv(const struct peer *p, struct peer_frame *frames,
		    unsigned int count)
{
	unsigned int received = 0;

	while (received < count) {
		const ssize_t n = read(p->data_fd, frames[received].bytes,
				       frames[received].len);

		if (n < 0)
			return received ? (int)received : -errno;
		frames[received++].len = (size_t)n;
	}
	return (int)received;
}

int peer_recv(const struct peer *p, struct peer_frame *frames,
	      unsigned int count)
{
	struct mmsghdr messages[PEER_BATCH_MAX];
	struct iovec parts[PEER_BATCH_MAX];
	int n;

	if (p->stream)
		return stream_recv(p->stream, p->data_fd, frames, count);
	if (p->kind == PEER_TAP)
		return tap_recv(p, frames, count);
	fill_messages(messages, parts, p, frames, count, false);
	n = recvmmsg(p->data_fd, messages, count, MSG_DONTWAIT | MSG_TRUNC,
		     NULL);
	if (n < 0)
		return -errno;
	for (int i = 0; i < n; i++)
		frames[i].len = messages[i].msg_len;
	/* No guest sends a frame of nothing: it is the end. */
	if (p->kind == PEER_BESS && n > 0 && !frames[n - 1].len)
		return n > 1 ? n - 1 : -ECONNRESET;
	return n;
}

bool peer_has_frame(const struct peer *p)
{
	return p->stream && stream_has_frame(p->stream);
}

ssize_t peer_recv_one(const struct peer *p, uint8_t *frame, size_t size,
		      int timeout_ms)
{
	struct pollfd pollfd = { .fd = p->data_fd, .events = POLLIN };
	struct peer_frame one = { frame, size };
	int n = peer_recv(p, &one, 1);

	if (n == -EAGAIN && poll(&pollfd, 1, timeout_ms) > 0) {
		one = (struct peer_frame){ frame, size };
		n = peer_recv(p, &one, 1);
	}
	if (n < 0)
		return n;
	if (one.bytes != frame)
		memcpy(frame, one.bytes, one.len < size ? one.len : size);
	return (ssize_t)one.len;
}

int peer_set_timeout(const struct peer *p, unsigned int timeout_ms)
{
	return p->kind == PEER_TAP ? 0 : unix_set_timeouts(p->data_fd,
							   timeout_ms);
}

void peer_drain(const struct peer *p)
{
	uint8_t frame[FRAME_MIN_BYTES];

	while (peer_recv_one(p, frame, sizeof(frame), 0) >= 0)
		;
}

uint64_t peer_overruns(const struct peer *p)
{
	return p->kind == PEER_PACKET ? packet_overruns(p->data_fd) : 0;
}
