#include "port_dgram.h"

#include <errno.h>
#include <libgen.h>
#include <liburing.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "endpoint.h"
#include "handover_parts.h"
#include "handover_record.h"
#include "log.h"
#include "loop.h"
#include "mac.h"
#include "opener.h"
#include "port.h"
#include "port_io.h"
#include "port_message.h"
#include "port_name.h"
#include "socket_file.h"
#include "sw.h"

/* Its file has gone already: port_io_remove_file(). */
static void dgram_release(struct port *p)
{
	if (p->fd >= 0)
		close(p->fd);
	free(p->file);
	if (p->control_fd >= 0)
		close(p->control_fd);
}

static void set_detached(struct sw *sw, struct port *p, int err)
{
	bool detached = err != 0;

	if (detached)
		port_io_look(sw, p);
	if (p->detached == detached)
		return;
	p->detached = detached;
	port_changed(&sw->ports, p);
	if (detached) {
		log_guest(sw->now_ms, "port %s: cannot send to %s: %s", p->name,
			  p->endpoint->remote, strerror(-err));
		mac_flush_learned(sw->forward.macs, p->id);
	} else {
		log_guest(sw->now_ms, "port %s: %s is there", p->name,
			  p->endpoint->remote);
	}
}

/*
 * The directory tells when a socket is made there, but not when one that was
 * there becomes fit to be connected to, nor when a directory comes back.
 */
static bool look_again(struct sw *sw, struct port *p)
{
	int unwatched;
	int err = opener_dgram_look(sw_opener(sw), p->endpoint, p->fd,
				    p->control_fd, p->detached, &unwatched);

	if (err == -ETIMEDOUT || err == -ENOTCONN)
		return err == -ETIMEDOUT;
	if (p->detached || !unwatched)
		set_detached(sw, p, err);
	return unwatched || (err && err != -ENOENT);
}

/* The other side may have been made anew, and the news not have come yet. */
static int send_failed(struct sw *sw, struct port *p,
		       struct frame *const *frames, unsigned n)
{
	int unwatched, err;

	if (!p->file) {
		port_fail(&sw->ports, p, "the other side has gone");
		return -ENETDOWN;
	}
	err = opener_dgram_look(sw_opener(sw), p->endpoint, p->fd, -1, true,
				&unwatched);
	if (!err)
		return message_send(sw, p, frames, n);
	set_detached(sw, p, err);
	return -ENETDOWN;
}

static int dgram_send(struct sw *sw, struct port *p,
		      struct frame *const *frames, unsigned n)
{
	int taken;

	if (p->detached)
		return -ENETDOWN;
	taken = message_send(sw, p, frames, n);
	return taken == -ENOTCONN ? send_failed(sw, p, frames, n) : taken;
}

static void watch(struct sw *sw, struct port *p)
{
	struct io_uring_sqe *sqe;

	if (p->control_fd < 0)
		return;
	sqe = loop_port_sqe(sw, p, ARMED_CONTROL);
	if (!sqe)
		return;
	io_uring_prep_poll_add(sqe, p->control_fd, POLLIN);
	loop_tag(sw, sqe, LOOP_CONTROL, p);
}

static void dgram_arm_recv(struct sw *sw, struct port *p)
{
	if (p->state != PORT_UP)
		return;
	watch(sw, p);
	message_arm_recv(sw, p);
}

static void dgram_on_recv(struct sw *sw, struct port *p, int res,
			  uint32_t flags)
{
	int err = port_io_received(sw, p, res, flags);

	/* Whoever sends has a socket. */
	if (p->detached && res > 0)
		port_io_look(sw, p);
	/* The other side has been connected anew. */
	if (err == -ECONNRESET)
		message_arm_recv(sw, p);
	else if (err)
		port_fail(&sw->ports, p, strerror(-err));
}

/* Whether any of these events is about @name, or some have been lost, or the
 * directory has gone. */
static bool concerns(const char *events, ssize_t bytes, const char *name)
{
	const struct inotify_event *event;

	for (ssize_t at = 0; at < bytes;
	     at += (ssize_t)(sizeof(*event) + event->len)) {
		event = (const void *)(events + at);
		if (event->mask & (IN_Q_OVERFLOW | IN_IGNORED) ||
		    (event->len && !strcmp(event->name, name)))
			return true;
	}
	return false;
}

static void dgram_on_control(struct sw *sw, struct port *p, int res)
{
	char events[4096] __attribute__((aligned(8)));
	char copy[SOCKET_PATH_BYTES];
	const char *name;
	bool ours = false;
	ssize_t bytes;

	(void)res;
	if (p->state != PORT_UP)
		return;
	memcpy(copy, p->endpoint->remote, sizeof(copy));
	name = basename(copy);
	while ((bytes = read(p->control_fd, events, sizeof(events))) > 0)
		ours |= concerns(events, bytes, name);
	if (ours && look_again(sw, p))
		port_io_look(sw, p);
	watch(sw, p);
}

int dgram_port_open(struct sw *sw, const struct endpoint *e, char *why,
		    size_t why_bytes)
{
	struct port *p = port_new(&sw->ports, &dgram_ops, e->queue, sw->now_ms);
	int unwatched, err = -ENOMEM;

	if (!p)
		goto no_memory;
	p->endpoint = e;
	p->file = calloc(1, sizeof(*p->file));
	if (!p->file)
		goto no_memory;
	p->file->fd = -1;
	err = opener_dgram(sw_opener(sw), e, p->file, &p->control_fd, why,
			   why_bytes);
	if (err)
		return err;
	p->fd = p->file->fd;
	err = message_open(sw, p, e->mtu);
	if (err)
		goto no_memory;
	loop_file_add(&sw->loop, p->fd);
	loop_file_add(&sw->loop, p->control_fd);
	p->reattach = look_again;
	p->detached = opener_dgram_look(sw_opener(sw), e, p->fd, -1, true,
					&unwatched) != 0;
	if (p->detached)
		port_io_look(sw, p);
	port_name_give(&sw->ports, p, e->name, 0);
	port_up(&sw->ports, p);
	return 0;

no_memory:
	snprintf(why, why_bytes, "--port dgram:%s: cannot get buffers: %s",
		 e->argument, strerror(-err));
	return err;
}

int dgram_adopt(struct sw *sw, struct port *p, const struct file_record *file)
{
	if (p->endpoint->kind == PORT_FD)
		return 0;
	p->file = calloc(1, sizeof(*p->file));
	if (!p->file)
		return -ENOMEM;
	file_record_read(file, p->fd, p->file);
	p->reattach = look_again;
	if (p->detached)
		port_io_look(sw, p);
	return 0;
}

const struct port_ops dgram_ops = {
	.kind = "dgram",
	.batch = SEND_BATCH,
	.send = dgram_send,
	.wait_writable = port_io_wait_writable,
	.arm_recv = dgram_arm_recv,
	.on_recv = dgram_on_recv,
	.on_control = dgram_on_control,
	.release = dgram_release,
};
