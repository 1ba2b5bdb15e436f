#include "port_message.h"

#include <errno.h>
#include <liburing.h>
#include <sys/socket.h>

#include "ether.h"
#include "frame.h"
#include "loop.h"
#include "port.h"
#include "port_io.h"
#include "sw.h"

int message_open(struct sw *sw, struct port *p, uint32_t mtu)
{
	mtu = mtu ? mtu : MTU_DEFAULT;
	p->frame_max = mtu + ETHER_HEADER_BYTES;
	p->tags_extra = true;
	return port_io_open(sw, p, port_io_buffer_bytes(mtu));
}

/* The peer's socket has gone, and ours would now take datagrams from anybody;
 * or it has been connected to somebody else (EPERM) and takes none of ours. */
static int send_failed(int err)
{
	switch (err) {
	case ECONNREFUSED:
	case ENOTCONN:
	case EPIPE:
	case ECONNRESET:
	case EPERM:
		return -ENOTCONN;
	default:
		return err == EWOULDBLOCK ? -EAGAIN : -err;
	}
}

int message_send(struct sw *sw, struct port *p, struct frame *const *frames,
		 unsigned n)
{
	struct mmsghdr messages[SEND_BATCH];
	struct iovec parts[SEND_BATCH];
	int sent;

	(void)sw;
	if (n == 1) {
		/* A lone frame, and its latency: the shorter call. */
		if (send(p->fd, frames[0]->data, frames[0]->len,
			 MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			return send_failed(errno);
		return 1;
	}
	for (unsigned i = 0; i < n; i++) {
		parts[i] = (struct iovec){ frames[i]->data, frames[i]->len };
		messages[i].msg_hdr = (struct msghdr){ .msg_iov = &parts[i],
						       .msg_iovlen = 1 };
	}
	sent = sendmmsg(p->fd, messages, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	return sent < 0 ? send_failed(errno) : sent;
}

/* MSG_TRUNC: a frame longer than the buffer tells its length. */
void message_arm_recv(struct sw *sw, struct port *p)
{
	struct io_uring_sqe *sqe;

	if (p->state != PORT_UP || p->fd < 0)
		return;
	sqe = loop_port_sqe(sw, p, ARMED_RECV);
	if (!sqe)
		return;
	io_uring_prep_recv_multishot(sqe, p->fd, NULL, 0, MSG_TRUNC);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = loop_buffer_group(p->id);
	loop_tag(sw, sqe, LOOP_RECV, p);
}
