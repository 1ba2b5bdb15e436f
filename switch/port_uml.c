#include "port_uml.h"

#include <errno.h>
#include <liburing.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "handover_parts.h"
#include "listener.h"
#include "log.h"
#include "opener.h"
#include "opener_join.h"
#include "port_io.h"
#include "port_message.h"
#include "port_name.h"
#include "sw.h"
#include "wire_join.h"

/* The file of its data socket goes before that: port_io_remove_file(). */
static void uml_release(struct port *p)
{
	if (p->fd >= 0)
		close(p->fd);
	/* The opener may have it as well for now. */
	if (p->asked)
		shutdown(p->control_fd, SHUT_RDWR);
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
	loop_tag(sw, sqe, LOOP_CONTROL, p);
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

void uml_adopt(struct port *p, bool vde)
{
	struct sockaddr_un guest = { 0 };
	socklen_t bytes = sizeof(guest);

	if (vde) {
		p->kind = "vde";
		p->is_vde = true;
	} else {
		p->frame_max = UML_FRAME_MAX;
		p->tags_extra = false;
	}
	/* If another process has asked for it: paths have gone by now. */
	if (!p->guest[0] && !getpeername(p->fd, (void *)&guest, &bytes) &&
	    !guest.sun_path[0])
		p->guest[1] = opener_guest_hash(&guest);
}

static void take_part(struct sw *sw, struct port *p,
		      const struct join_request *request)
{
	uml_adopt(p, request->vde);
	if (request->vde)
		memcpy(p->description, request->description,
		       sizeof(p->description));
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

/* --- joining --------------------------------------------------------------- */

/* Its request is there, all of it, and stays until it takes part. */
static void ask_for_data_socket(struct sw *sw, struct port *p,
				const struct join_request *request)
{
	struct opener_join join = {
		.gen = p->gen,
		.port = p->id,
		.vde = request->vde,
		.addr = request->addr,
	};
	int err;

	if (request->vde &&
	    !listener_data_prefix(sw, p->endpoint, join.prefix,
				  sizeof(join.prefix)))
		join.prefix[0] = '\0';
	err = opener_join(sw, p, &join);
	p->asked = !err;
	/* The next tick asks again. */
	if (err && err != -EAGAIN)
		port_fail(&sw->ports, p, "nobody can make its data socket: see the log above");
}

static void on_request(struct sw *sw, struct port *p)
{
	struct join_request request;
	const char *why = NULL;

	switch (join_parse(p->request, p->request_bytes, &request, &why)) {
	case JOIN_OK:
		ask_for_data_socket(sw, p, &request);
		break;
	case JOIN_MORE:
		arm_control(sw, p);
		break;
	case JOIN_BAD:
		port_fail(&sw->ports, p, why);
		break;
	}
}

void uml_start(struct sw *sw, struct port *p)
{
	on_request(sw, p);
}

static bool same_name(int fd, int other_fd)
{
	struct sockaddr_un name = { 0 }, other = { 0 };
	socklen_t bytes = sizeof(name), other_bytes = sizeof(other);

	return !getpeername(fd, (void *)&name, &bytes) &&
	       !getpeername(other_fd, (void *)&other, &other_bytes) &&
	       bytes == other_bytes && !memcmp(&name, &other, bytes);
}

/* The port that has the guest's socket already. */
static struct port *holder_of(struct sw *sw, const struct port *p)
{
	for (uint16_t i = 0; i < sw->ports.id_end; i++) {
		struct port *other = sw->ports.by_id[i];

		if (other->state == PORT_UP && other->ops == &uml_ops &&
		    !memcmp(other->guest, p->guest, sizeof(p->guest)) &&
		    (p->guest[0] || same_name(p->fd, other->fd)))
			return other;
	}
	return NULL;
}

/* Whoever names another guest's socket would have us send it what is not for
 * it. One whose guest has gone may be the same guest again. */
static int claim(struct sw *sw, struct port *p)
{
	struct port *holder = holder_of(sw, p);

	if (!holder)
		return 0;
	if (!port_io_other_side_has_gone(holder))
		return -EADDRINUSE;
	port_fail(&sw->ports, holder, "the other side has gone, and is back");
	loop_close_failed(sw);
	return 0;
}

static void attach(struct sw *sw, struct port *p,
		   const struct join_request *request,
		   const struct opener_joined *answer)
{
	const char *doing = "connect to the guest's data socket";
	int err = answer->result;

	if (!err)
		err = claim(sw, p);
	if (err)
		goto fail;
	doing = "get receive buffers";
	err = message_open(sw, p, p->endpoint->mtu);
	if (err)
		goto fail;
	take_part(sw, p, request);
	/* It outlives us before its guest hears that it is there. */
	p->changed = handover_port(sw, p);
	err = reply(p, &answer->own);
	if (err)
		port_fail(&sw->ports, p, "its guest takes no reply");
	return;

fail:
	log_guest(sw->now_ms, "pid %u uid %u: cannot %s: %s%s", p->peer_pid,
		  p->peer_uid, doing, strerror(-err),
		  err == -EACCES ? " (its permissions must let the switch's user write to it: of VDE clients their mode=, or --user here)"
				 : "");
	port_fail(&sw->ports, p, "it cannot be attached");
}

/* What nobody waits for any more. */
static void throw_away(struct sw *sw, const struct opener_joined *answer,
		       int fd)
{
	if (fd < 0)
		return;
	close(fd);
	if (answer->own.sun_path[0])
		opener_remove_data_file(sw->opener, answer->own.sun_path);
}

void uml_joined(struct sw *sw, const struct opener_joined *answer, int fd)
{
	struct port *p = ports_find(&sw->ports, answer->port, answer->gen);
	struct join_request request;
	const char *why = NULL;

	if (!p || p->state != PORT_JOINING || p->failed || !p->asked ||
	    join_parse(p->request, p->request_bytes, &request, &why) != JOIN_OK) {
		throw_away(sw, answer, fd);
		return;
	}
	p->asked = false;
	if (answer->result == -EAGAIN)
		return;
	if (fd >= 0) {
		p->fd = fd;
		/* Its file goes with it, whatever comes of the port. */
		p->is_vde = request.vde;
		loop_file_add(&sw->loop, fd);
	}
	memcpy(p->guest, answer->guest, sizeof(p->guest));
	attach(sw, p, &request, answer);
}

static void uml_on_control(struct sw *sw, struct port *p, int res)
{
	if (p->state == PORT_CLOSING || p->failed)
		return;
	if (port_io_again(res)) {
		arm_control(sw, p);
	} else if (p->state == PORT_JOINING && res > 0) {
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

static const char *too_late(const struct port *p)
{
	return p->asked		   ? "its data socket cannot be reached in time"
	       : p->request_bytes ? "request incomplete in time"
				  : "no request in time";
}

void uml_expire_joining(struct sw *sw)
{
	unsigned asked = 0;

	for (uint16_t i = 0; i < sw->ports.id_end && sw->ports.joining_count; i++) {
		struct port *p = sw->ports.by_id[i];

		if (p->state != PORT_JOINING || p->failed)
			continue;
		if (sw->now_ms - p->since_ms >= JOIN_TIMEOUT_MS)
			port_fail(&sw->ports, p, too_late(p));
		else if (p->ops == &uml_ops && !p->asked && !p->armed)
			on_request(sw, p);
		asked += p->asked;
	}
	opener_join_count(sw, asked);
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
