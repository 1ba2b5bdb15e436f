#include "port_inherit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "endpoint.h"
#include "port.h"
#include "port_bess.h"
#include "port_dgram.h"
#include "port_message.h"
#include "port_name.h"
#include "port_stream.h"
#include "port_tap.h"
#include "socket_file.h"
#include "sw.h"

/* An integer option of a socket, or -1. */
static int socket_option(int fd, int option)
{
	socklen_t bytes = sizeof(int);
	int value;

	return getsockopt(fd, SOL_SOCKET, option, &value, &bytes) ? -1 : value;
}

bool inherit_listens(int fd)
{
	return socket_option(fd, SO_ACCEPTCONN) == 1;
}

static bool is_connected(int fd)
{
	struct sockaddr_storage peer;
	socklen_t bytes = sizeof(peer);

	return !getpeername(fd, (void *)&peer, &bytes);
}

/* Whether the first word of @name is @word. */
static bool begins_with(const char *name, const char *word)
{
	size_t length = strlen(word);

	return !strncmp(name, word, length) && strchr("-._:", name[length]);
}

int inherit_listener_kind(int fd, const char *name, int *kind, char *why,
			  size_t why_bytes)
{
	int type = socket_option(fd, SO_TYPE);

	fcntl(fd, F_SETFD, FD_CLOEXEC);
	if (!inherit_listens(fd) || socket_option(fd, SO_DOMAIN) != AF_UNIX ||
	    (type != SOCK_STREAM && type != SOCK_SEQPACKET)) {
		snprintf(why, why_bytes, "is not a listening UNIX socket of type stream or seqpacket");
		return -EINVAL;
	}
	*kind = type == SOCK_SEQPACKET		 ? LISTEN_BESS
		: begins_with(name, "stream")	 ? LISTEN_STREAM
		: begins_with(name, "vde")	 ? LISTEN_VDE
						 : LISTEN_UML;
	return 0;
}

/* What is wrong with @fd as a port, or NULL and @ops for it. */
static const char *find_ops(int fd, const struct port_ops **ops)
{
	if (inherit_listens(fd))
		return "it listens: use --listen fd:N";
	switch (socket_option(fd, SO_TYPE)) {
	case SOCK_SEQPACKET:
		*ops = &bess_ops;
		break;
	case SOCK_DGRAM:
		*ops = &dgram_ops;
		break;
	case SOCK_STREAM:
		*ops = &stream_ops;
		break;
	default:
		return "neither a socket nor a tap";
	}
	/* A stream may be any; a lost datagram of UDP ends in an error. */
	if (*ops != &stream_ops && socket_option(fd, SO_DOMAIN) != AF_UNIX)
		return "not a UNIX socket";
	return is_connected(fd) ? NULL : "its socket is not connected";
}

static int complain(int fd, const char *what, char *why, size_t why_bytes)
{
	snprintf(why, why_bytes, "--port fd:%d: %s", fd, what);
	return -EINVAL;
}

int inherit_port_open(struct sw *sw, const struct endpoint *e, char *why,
		      size_t why_bytes)
{
	const struct port_ops *ops = NULL;
	int fd = atoi(e->argument);
	const char *wrong;
	struct port *p;
	int err;

	fcntl(fd, F_SETFD, FD_CLOEXEC);
	err = tap_port_inherit(sw, e, fd, why, why_bytes);
	if (err != -ENOTTY)
		return err;
	wrong = find_ops(fd, &ops);
	if (wrong)
		return complain(fd, wrong, why, why_bytes);
	p = port_new(&sw->ports, ops, e->queue, sw->now_ms);
	if (!p)
		return complain(fd, "out of memory", why, why_bytes);
	p->endpoint = e;
	p->fd = fd;
	socket_refuse_descriptors(fd);
	err = ops == &stream_ops ? stream_open(p, e->mtu)
				 : message_open(sw, p, e->mtu);
	if (err)
		return complain(fd, "cannot get receive buffers", why,
				why_bytes);
	loop_file_add(&sw->loop, fd);
	port_name_give(&sw->ports, p, e->name, 0);
	port_up(&sw->ports, p);
	return 0;
}
