#include "port_io.h"

#include <errno.h>
#include <liburing.h>
#include <poll.h>

#include "frame.h"
#include "log.h"
#include "loop.h"
#include "port.h"
#include "sw.h"

int port_io_open(struct sw *sw, struct port *p, uint32_t slot_bytes)
{
	int err;

	p->pool = pool_new(PORT_BUFFERS, slot_bytes);
	if (!p->pool)
		return -errno;
	err = loop_register_pool(sw, p);
	if (err) {
		pool_close(p->pool);
		p->pool = NULL;
	}
	return err;
}

static void received_frame(struct sw *sw, struct port *p, uint16_t buffer,
			   uint32_t len)
{
	struct frame *f = pool_take(p->pool, buffer, len);

	if (!f) {
		port_fail(&sw->ports, p, "the kernel filled a buffer that was in use");
		return;
	}
	if (p->state == PORT_UP) {
		p->last_recv_ms = sw->now_ms;
		sw->warm = true;
		forward_frame(&sw->forward, p, f, sw_now_s(sw));
	}
	frame_unref(f);
}

int port_io_received(struct sw *sw, struct port *p, int res, uint32_t flags)
{
	if (flags & IORING_CQE_F_BUFFER)
		received_frame(sw, p,
			       (uint16_t)(flags >> IORING_CQE_BUFFER_SHIFT),
			       res > 0 ? (uint32_t)res : 0);
	else if (res == 0)
		forward_empty(p);
	if (p->state != PORT_UP || flags & IORING_CQE_F_MORE)
		return 0;
	if (res == -ENOBUFS)
		port_starve(&sw->ports, p);
	else if (res < 0 && res != -EAGAIN && res != -EINTR)
		return res;
	else
		p->ops->arm_recv(sw, p);
	return 0;
}

void port_io_wait_writable(struct sw *sw, struct port *p)
{
	struct io_uring_sqe *sqe = loop_port_sqe(sw, p, ARMED_WRITABLE);

	if (!sqe)
		return;
	io_uring_prep_poll_add(sqe, p->fd, POLLOUT);
	loop_tag(sqe, LOOP_WRITABLE, p);
}
