#include "port_tap.h"

#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "../tap/filter.h"
#include "../tap/tap.h"
#include "endpoint.h"
#include "ether.h"
#include "frame.h"
#include "log.h"
#include "port_io.h"
#include "port_security.h"
#include "port_tap_inside.h"
#include "sw.h"

static void tap_release(struct port *p)
{
	if (p->filter)
		filter_close(p->filter, p->fd);
	if (p->fd >= 0)
		close(p->fd);
	filter_free(p->filter);
	p->filter = NULL;
}

/* A device that is down answers EIO, one that has been deleted EBADFD. */
static int send_failed(int err)
{
	if (err == EIO || err == EBADFD || err == EBADF)
		return -ENETDOWN;
	return err == EWOULDBLOCK ? -EAGAIN : -err;
}

static int tap_send(struct sw *sw, struct port *p, struct frame *const *frames,
		    unsigned n)
{
	(void)sw;
	(void)n; /* one: a tap has no call for several */
	if (p->detached)
		return -ENETDOWN;
	if (write(p->fd, frames[0]->data, frames[0]->len) < 0)
		return send_failed(errno);
	return 1;
}

/* One read that gives frame after frame, or where the kernel lacks it, one
 * read at a time: two on the way could overtake each other. */
static void tap_arm_recv(struct sw *sw, struct port *p)
{
	struct io_uring_sqe *sqe;

	if (p->state != PORT_UP || p->detached)
		return;
	sqe = loop_port_sqe(sw, p, ARMED_RECV);
	if (!sqe)
		return;
	if (sw->loop.multishot_read) {
		io_uring_prep_read(sqe, p->fd, NULL, 0, (__u64)-1);
		sqe->opcode = LOOP_OP_READ_MULTISHOT;
	} else {
		io_uring_prep_read(sqe, p->fd, NULL, TAP_BUFFER_BYTES,
				   (__u64)-1);
	}
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = loop_buffer_group(p->id);
	loop_tag(sw, sqe, LOOP_RECV, p);
}

/* Whatever the reason, the device can no longer be read: let go of it. */
static void let_go(struct sw *sw, struct port *p, int err)
{
	if (p->detached)
		return;
	if (!p->reattach) {
		port_fail(&sw->ports, p, "its tap device has gone");
		return;
	}
	log_info("tap %s: %s; attached again when there is a tap device %s",
		 p->name, err == -EBADFD ? "deleted" : strerror(-err),
		 p->endpoint->argument);
	if (p->filter)
		filter_close(p->filter, -1);
	port_io_detach(sw, p);
}

static void tap_on_recv(struct sw *sw, struct port *p, int res, uint32_t flags)
{
	int err = port_io_received(sw, p, res, flags);

	if (err)
		let_go(sw, p, err);
}

bool port_tap_admit(struct sw *sw, struct port *p, struct frame *f)
{
	return filter_admits(p->filter, f->data, f->len, sw->now_ms);
}

/* Be told when the filter's programs have dropped something. */
void port_tap_arm_samples(struct sw *sw, struct port *p)
{
	int fd = p->filter ? filter_samples_fd(p->filter) : -1;
	struct io_uring_sqe *sqe;

	if (fd < 0 || p->state != PORT_UP)
		return;
	sqe = loop_port_sqe(sw, p, ARMED_CONTROL);
	if (!sqe)
		return;
	io_uring_prep_poll_add(sqe, fd, POLLIN);
	loop_tag(sw, sqe, LOOP_CONTROL, p);
}

static void tap_on_control(struct sw *sw, struct port *p, int res)
{
	(void)res;
	if (p->filter)
		filter_take_samples(p->filter);
	port_tap_arm_samples(sw, p);
}

const struct port_ops tap_ops = {
	.kind = "tap",
	.batch = 1,
	.send = tap_send,
	.wait_writable = port_io_wait_writable,
	.arm_recv = tap_arm_recv,
	.on_recv = tap_on_recv,
	.on_control = tap_on_control,
	.release = tap_release,
};

/* A port that was not given a name has its device's. */
static void follow_name(struct sw *sw, struct port *p, const char *name)
{
	if (*p->endpoint->name || !*name || !strcmp(p->name, name))
		return;
	log_info("tap %s: is called %s now", p->name, name);
	snprintf(p->name, sizeof(p->name), "%s", name);
	port_changed(&sw->ports, p);
}

static void learn_about_device(struct sw *sw, struct port *p,
			       const struct tap_link *now)
{
	follow_name(sw, p, now->name);
	p->link_index = now->index;
	p->link_down = !now->up;
	p->tags_extra = true;
	if (now->mtu)
		p->frame_max = now->mtu + ETHER_HEADER_BYTES;
	if (ether_addr(now->address))
		port_set_device(&sw->ports, p, ether_addr(now->address));
}

void port_tap_learn(struct sw *sw, struct port *p,
			const struct tap_state *state)
{
	struct tap_link link = {
		.index = state->index,
		.up = state->up,
		.mtu = state->mtu,
	};

	memcpy(link.name, state->name, sizeof(link.name));
	memcpy(link.address, state->address, sizeof(link.address));
	learn_about_device(sw, p, &link);
}

/* Being told -------------------------------------------------------------- */

bool port_is_tap(const struct port *p)
{
	return p->ops == &tap_ops && p->state == PORT_UP;
}

/* A device that has gone elsewhere, to another network namespace, can still be
 * read and written; but nothing is told of it any more, and another one may
 * get its number. */
static void hear_about(struct sw *sw, struct port *p,
		       const struct tap_link *link)
{
	if (p->detached) {
		if (!link->gone && !strcmp(link->name, p->endpoint->argument))
			port_io_look(sw, p);
	} else if (link->index == p->link_index) {
		if (link->gone)
			p->link_index = 0;
		else
			learn_about_device(sw, p, link);
	}
}

static void hear(void *context, const struct tap_link *link)
{
	struct sw *sw = context;

	for (uint16_t i = 0; i < sw->ports.id_end; i++)
		if (port_is_tap(sw->ports.by_id[i]))
			hear_about(sw, sw->ports.by_id[i], link);
}

void tap_ports_on_link(struct sw *sw)
{
	tap_links_hear(sw->link_watch_fd, &sw->links, hear, sw);
}
