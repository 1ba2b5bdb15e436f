#include "port_tap.h"

#include <errno.h>
#include <liburing.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../tap/filter.h"
#include "../tap/tap.h"
#include "client.h"
#include "clock.h"
#include "endpoint.h"
#include "ether.h"
#include "events.h"
#include "frame.h"
#include "log.h"
#include "port_io.h"
#include "port_name.h"
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
	loop_tag(sqe, LOOP_RECV, p);
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

static bool admit(struct sw *sw, struct port *p, struct frame *f)
{
	return filter_admits(p->filter, f->data, f->len, sw->now_ms);
}

/* Be told when the filter's programs have dropped something. */
static void arm_samples(struct sw *sw, struct port *p)
{
	int fd = p->filter ? filter_samples_fd(p->filter) : -1;
	struct io_uring_sqe *sqe;

	if (fd < 0 || p->state != PORT_UP)
		return;
	sqe = loop_port_sqe(sw, p, ARMED_CONTROL);
	if (!sqe)
		return;
	io_uring_prep_poll_add(sqe, fd, POLLIN);
	loop_tag(sqe, LOOP_CONTROL, p);
}

static void tap_on_control(struct sw *sw, struct port *p, int res)
{
	(void)res;
	filter_take_samples(p->filter);
	arm_samples(sw, p);
}

static const struct port_ops tap_ops = {
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
static void follow_name(struct port *p, const char *name)
{
	if (*p->endpoint->name || !strcmp(p->name, name))
		return;
	log_info("tap %s: is called %s now", p->name, name);
	snprintf(p->name, sizeof(p->name), "%s", name);
}

static void learn_about_device(struct port *p, const struct tap_state *now)
{
	follow_name(p, now->name);
	p->link_down = !now->up;
	p->frame_max = now->mtu + ETHER_HEADER_BYTES;
	p->tags_extra = true;
}

/* A device may be busy for a moment while somebody is setting it up. */
static bool attach_again(struct sw *sw, struct port *p)
{
	const char *name = p->endpoint->argument;
	struct tap_state state;
	char why[FILTER_WHY_BYTES];
	int fd;

	if (p->armed & ARMED_RECV)
		return true;
	if (!if_nametoindex(name))
		return false; /* a link event will tell */
	if (sw->now_ms < p->retry_at_ms)
		return true;
	fd = tap_open(name, &state, why, sizeof(why));
	if (fd < 0)
		return fd == -EBUSY;
	/* Never without. Opening is something that link events tell of, too. */
	if (p->filter && filter_open(p->filter, fd, state.name, sw->now_ms, why,
				     sizeof(why))) {
		if (!p->retry_at_ms)
			log_error("%s", why);
		p->retry_at_ms = sw->now_ms + CONNECT_PAUSE_MS;
		close(fd);
		return true;
	}
	p->retry_at_ms = 0;
	if (p->endpoint->mtu &&
	    tap_set_mtu(&state, p->endpoint->mtu, why, sizeof(why)))
		log_info("%s", why);
	p->fd = fd;
	p->detached = false;
	learn_about_device(p, &state);
	log_info("tap %s: attached again", p->name);
	tap_arm_recv(sw, p);
	return false;
}

/* Its device as the kernel's restarts leave it: busy for a moment. While frames
 * flow nobody waits. */
static int open_device(const struct sw *sw, const char *name,
		       struct tap_state *state, char *why, size_t why_bytes)
{
	int max_tries = sw->running ? 1 : RESTART_TRIES;
	int fd = -EBUSY;

	for (int tries = 0; fd == -EBUSY && tries < max_tries; tries++) {
		if (tries)
			clock_pause();
		fd = tap_open(name, state, why, why_bytes);
	}
	return fd;
}

/* The port @p of an open device. */
static int take_part(struct sw *sw, struct port *p, struct tap_state *state,
		     char *why, size_t why_bytes)
{
	const struct endpoint *e = p->endpoint;
	int err = e->mtu ? tap_set_mtu(state, e->mtu, why, why_bytes) : 0;

	if (err)
		return err;
	err = port_io_open(sw, p, TAP_BUFFER_BYTES);
	if (err) {
		snprintf(why, why_bytes, "tap %s: cannot get receive buffers: %s",
			 state->name, strerror(-err));
		return err;
	}
	port_name_give(&sw->ports, p, *e->name ? e->name : state->name, 0);
	port_up(&sw->ports, p);
	learn_about_device(p, state);
	if (!state->up)
		log_info("tap %s: is down, and bringing it up is not permitted: ip link set %s up",
			 p->name, state->name);
	return 0;
}

/* One watch for all of them. */
static int watch_links(struct sw *sw, char *why, size_t why_bytes)
{
	if (sw->link_watch_fd >= 0)
		return 0;
	sw->link_watch_fd = tap_watch_open();
	if (sw->link_watch_fd >= 0)
		return 0;
	snprintf(why, why_bytes, "cannot watch network devices: %s",
		 strerror(-sw->link_watch_fd));
	return sw->link_watch_fd;
}

static int no_memory(char *why, size_t why_bytes)
{
	snprintf(why, why_bytes, "out of memory");
	return -ENOMEM;
}

static int load_filter(struct port *p, char *why, size_t why_bytes)
{
	const struct endpoint *e = p->endpoint;
	const struct filter_options wanted = {
		.object = e->filter,
		.rules = e->rules,
		.expression = e->accept_to_guests,
	};

	if (!filter_is_wanted(&wanted))
		return 0;
	p->filter = filter_new(&wanted, e->argument, why, why_bytes);
	if (!p->filter)
		return -EINVAL;
	p->admit = admit;
	return 0;
}

/* What stands there; or somebody else has put there, which stays. */
static void say_what_filters(const struct port *p, const char *device)
{
	unsigned id = *device ? filter_xdp_id(device) : 0;
	char text[2560];

	if (id && !(p->filter && filter_judges_to_host(p->filter)))
		log_info("tap %s: has an XDP program of somebody else's, id %u, which judges what goes to the host (see it: bpftool prog show id %u)",
			 p->endpoint->argument, id, id);
	if (!p->filter)
		return;
	filter_describe(p->filter, text, sizeof(text));
	log_info("tap %s: %s", p->endpoint->argument, text);
}

int tap_port_open(struct sw *sw, const struct endpoint *e, char *why,
		  size_t why_bytes)
{
	struct port *p = port_new(&sw->ports, &tap_ops, e->queue, sw->now_ms);
	struct tap_state state;
	int err;

	if (!p)
		return no_memory(why, why_bytes);
	p->endpoint = e;
	p->reattach = attach_again;
	/* What is wrong with it shows before there is a device. */
	err = load_filter(p, why, why_bytes);
	if (err)
		return err;
	p->fd = open_device(sw, e->argument, &state, why, why_bytes);
	if (p->fd < 0)
		return p->fd;
	err = p->filter ? filter_open(p->filter, p->fd, state.name, sw->now_ms,
				      why, why_bytes)
			: 0;
	if (!err)
		err = take_part(sw, p, &state, why, why_bytes);
	if (err)
		return err;
	say_what_filters(p, state.name);
	arm_samples(sw, p);
	return watch_links(sw, why, why_bytes);
}

int tap_port_adopt(struct sw *sw, const struct endpoint *e, int fd, char *why,
		   size_t why_bytes)
{
	struct tap_state state;
	struct port *p;
	int err = tap_adopt(fd, &state, why, why_bytes);

	if (err)
		return err;
	p = port_new(&sw->ports, &tap_ops, e->queue, sw->now_ms);
	if (!p)
		return no_memory(why, why_bytes);
	p->endpoint = e;
	p->fd = fd;
	err = take_part(sw, p, &state, why, why_bytes);
	return err ? err : watch_links(sw, why, why_bytes);
}

static bool is_tap(const struct port *p)
{
	return p->ops == &tap_ops && p->state == PORT_UP;
}

static void tell_reload(struct sw *sw, const struct port *p, int err,
			const char *why)
{
	char text[2560];

	if (err) {
		log_error("%s", why);
		log_error("tap %s: rules: the old ones stay in force",
			  p->endpoint->argument);
	} else {
		say_what_filters(p, "");
	}
	if (!events_wanted(sw, EVENT_RELOAD))
		return;
	filter_describe(p->filter, text, sizeof(text));
	events_tell(sw, EVENT_RELOAD, "{s:s, s:b, s:o}", "port", p->name, "ok",
		    !err, "message", client_text(err ? why : text));
}

int tap_ports_reload(struct sw *sw, const struct port *only, char *why,
		     size_t why_bytes)
{
	char reason[FILTER_WHY_BYTES];
	int first = 0;

	for (uint16_t i = 0; i < sw->ports.id_end; i++) {
		struct port *p = sw->ports.by_id[i];
		int err;

		if (!is_tap(p) || !p->filter || !*p->endpoint->rules ||
		    (only && only != p))
			continue;
		err = filter_reload(p->filter, sw->now_ms, reason,
				    sizeof(reason));
		tell_reload(sw, p, err, reason);
		if (err && !first) {
			snprintf(why, why_bytes, "%s", reason);
			first = err;
		}
	}
	return first;
}

void tap_ports_report(struct sw *sw, FILE *to)
{
	for (uint16_t i = 0; i < sw->ports.id_end; i++)
		if (is_tap(sw->ports.by_id[i]) && sw->ports.by_id[i]->filter)
			filter_report(sw->ports.by_id[i]->filter, to);
}

void tap_ports_on_link(struct sw *sw)
{
	struct tap_state state;

	tap_watch_drain(sw->link_watch_fd);
	for (uint16_t i = 0; i < sw->ports.id_end; i++) {
		struct port *p = sw->ports.by_id[i];

		if (!is_tap(p))
			continue;
		if (p->detached)
			port_io_look(sw, p);
		else if (!tap_query(p->fd, &state))
			learn_about_device(p, &state);
	}
}
