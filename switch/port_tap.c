#include "port_tap.h"

#include <errno.h>
#include <liburing.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../tap/tap.h"
#include "clock.h"
#include "ether.h"
#include "frame.h"
#include "log.h"
#include "mac.h"
#include "port_io.h"
#include "sw.h"

static void tap_release(struct port *p)
{
	if (p->fd >= 0)
		close(p->fd);
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
	if (p->fd < 0)
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

	if (p->state != PORT_UP || p->fd < 0)
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
	loop_tag(sqe, LOOP_RECV, p);
}

/* Whatever the reason, the device can no longer be read: let go of it. */
static void detach(struct sw *sw, struct port *p, int err)
{
	if (p->fd < 0)
		return;
	log_info("tap %s: %s; attached again when there is a tap device %s",
		 p->name, err == -EBADFD ? "deleted" : strerror(-err),
		 p->tap_name);
	loop_cancel(sw, p, ARMED_WRITABLE);
	close(p->fd);
	p->fd = -1;
	mac_flush_port(sw->forward.macs, p->id);
	sw->taps_detached = true;
}

static void tap_on_recv(struct sw *sw, struct port *p, int res, uint32_t flags)
{
	int err = port_io_received(sw, p, res, flags);

	if (err)
		detach(sw, p, err);
}

static const struct port_ops tap_ops = {
	.kind = "tap",
	.batch = 1,
	.send = tap_send,
	.wait_writable = port_io_wait_writable,
	.arm_recv = tap_arm_recv,
	.on_recv = tap_on_recv,
	.release = tap_release,
};

static void learn_about_device(struct port *p, const struct tap_state *now)
{
	if (strcmp(p->name, now->name))
		log_info("tap %s: is called %s now", p->name, now->name);
	snprintf(p->name, sizeof(p->name), "%s", now->name);
	p->link_down = !now->up;
	p->frame_max = now->mtu + ETHER_HEADER_BYTES;
	p->tags_extra = true;
}

static int open_one(struct sw *sw, const char *name, char *why, size_t why_bytes)
{
	struct port *p = port_new(&sw->ports, &tap_ops, sw->now_ms);
	struct tap_state state;
	int err;

	if (!p)
		return -ENOMEM;
	p->tap_name = name;
	for (int tries = 0; tries < RESTART_TRIES; tries++) {
		p->fd = tap_open(name, &state, why, why_bytes);
		if (p->fd != -EBUSY)
			break;
		clock_pause();
	}
	if (p->fd < 0)
		return p->fd;
	err = port_io_open(sw, p, TAP_BUFFER_BYTES);
	if (err) {
		snprintf(why, why_bytes, "tap %s: cannot get receive buffers: %s",
			 name, strerror(-err));
		return err;
	}
	port_up(&sw->ports, p, state.name);
	learn_about_device(p, &state);
	if (!state.up)
		log_info("tap %s: is down, and bringing it up is not permitted: ip link set %s up",
			 p->name, p->name);
	return 0;
}

int tap_ports_open(struct sw *sw, char *why, size_t why_bytes)
{
	for (unsigned i = 0; i < sw->options->tap_count; i++) {
		int err = open_one(sw, sw->options->taps[i], why, why_bytes);

		if (err)
			return err;
	}
	if (!sw->options->tap_count)
		return 0;
	sw->link_watch_fd = tap_watch_open();
	if (sw->link_watch_fd < 0)
		snprintf(why, why_bytes, "cannot watch network devices: %s",
			 strerror(-sw->link_watch_fd));
	return sw->link_watch_fd < 0 ? sw->link_watch_fd : 0;
}

/* A device may be busy for a moment while somebody is setting it up. */
static void attach_again(struct sw *sw, struct port *p)
{
	struct tap_state state;
	char why[256];
	int fd;

	if (p->armed & ARMED_RECV || !if_nametoindex(p->tap_name))
		return;
	fd = tap_open(p->tap_name, &state, why, sizeof(why));
	if (fd == -EBUSY)
		sw->taps_detached = true;
	if (fd < 0)
		return;
	p->fd = fd;
	learn_about_device(p, &state);
	log_info("tap %s: attached again", p->name);
	tap_arm_recv(sw, p);
}

void tap_ports_recheck(struct sw *sw)
{
	struct tap_state state;

	sw->taps_detached = false;
	for (uint16_t i = 0; i < sw->ports.id_end; i++) {
		struct port *p = sw->ports.by_id[i];

		if (p->ops != &tap_ops || p->state != PORT_UP)
			continue;
		if (p->fd < 0)
			attach_again(sw, p);
		else if (!tap_query(p->fd, &state))
			learn_about_device(p, &state);
	}
}

void tap_ports_on_link(struct sw *sw)
{
	tap_watch_drain(sw->link_watch_fd);
	tap_ports_recheck(sw);
}
