#include "port_bess.h"

#include <errno.h>
#include <liburing.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "frame.h"
#include "port.h"
#include "port_io.h"
#include "port_message.h"
#include "sw.h"

static void bess_release(struct port *p)
{
	if (p->fd >= 0)
		close(p->fd);
}

/* That the other side has gone is for the receiving side to find. */
static int bess_send(struct sw *sw, struct port *p, struct frame *const *frames,
		     unsigned n)
{
	int taken;

	if (p->detached)
		return -ENETDOWN;
	taken = message_send(sw, p, frames, n);
	return taken == -ENOTCONN ? -ENETDOWN : taken;
}

/*
 * Nothing was received: the end, or an empty message? After the end there is
 * nothing more to come, and nothing left but perhaps empty messages. A running
 * switch has no ioctl(2) to ask how much is waiting; but if one wants to know
 * who has sent a message, every message says so, and the end does not.
 */
static bool has_ended(const struct port *p)
{
	char sender[CMSG_SPACE(sizeof(struct ucred))];
	struct msghdr next = { .msg_control = sender,
			       .msg_controllen = sizeof(sender) };
	const int yes = 1, no = 0;
	ssize_t got;

	if (!port_io_other_side_has_gone(p))
		return false;
	/* Rather without its last messages than asking for ever. */
	if (setsockopt(p->fd, SOL_SOCKET, SO_PASSCRED, &yes, sizeof(yes)))
		return true;
	got = recvmsg(p->fd, &next, MSG_PEEK | MSG_DONTWAIT);
	setsockopt(p->fd, SOL_SOCKET, SO_PASSCRED, &no, sizeof(no));
	return !got && !next.msg_controllen;
}

/* A reset is told before what had come earlier, and once. */
static void bess_on_recv(struct sw *sw, struct port *p, int res, uint32_t flags)
{
	bool nothing = !res && !(flags & IORING_CQE_F_BUFFER);
	int err;

	if (p->detached) {
		port_io_give_back(p, flags);
		return;
	}
	if (nothing && p->state == PORT_UP && has_ended(p)) {
		port_lost(sw, p, "the other side has gone");
		return;
	}
	err = port_io_received(sw, p, res, flags);
	if (err == -ECONNRESET)
		message_arm_recv(sw, p);
	else if (err)
		port_lost(sw, p, strerror(-err));
}

const struct port_ops bess_ops = {
	.kind = "bess",
	.batch = SEND_BATCH,
	.send = bess_send,
	.wait_writable = port_io_wait_writable,
	.arm_recv = message_arm_recv,
	.on_recv = bess_on_recv,
	.release = bess_release,
};
