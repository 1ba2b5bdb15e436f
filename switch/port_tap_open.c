#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../tap/filter.h"
#include "../tap/tap.h"
#include "../tap/tap_give.h"
#include "clock.h"
#include "endpoint.h"
#include "log.h"
#include "opener.h"
#include "port_io.h"
#include "port_name.h"
#include "port_tap.h"
#include "port_tap_inside.h"
#include "sw.h"

/* Filters ----------------------------------------------------------------- */

struct filter_options port_tap_filters(const struct endpoint *e)
{
	return (struct filter_options){
		.object = e->filter,
		.rules = e->rules,
		.expression = e->accept_to_guests,
	};
}

/* A device that stays loses the program that we have put there; unless another
 * process goes on with it. */
static void bare(void *context, int tap_fd)
{
	struct sw *sw = context;

	if (!sw->restarting)
		opener_tap_bare(sw->running ? sw->opener : NULL, tap_fd);
}

void port_tap_use_filter(struct sw *sw, struct port *p, struct filter *filter)
{
	p->filter = filter;
	if (!filter)
		return;
	p->admit = port_tap_admit;
	filter_set_bare(filter, bare, sw);
	if (filter_samples_fd(filter) >= 0)
		loop_file_add(&sw->loop, filter_samples_fd(filter));
}

/* Attaching again --------------------------------------------------------- */

/* What came back is the filter of @p, attached to the new device. */
static int take_links(struct port *p, const struct filter_record *from,
		      char *why, size_t why_bytes)
{
	const struct filter_options wanted = port_tap_filters(p->endpoint);
	struct filter *again;

	if (!p->filter)
		return 0;
	again = filter_import(&wanted, p->endpoint->argument, from, why,
			      why_bytes);
	if (!again) {
		for (unsigned i = 0; i < from->fd_count; i++)
			close(from->fds[i]);
		return -EINVAL;
	}
	filter_take_links(p->filter, again);
	filter_free(again);
	return 0;
}

/* The device that @p waits for, with its filter in force; or -errno. */
static int open_again(struct sw *sw, struct port *p, struct tap_state *state,
		      char *why, size_t why_bytes)
{
	struct filter_record record = { 0 };
	int fd, err;

	if (p->filter)
		filter_export(p->filter, &record);
	fd = opener_tap(sw->opener, p->endpoint, true, state, &record, why,
			why_bytes);
	if (fd < 0)
		return fd;
	err = take_links(p, &record, why, why_bytes);
	if (!err)
		return fd;
	close(fd);
	return err;
}

/*
 * Returns whether to look again: a device may be busy for a moment while
 * somebody is setting it up. One that is not there will be told of. Opening is
 * something that we are told of, too: so what fails is not tried at every word,
 * and said once.
 */
bool port_tap_attach_again(struct sw *sw, struct port *p)
{
	uint32_t mtu = p->endpoint->mtu;
	char why[FILTER_WHY_BYTES];
	struct tap_state state;
	int fd;

	if (p->armed & ARMED_RECV)
		return true;
	if (sw->now_ms < p->retry_at_ms)
		return true;
	fd = open_again(sw, p, &state, why, sizeof(why));
	if (fd == -ENODEV || fd == -EBUSY)
		return fd == -EBUSY;
	if (fd < 0) {
		if (!p->retry_at_ms)
			log_error("%s", why);
		p->retry_at_ms = sw->now_ms + CONNECT_PAUSE_MS;
		return true;
	}
	p->retry_at_ms = 0;
	p->fd = fd;
	loop_file_add(&sw->loop, fd);
	p->detached = false;
	port_tap_learn(sw, p, &state);
	log_info("tap %s: attached again", p->name);
	if (mtu && mtu != state.mtu)
		log_info("tap %s: its MTU is %u: setting it to %u is not permitted: ip link set %s mtu %u",
			 p->name, state.mtu, mtu, state.name, mtu);
	if (!state.up)
		port_tap_say_down(p, state.name);
	port_changed(&sw->ports, p);
	p->ops->arm_recv(sw, p);
	return false;
}

/* Opening ----------------------------------------------------------------- */

/* As a switch starts it may do so itself. */
static int make_device(struct sw *sw, const struct endpoint *e,
		       struct tap_state *state, struct filter **filter,
		       char *why, size_t why_bytes)
{
	const struct filter_options wanted = port_tap_filters(e);
	struct filter_record record = { 0 };
	const struct tap_wish wish = {
		.name = e->argument,
		.mtu = e->mtu,
		.filter = wanted,
		.tries = RESTART_TRIES,
	};
	int fd;

	if (!sw->running)
		return tap_make(&wish, state, filter, why, why_bytes);
	*filter = NULL;
	fd = opener_tap(sw->opener, e, false, state, &record, why, why_bytes);
	if (fd < 0 || !record.bytes)
		return fd;
	*filter = filter_import(&wanted, e->argument, &record, why, why_bytes);
	if (*filter)
		return fd;
	for (unsigned i = 0; i < record.fd_count; i++)
		close(record.fds[i]);
	close(fd);
	return -EINVAL;
}

/* Buffers for @p, of device @name. */
int port_tap_make_pool(struct sw *sw, struct port *p, const char *name, char *why,
		     size_t why_bytes)
{
	int err = port_io_open(sw, p, TAP_BUFFER_BYTES);

	if (err)
		snprintf(why, why_bytes, "tap %s: cannot get receive buffers: %s",
			 name, strerror(-err));
	return err;
}

/* The port @p of an open device. */
static int take_part(struct sw *sw, struct port *p,
		     const struct tap_state *state, char *why, size_t why_bytes)
{
	const struct endpoint *e = p->endpoint;
	int err = port_tap_make_pool(sw, p, state->name, why, why_bytes);

	if (err)
		return err;
	loop_file_add(&sw->loop, p->fd);
	port_name_give(&sw->ports, p, *e->name ? e->name : state->name, 0);
	port_up(&sw->ports, p);
	port_tap_learn(sw, p, state);
	if (!state->up)
		port_tap_say_down(p, state->name);
	return tap_ports_watch(sw, why, why_bytes);
}

int tap_ports_watch(struct sw *sw, char *why, size_t why_bytes)
{
	if (sw->link_watch_fd >= 0)
		return 0;
	sw->link_watch_fd = tap_links_open();
	if (sw->link_watch_fd < 0) {
		snprintf(why, why_bytes, "cannot watch network devices: %s",
			 strerror(-sw->link_watch_fd));
		return sw->link_watch_fd;
	}
	sw->links = (struct tap_links){ false, false };
	tap_links_ask(sw->link_watch_fd, &sw->links);
	if (sw->running)
		loop_watch_links(sw);
	return 0;
}

static int no_memory(char *why, size_t why_bytes)
{
	snprintf(why, why_bytes, "out of memory");
	return -ENOMEM;
}

int tap_port_open(struct sw *sw, const struct endpoint *e, char *why,
		  size_t why_bytes)
{
	struct port *p = port_new(&sw->ports, &tap_ops, e->queue, sw->now_ms);
	struct filter *filter;
	struct tap_state state;
	int err;

	if (!p)
		return no_memory(why, why_bytes);
	p->endpoint = e;
	p->reattach = port_tap_attach_again;
	p->fd = make_device(sw, e, &state, &filter, why, why_bytes);
	if (p->fd < 0)
		return p->fd;
	port_tap_use_filter(sw, p, filter);
	err = take_part(sw, p, &state, why, why_bytes);
	if (err)
		return err;
	port_tap_say_filter(p, state.foreign_xdp);
	port_tap_arm_samples(sw, p);
	return 0;
}

int tap_port_inherit(struct sw *sw, const struct endpoint *e, int fd, char *why,
		     size_t why_bytes)
{
	struct tap_state state;
	struct port *p;
	int err = tap_adopt(fd, &state, why, why_bytes);

	if (!err && e->mtu)
		err = tap_set_mtu(&state, e->mtu, why, why_bytes);
	if (err)
		return err;
	p = port_new(&sw->ports, &tap_ops, e->queue, sw->now_ms);
	if (!p)
		return no_memory(why, why_bytes);
	p->endpoint = e;
	p->fd = fd;
	return take_part(sw, p, &state, why, why_bytes);
}
