#include "metrics_listen.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "limits.h"
#include "metrics_options.h"
#include "socket_file.h"

/* Returns a descriptor or -errno. */
static int listen_tcp(const struct metrics_options *o)
{
	const int yes = 1;
	sa_family_t family = o->address.any.sa_family;
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -errno;
	/* Connections of a switch that has just ended are no hindrance. */
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (!bind(fd, &o->address.any,
		  family == AF_INET6 ? sizeof(o->address.v6)
				     : sizeof(o->address.v4)) &&
	    !listen(fd, LISTEN_BACKLOG))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

int metrics_listen(const struct metrics_options *o, struct socket_file *to,
		   char *why, size_t why_bytes)
{
	if (*o->path)
		return socket_file_open(to, o->path, SOCK_STREAM, o->mode,
					o->group, why, why_bytes);
	*to->path = '\0';
	to->fd = listen_tcp(o);
	if (to->fd >= 0)
		return 0;
	snprintf(why, why_bytes, "--metrics: TCP port %u: %s%s",
		 ntohs(o->address.v4.sin_port), strerror(-to->fd),
		 to->fd == -EADDRINUSE ? " (choose another)" : "");
	return to->fd;
}
