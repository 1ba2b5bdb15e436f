#include "port_uml.h"

#include <errno.h>
#include <liburing.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "frame.h"
#include "log.h"
#include "port_io.h"
#include "sw.h"
#include "wire_join.h"

/* asm-generic/socket.h, Linux 6.16; Debian 12's headers do not have it. */
#define SO_PASSRIGHTS_ 83

/*
 * A message may carry descriptors, and whoever receives it closes them: with
 * the right kind that can take as long as the sender likes. Kernels before
 * 6.16 cannot be told to refuse them.
 */
static void refuse_descriptors(int fd)
{
	const int no = 0;

	setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS_, &no, sizeof(no));
}

static void uml_release(struct port *p)
{
	if (p->fd >= 0)
		close(p->fd);
	close(p->control_fd);
}

/* The peer's socket has gone, and ours would now take datagrams from anybody;
 * or it has been connected to somebody else (EPERM) and takes none of ours. */
static bool peer_has_gone(int err)
{
	return err == ECONNREFUSED || err == ENOTCONN || err == EPIPE ||
	       err == ECONNRESET || err == EPERM;
}

static int send_failed(struct sw *sw, struct port *p, int err)
{
	if (peer_has_gone(err))
		port_fail(&sw->ports, p, "the guest's data socket has been closed or connected elsewhere");
	return err == EWOULDBLOCK ? -EAGAIN : -err;
}

static int uml_send(struct sw *sw, struct port *p, struct frame *const *frames,
		    unsigned n)
{
	struct mmsghdr messages[SEND_BATCH];
	struct iovec parts[SEND_BATCH];
	int sent;

	if (n == 1) {
		/* A lone frame, and its latency: the shorter call. */
		if (send(p->fd, frames[0]->data, frames[0]->len,
			 MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			return send_failed(sw, p, errno);
		return 1;
	}
	for (unsigned i = 0; i < n; i++) {
		parts[i] = (struct iovec){ frames[i]->data, frames[i]->len };
		messages[i].msg_hdr = (struct msghdr){ .msg_iov = &parts[i],
						       .msg_iovlen = 1 };
	}
	sent = sendmmsg(p->fd, messages, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	return sent < 0 ? send_failed(sw, p, errno) : sent;
}

/* MSG_TRUNC: a frame longer than the buffer tells its length. */
static void uml_arm_recv(struct sw *sw, struct port *p)
{
	struct io_uring_sqe *sqe;

	if (p->state != PORT_UP)
		return;
	sqe = loop_port_sqe(sw, p, ARMED_RECV);
	if (!sqe)
		return;
	io_uring_prep_recv_multishot(sqe, p->fd, NULL, 0, MSG_TRUNC);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = loop_buffer_group(p->id);
	loop_tag(sqe, LOOP_RECV, p);
}

static void uml_on_recv(struct sw *sw, struct port *p, int res, uint32_t flags)
{
	if (port_io_received(sw, p, res, flags))
		port_fail(&sw->ports, p, strerror(-res));
}

static const struct port_ops uml_ops = {
	.kind = "uml",
	.batch = SEND_BATCH,
	.send = uml_send,
	.wait_writable = port_io_wait_writable,
	.arm_recv = uml_arm_recv,
	.on_recv = uml_on_recv,
	.release = uml_release,
};

static void arm_control(struct sw *sw, struct port *p)
{
	struct io_uring_sqe *sqe = loop_port_sqe(sw, p, ARMED_CONTROL);

	if (!sqe)
		return;
	io_uring_prep_recv(sqe, p->control_fd, p->request + p->request_bytes,
			   sizeof(p->request) - p->request_bytes, 0);
	loop_tag(sqe, LOOP_CONTROL, p);
}

static bool in_allowed_group(const struct options *o, gid_t gid)
{
	for (unsigned i = 0; i < o->allow_gid_count; i++)
		if (o->allow_gids[i] == gid)
			return true;
	return false;
}

/* Supplementary groups count as well: SO_PEERGROUPS, socket(7). */
static bool allowed(const struct options *o, int fd, const struct ucred *peer)
{
	gid_t groups[256];
	socklen_t bytes = sizeof(groups);

	if (!o->allow_uid_count && !o->allow_gid_count)
		return true;
	for (unsigned i = 0; i < o->allow_uid_count; i++)
		if (o->allow_uids[i] == peer->uid)
			return true;
	if (in_allowed_group(o, peer->gid))
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &bytes))
		return false;
	for (size_t i = 0; i < bytes / sizeof(gid_t); i++)
		if (in_allowed_group(o, groups[i]))
			return true;
	return false;
}

static bool is_joining(const struct port *p)
{
	return p->state == PORT_JOINING && !p->failed;
}

/* Whose connections are most, roughly: processes are told apart by a byte. */
static uint8_t busiest_knocker(const struct ports *ps)
{
	uint16_t counts[256] = { 0 };
	uint8_t most = 0;

	for (uint16_t i = 0; i < ps->id_end; i++)
		if (is_joining(ps->by_id[i]))
			counts[(uint8_t)ps->by_id[i]->peer_pid]++;
	for (unsigned i = 1; i < 256; i++)
		if (counts[i] > counts[most])
			most = (uint8_t)i;
	return most;
}

/* The oldest connection of the process that has most: one that knocks and
 * knocks must not push out a guest that is just about to speak. */
static void evict_joining(struct sw *sw)
{
	uint8_t knocker = busiest_knocker(&sw->ports);
	struct port *oldest = NULL;

	for (uint16_t i = 0; i < sw->ports.id_end; i++) {
		struct port *p = sw->ports.by_id[i];

		if (is_joining(p) && (uint8_t)p->peer_pid == knocker &&
		    (!oldest || p->since_ms < oldest->since_ms))
			oldest = p;
	}
	if (oldest)
		port_fail(&sw->ports, oldest, "silent, and its place is needed");
}

static void new_connection(struct sw *sw, int fd)
{
	struct ucred peer = { 0 };
	socklen_t bytes = sizeof(peer);
	struct port *p;

	refuse_descriptors(fd);
	getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes);
	if (!allowed(sw->options, fd, &peer)) {
		log_guest(sw->now_ms,
			  "connection of pid %d uid %u refused: not among --allow-uid, --allow-gid",
			  peer.pid, peer.uid);
		close(fd);
		return;
	}
	if (sw->ports.joining_count >= JOINING_MAX)
		evict_joining(sw);
	p = port_new(&sw->ports, &uml_ops, sw->now_ms);
	if (!p) {
		log_guest(sw->now_ms,
			  "connection of pid %d uid %u refused: all %d ports are in use",
			  peer.pid, peer.uid, PORTS_MAX);
		close(fd);
		return;
	}
	p->control_fd = fd;
	p->peer_pid = (uint32_t)peer.pid;
	p->peer_uid = peer.uid;
	arm_control(sw, p);
}

/*
 * Out of descriptors: whoever is silent gives way, and the next attempt is
 * left to the tick; asking again at once would fail and fail.
 */
void uml_on_accept(struct sw *sw, int res)
{
	if (res >= 0 && sw->stopping) {
		close(res);
		return;
	}
	if (res >= 0) {
		new_connection(sw, res);
		loop_arm_accept(sw);
		return;
	}
	log_guest(sw->now_ms, "cannot accept a connection: %s%s",
		  strerror(-res),
		  res == -EMFILE ? " (raise the limit: ulimit -n)" : "");
	evict_joining(sw);
	sw->accept_paused = true;
}

/* An abstract name that nobody can guess and take first. The guest is told all
 * 108 bytes of it and uses them all. */
static int make_data_address(struct sockaddr_un *addr)
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

/* Connected before it has a name: no datagram of a stranger can get in. */
static int open_data_socket(struct port *p, const struct sockaddr_un *guest,
			    struct sockaddr_un *own)
{
	int err = make_data_address(own);

	if (err)
		return err;
	p->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (p->fd < 0)
		return -errno;
	refuse_descriptors(p->fd);
	if (connect(p->fd, (const void *)guest, sizeof(*guest)))
		return -errno;
	if (bind(p->fd, (const void *)own, sizeof(*own)))
		return -errno;
	return 0;
}

/* The guest reads the reply with one read() and hangs until it comes. */
static int reply(const struct port *p, const struct sockaddr_un *own)
{
	ssize_t n = send(p->control_fd, own, JOIN_REPLY_BYTES,
			 MSG_DONTWAIT | MSG_NOSIGNAL);

	return n == JOIN_REPLY_BYTES ? 0 : n < 0 ? -errno : -EIO;
}

static void join(struct sw *sw, struct port *p, const struct sockaddr_un *guest)
{
	struct sockaddr_un own;
	const char *doing = "connect to the guest's data socket";
	int err = open_data_socket(p, guest, &own);

	if (err)
		goto fail;
	doing = "get receive buffers";
	err = port_io_open(sw, p, UML_BUFFER_BYTES);
	if (err)
		goto fail;
	doing = "reply";
	err = reply(p, &own);
	if (err)
		goto fail;
	p->frame_max = UML_FRAME_MAX;
	port_up(&sw->ports, p, NULL);
	log_guest(sw->now_ms, "port %s: pid %u uid %u attached", p->name,
		  p->peer_pid, p->peer_uid);
	p->request_bytes = 0;
	uml_arm_recv(sw, p);
	arm_control(sw, p);
	return;

fail:
	log_guest(sw->now_ms, "pid %u uid %u: cannot %s: %s", p->peer_pid,
		  p->peer_uid, doing, strerror(-err));
	port_fail(&sw->ports, p, "it cannot be attached");
}

static void on_request(struct sw *sw, struct port *p)
{
	struct sockaddr_un guest;
	const char *why = NULL;

	switch (join_parse(p->request, p->request_bytes, &guest, &why)) {
	case JOIN_OK:
		join(sw, p, &guest);
		break;
	case JOIN_MORE:
		arm_control(sw, p);
		break;
	case JOIN_BAD:
		port_fail(&sw->ports, p, why);
		break;
	}
}

void uml_on_control(struct sw *sw, struct port *p, int res)
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
