/* Reading and judging frames. See receiver.h. */
#include "receiver.h"

#include <errno.h>
#include <poll.h>

#include "now.h"
#include "peer.h"

/*
 * How long silence has to last before it means the end. It must outlast the
 * time that a switch with a queue may not be scheduled on a busy host.
 */
enum { QUIET_MS = 300 };

static bool is_readable(int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };

	return poll(&pollfd, 1, 0) > 0;
}

static void enter(struct receiver *r, const uint8_t *frame, size_t len,
		  size_t frame_bytes)
{
	const uint64_t now = now_ns();
	uint64_t stamp_ns;

	if (!tally_enter(&r->tally, frame, len, frame_bytes, &stamp_ns))
		return;
	r->last_ns = now;
	if (r->latency_ns && r->tally.delivered <= r->latency_room)
		r->latency_ns[r->tally.delivered - 1] = now - stamp_ns;
}

int receiver_run(struct receiver *r, const struct peer *port,
		 size_t frame_bytes, int sender_fd)
{
	uint8_t frame[FRAME_MAX_BYTES];
	int err = peer_set_timeouts(port, QUIET_MS);

	while (!err) {
		const ssize_t n = peer_recv(port, frame, sizeof(frame));

		if (n >= 0)
			enter(r, frame, (size_t)n, frame_bytes);
		else if (n == -EAGAIN && is_readable(sender_fd))
			break;
		else if (n != -EAGAIN && n != -EINTR)
			err = (int)n;
	}
	return err;
}
