#include "port_connect.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "endpoint.h"
#include "log.h"
#include "opener.h"
#include "port.h"
#include "port_io.h"
#include "port_bess.h"
#include "port_message.h"
#include "port_name.h"
#include "port_stream.h"
#include "sw.h"

static const char *remedy(int err)
{
	switch (err) {
	case -ENOENT:
	case -ECONNREFUSED:
		return " (start what listens there first)";
	case -EPROTOTYPE:
		return " (another kind of socket: connect-stream, connect-bess or --listen?)";
	case -EACCES:
		return " (see the permissions of the socket and its directories)";
	default:
		return "";
	}
}

/* The first look after the end of a connection decides how long to wait: twice
 * as long as before if that was short. */
static bool pause_is_over(const struct sw *sw, struct port *p)
{
	if (p->connected_ms) {
		bool brief = sw->now_ms - p->connected_ms < CONNECT_PAUSE_MS;
		int pause_ms = brief ? 2 * p->pause_ms + TICK_MS : 0;

		p->pause_ms = (uint16_t)(pause_ms < CONNECT_PAUSE_MS
						 ? pause_ms
						 : CONNECT_PAUSE_MS);
		p->retry_at_ms = sw->now_ms + p->pause_ms;
		p->connected_ms = 0;
	}
	return sw->now_ms >= p->retry_at_ms;
}

/* That nobody is there is nothing new. What somebody has to see to is said once,
 * and not tried as often. */
static void say_why_not(struct sw *sw, struct port *p, int err)
{
	if (err == -ENOENT || err == -ECONNREFUSED || err == -EAGAIN)
		return;
	p->retry_at_ms = sw->now_ms + CONNECT_PAUSE_MS;
	if (p->look_error == err)
		return;
	p->look_error = err;
	log_guest(sw->now_ms, "port %s: cannot connect again: %s%s", p->name,
		  strerror(-err), remedy(err));
}

static bool connect_again(struct sw *sw, struct port *p)
{
	int fd;

	if (p->armed & ARMED_RECV || !pause_is_over(sw, p))
		return true;
	fd = opener_connect(sw_opener(sw), p->endpoint);
	if (fd < 0) {
		say_why_not(sw, p, fd);
		return true;
	}
	p->look_error = 0;
	p->fd = fd;
	loop_file_add(&sw->loop, fd);
	p->detached = false;
	port_changed(&sw->ports, p);
	p->connected_ms = sw->now_ms;
	if (p->stream)
		stream_restart(p);
	log_guest(sw->now_ms, "port %s: connected again", p->name);
	p->ops->arm_recv(sw, p);
	return false;
}

int connect_port_open(struct sw *sw, const struct endpoint *e, char *why,
		      size_t why_bytes)
{
	bool stream = e->kind == PORT_CONNECT_STREAM;
	struct port *p = port_new(&sw->ports,
				  stream ? &stream_ops : &bess_ops, e->queue,
				  sw->now_ms);
	const char *doing = "connect";
	int err = -ENOMEM;

	if (!p)
		goto fail;
	p->endpoint = e;
	p->reattach = connect_again;
	p->connected_ms = sw->now_ms;
	p->fd = opener_connect(sw_opener(sw), e);
	err = p->fd;
	/* What was away before a restart may be so behind it. */
	p->detached = err < 0 && sw->again && !sw->running;
	if (err < 0 && !p->detached)
		goto fail;
	doing = "get receive buffers";
	err = stream ? stream_open(p, e->mtu) : message_open(sw, p, e->mtu);
	if (err)
		goto fail;
	if (!p->detached)
		loop_file_add(&sw->loop, p->fd);
	port_name_give(&sw->ports, p, e->name, 0);
	port_up(&sw->ports, p);
	if (p->detached)
		port_io_look(sw, p);
	return 0;

fail:
	snprintf(why, why_bytes, "--port %s:%s: cannot %s: %s%s",
		 endpoint_kinds[e->kind], e->argument, doing, strerror(-err),
		 remedy(err));
	return err;
}

void connect_adopt(struct sw *sw, struct port *p)
{
	/* One that was inherited cannot be connected again. */
	if (p->endpoint->kind != PORT_FD)
		p->reattach = connect_again;
	p->connected_ms = sw->now_ms;
	if (p->detached)
		port_io_look(sw, p);
}
