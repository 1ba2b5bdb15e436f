#include "port_connect.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "endpoint.h"
#include "log.h"
#include "port.h"
#include "port_io.h"
#include "port_bess.h"
#include "port_message.h"
#include "port_name.h"
#include "port_stream.h"
#include "socket_file.h"
#include "sw.h"

/* A descriptor, or -errno. A server that is there but does not accept now is
 * -EAGAIN: we do not wait for it. */
static int connect_to(const struct endpoint *e)
{
	int type = e->kind == PORT_CONNECT_BESS ? SOCK_SEQPACKET : SOCK_STREAM;
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -errno;
	memcpy(addr.sun_path, e->argument, sizeof(addr.sun_path));
	socket_refuse_descriptors(fd);
	if (!connect(fd, (const void *)&addr, sizeof(addr)))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

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

static bool connect_again(struct sw *sw, struct port *p)
{
	int fd;

	if (p->armed & ARMED_RECV || !pause_is_over(sw, p))
		return true;
	fd = connect_to(p->endpoint);
	if (fd < 0)
		return true;
	p->fd = fd;
	p->detached = false;
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
	p->fd = connect_to(e);
	err = p->fd;
	/* What was away before a restart may be so behind it. */
	p->detached = err < 0 && sw->again;
	if (err < 0 && !p->detached)
		goto fail;
	doing = "get receive buffers";
	err = stream ? stream_open(p, e->mtu) : message_open(sw, p, e->mtu);
	if (err)
		goto fail;
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
