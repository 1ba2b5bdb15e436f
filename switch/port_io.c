#include "port_io.h"

#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ether.h"
#include "frame.h"
#include "log.h"
#include "loop.h"
#include "mac.h"
#include "opener.h"
#include "port.h"
#include "port_slow.h"
#include "socket_file.h"
#include "sw.h"
#include "trace.h"

uint32_t port_io_buffer_bytes(uint32_t mtu)
{
	const uint32_t line = 64; /* of the processor's cache */
	uint32_t bytes = mtu + ETHER_HEADER_BYTES + ETHER_TAG_BYTES;

	if (bytes < BUFFER_BYTES_MIN)
		bytes = BUFFER_BYTES_MIN;
	return (bytes + line - 1) / line * line;
}

int port_io_open(struct sw *sw, struct port *p, uint32_t slot_bytes)
{
	int err;

	p->pool = pool_new(PORT_BUFFERS, slot_bytes);
	if (!p->pool)
		return -errno;
	p->pool->owner = p->id;
	err = loop_register_pool(sw, p);
	if (err) {
		pool_close(p->pool);
		p->pool = NULL;
	}
	return err;
}

static bool judge(struct sw *sw, struct port *p, struct frame *f)
{
	bool admitted = p->admit(sw, p, f);

	trace_filter_verdict(p, f, admitted);
	return admitted;
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
		/* What is too long for its buffer is not all there. */
		if (p->admit && f->len <= p->pool->slot_bytes &&
		    !judge(sw, p, f))
			forward_refused(&sw->forward, p, f);
		else
			forward_frame(&sw->forward, p, f, sw_now_s(sw));
	}
	frame_unref(f);
}

void port_io_give_back(struct port *p, uint32_t flags)
{
	struct frame *f = NULL;

	if (flags & IORING_CQE_F_BUFFER)
		f = pool_take(p->pool,
			      (uint16_t)(flags >> IORING_CQE_BUFFER_SHIFT), 0);
	if (f)
		frame_unref(f);
}

int port_io_received(struct sw *sw, struct port *p, int res, uint32_t flags)
{
	if (flags & IORING_CQE_F_BUFFER)
		received_frame(sw, p,
			       (uint16_t)(flags >> IORING_CQE_BUFFER_SHIFT),
			       res > 0 ? (uint32_t)res : 0);
	else if (res == 0)
		forward_empty(&sw->forward, p);
	if (p->state != PORT_UP || flags & IORING_CQE_F_MORE)
		return 0;
	if (res == -ENOBUFS)
		port_starve(&sw->ports, p, sw->now_ms);
	else if (res < 0 && !port_io_again(res))
		return res;
	else
		p->ops->arm_recv(sw, p);
	return 0;
}

void port_io_detach(struct sw *sw, struct port *p)
{
	loop_cancel(sw, p, ARMED_RECV | ARMED_WRITABLE);
	loop_file_remove(&sw->loop, p->fd);
	close(p->fd);
	p->fd = -1;
	p->detached = true;
	port_changed(&sw->ports, p);
	mac_flush_learned(sw->forward.macs, p->id);
	port_io_look(sw, p);
}

void port_io_look(struct sw *sw, struct port *p)
{
	p->looking = true;
	sw->ports_looking = true;
}

void port_io_remove_file(struct sw *sw, struct port *p)
{
	struct sockaddr_un own = { 0 };
	socklen_t bytes = sizeof(own) - 1;

	if (p->file) {
		opener_close_file(sw_opener(sw), p->file);
		p->fd = -1;
	} else if (p->is_vde && p->fd >= 0 &&
		   !getsockname(p->fd, (void *)&own, &bytes) &&
		   own.sun_path[0]) {
		opener_remove_data_file(sw_opener(sw), own.sun_path);
	}
}

bool port_io_other_side_has_gone(const struct port *p)
{
	struct pollfd state = {
		.fd = p->control_fd >= 0 ? p->control_fd : p->fd,
		.events = POLLRDHUP,
	};

	return poll(&state, 1, 0) == 1 &&
	       state.revents & (POLLRDHUP | POLLHUP);
}

void port_lost(struct sw *sw, struct port *p, const char *why)
{
	if (!p->reattach) {
		port_fail(&sw->ports, p, why);
		return;
	}
	if (p->detached)
		return;
	log_guest(sw->now_ms, "port %s: %s; connecting again when it is back",
		  p->name, why);
	port_io_detach(sw, p);
}

void port_io_wait_writable(struct sw *sw, struct port *p)
{
	struct io_uring_sqe *sqe = loop_port_sqe(sw, p, ARMED_WRITABLE);

	if (!sqe)
		return;
	io_uring_prep_poll_add(sqe, p->fd, POLLOUT);
	loop_tag(sw, sqe, LOOP_WRITABLE, p);
}
