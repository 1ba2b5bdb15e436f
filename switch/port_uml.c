#include "port_uml.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "listener.h"
#include "log.h"
#include "port_io.h"
#include "port_message.h"
#include "port_name.h"
#include "socket_file.h"
#include "sw.h"
#include "wire_join.h"

/* A data socket's file goes with it. */
static void remove_data_file(int fd)
{
	struct sockaddr_un own = { 0 };
	socklen_t bytes = sizeof(own);

	if (!getsockname(fd, (void *)&own, &bytes) && own.sun_path[0])
		unlink(own.sun_path);
}

static void uml_release(struct port *p)
{
	if (p->fd >= 0) {
		remove_data_file(p->fd);
		close(p->fd);
	}
	close(p->control_fd);
}

static int uml_send(struct sw *sw, struct port *p, struct frame *const *frames,
		    unsigned n)
{
	int taken = message_send(sw, p, frames, n);

	if (taken == -ENOTCONN)
		port_fail(&sw->ports, p, "the guest's data socket has been closed or connected elsewhere");
	return taken;
}

static void uml_on_recv(struct sw *sw, struct port *p, int res, uint32_t flags)
{
	if (port_io_received(sw, p, res, flags))
		port_fail(&sw->ports, p, strerror(-res));
}

static void arm_control(struct sw *sw, struct port *p)
{
	struct io_uring_sqe *sqe = loop_port_sqe(sw, p, ARMED_CONTROL);

	if (!sqe)
		return;
	io_uring_prep_recv(sqe, p->control_fd, p->request + p->request_bytes,
			   sizeof(p->request) - p->request_bytes, 0);
	loop_tag(sqe, LOOP_CONTROL, p);
}

void uml_start(struct sw *sw, struct port *p)
{
	arm_control(sw, p);
}

/* An abstract name that nobody can guess and take first. The guest is told all
 * 108 bytes of it and uses them all. */
static int make_abstract_address(struct sockaddr_un *addr)
{
	uint64_t secret[2];

	*addr = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (getrandom(secret, sizeof(secret), 0) != sizeof(secret))
		return -EIO;
	snprintf(addr->sun_path + 1, sizeof(addr->sun_path) - 1,
		 "ringswitch/%d/%016llx%016llx", getpid(),
		 (unsigned long long)secret[0], (unsigned long long)secret[1]);
	return 0;
}

/* DIR/001.5 or PATH.001.5; there may be one left of a switch that was killed:
 * behind a listener that is ours nobody else has any. False if such a path is
 * too long. */
static bool bind_path(const struct sw *sw, const struct port *p,
		      struct sockaddr_un *addr)
{
	char prefix[SOCKET_PATH_BYTES];
	struct stat st;
	int length;

	if (!listener_data_prefix(sw, p->endpoint, prefix, sizeof(prefix)))
		return false;
	*addr = (struct sockaddr_un){ .sun_family = AF_UNIX };
	length = snprintf(addr->sun_path, sizeof(addr->sun_path), "%s%03u.%d",
			  prefix, p->id + 1u, p->fd);
	if ((size_t)length >= sizeof(addr->sun_path))
		return false;
	if (!lstat(addr->sun_path, &st) && S_ISSOCK(st.st_mode))
		unlink(addr->sun_path);
	/* Strangers are refused because it is connected. */
	return !socket_file_bind(p->fd, addr, 0666);
}

static int bind_abstract(const struct port *p, struct sockaddr_un *addr)
{
	int err = make_abstract_address(addr);

	if (err)
		return err;
	return bind(p->fd, (const void *)addr, sizeof(*addr)) ? -errno : 0;
}

/*
 * A path that the guest names could be a socket that it may not send to itself,
 * and we may: it has to be its own. What is looked at is what is connected to.
 */
static int connect_to_own(const struct port *p, const struct sockaddr_un *guest)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char path[SOCKET_PATH_BYTES + 1] = "";
	struct stat st;
	int fd, err = 0;

	memcpy(path, guest->sun_path, sizeof(guest->sun_path));
	fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d", fd);
	if (fstat(fd, &st) || !S_ISSOCK(st.st_mode) || st.st_uid != p->peer_uid)
		err = -EPERM;
	else if (connect(p->fd, (const void *)&addr, sizeof(addr)))
		err = -errno;
	close(fd);
	return err;
}

static int connect_to_guest(const struct port *p,
			    const struct sockaddr_un *guest)
{
	if (guest->sun_path[0] && p->peer_uid != geteuid())
		return connect_to_own(p, guest);
	return connect(p->fd, (const void *)guest, sizeof(*guest)) ? -errno : 0;
}

/* Connected before it has a name: no datagram of a stranger can get in. */
static int open_data_socket(const struct sw *sw, struct port *p,
			    const struct join_request *request,
			    struct sockaddr_un *own)
{
	int err;

	p->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (p->fd < 0)
		return -errno;
	socket_refuse_descriptors(p->fd);
	err = connect_to_guest(p, &request->addr);
	if (err)
		return err;
	if (request->vde && bind_path(sw, p, own))
		return 0;
	return bind_abstract(p, own);
}

/* The guest reads the reply with one read() and hangs until it comes. */
static int reply(const struct port *p, const struct sockaddr_un *own)
{
	ssize_t n = send(p->control_fd, own, JOIN_REPLY_BYTES,
			 MSG_DONTWAIT | MSG_NOSIGNAL);

	return n == JOIN_REPLY_BYTES ? 0 : n < 0 ? -errno : -EIO;
}

static void reclaim(struct sw *sw, const struct port *p, unsigned number)
{
	char name[PORT_NAME_BYTES];

	if (*p->endpoint->name)
		snprintf(name, sizeof(name), "%s", p->endpoint->name);
	else
		snprintf(name, sizeof(name), "%s%u", p->kind, number);
	if (*p->endpoint->name || number)
		listener_reclaim_name(sw, name);
}

static void take_part(struct sw *sw, struct port *p,
		      const struct join_request *request)
{
	if (request->vde) {
		p->kind = "vde";
		p->is_vde = true;
		memcpy(p->description, request->description,
		       sizeof(p->description));
	} else {
		p->frame_max = UML_FRAME_MAX;
		p->tags_extra = false;
	}
	reclaim(sw, p, request->number);
	port_name_give(&sw->ports, p, p->endpoint->name, request->number);
	port_up(&sw->ports, p);
	log_guest(sw->now_ms, "port %s: pid %u uid %u attached%s%s", p->name,
		  p->peer_pid, p->peer_uid, *p->description ? ": " : "",
		  p->description);
	if (!*p->endpoint->name && request->number != p->number &&
	    request->number)
		log_guest(sw->now_ms, "port %s: wanted number %u, which is not free",
			  p->name, request->number);
	p->request_bytes = 0;
	message_arm_recv(sw, p);
	arm_control(sw, p);
}

static void join(struct sw *sw, struct port *p,
		 const struct join_request *request)
{
	struct sockaddr_un own;
	const char *doing = "connect to the guest's data socket";
	int err = open_data_socket(sw, p, request, &own);

	if (err)
		goto fail;
	doing = "get receive buffers";
	err = message_open(sw, p, p->endpoint->mtu);
	if (err)
		goto fail;
	doing = "reply";
	err = reply(p, &own);
	if (err)
		goto fail;
	take_part(sw, p, request);
	return;

fail:
	log_guest(sw->now_ms, "pid %u uid %u: cannot %s: %s", p->peer_pid,
		  p->peer_uid, doing, strerror(-err));
	port_fail(&sw->ports, p, "it cannot be attached");
}

static void on_request(struct sw *sw, struct port *p)
{
	struct join_request request;
	const char *why = NULL;

	switch (join_parse(p->request, p->request_bytes, &request, &why)) {
	case JOIN_OK:
		join(sw, p, &request);
		break;
	case JOIN_MORE:
		arm_control(sw, p);
		break;
	case JOIN_BAD:
		port_fail(&sw->ports, p, why);
		break;
	}
}

static void uml_on_control(struct sw *sw, struct port *p, int res)
{
	if (p->state == PORT_CLOSING || p->failed)
		return;
	if (p->state == PORT_JOINING && res > 0) {
		p->request_bytes += (uint32_t)res;
		on_request(sw, p);
	} else if (p->state == PORT_JOINING) {
		port_fail(&sw->ports, p,
			  p->request_bytes ? "request cut short"
					   : "closed without a request");
	} else if (res > 0 && p->is_vde) {
		/* The rest of a description that came in pieces. */
		arm_control(sw, p);
	} else if (res > 0) {
		port_fail(&sw->ports, p, "unexpected bytes on its control connection");
	} else {
		port_fail(&sw->ports, p, res ? strerror(-res) : "the guest has gone");
	}
}

void uml_expire_joining(struct sw *sw)
{
	for (uint16_t i = 0; i < sw->ports.id_end && sw->ports.joining_count; i++) {
		struct port *p = sw->ports.by_id[i];

		if (p->state == PORT_JOINING &&
		    sw->now_ms - p->since_ms >= JOIN_TIMEOUT_MS)
			port_fail(&sw->ports, p,
				  p->request_bytes ? "request incomplete in time"
						   : "no request in time");
	}
}

const struct port_ops uml_ops = {
	.kind = "uml",
	.batch = SEND_BATCH,
	.send = uml_send,
	.wait_writable = port_io_wait_writable,
	.arm_recv = message_arm_recv,
	.on_recv = uml_on_recv,
	.on_control = uml_on_control,
	.release = uml_release,
};
