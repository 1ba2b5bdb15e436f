/* Attaching, sending and receiving as each kind of client does. See peer.h. */
#include "peer.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "join.h"
#include "packet.h"
#include "pattern.h"
#include "stream.h"
#include "unix.h"

static int connect_to(struct peer *p, int type, const char *path)
{
	p->data_fd = unix_connect(type, path, PEER_OPEN_TIMEOUT_MS);
	return p->data_fd < 0 ? p->data_fd : 0;
}

static int set_descriptor(struct peer *p, int fd)
{
	p->data_fd = fd < 0 ? -1 : fd;
	return fd < 0 ? fd : 0;
}

static int stream_open(struct peer *p, const char *path)
{
	p->stream = stream_new();
	return p->stream ? connect_to(p, SOCK_STREAM, path) : -ENOMEM;
}

/* As QEMU does: what has our name goes, and we stay unconnected. */
static int dgram_open(struct peer *p, const char *path, unsigned int index)
{
	struct sockaddr_un own;
	char name[sizeof(own.sun_path) + sizeof(".4294967295.peer")];
	int err;

	if (strlen(path) >= sizeof(own.sun_path))
		return -ENAMETOOLONG;
	sprintf(name, "%s.%u", path, index);
	err = unix_address(&p->to, name);
	strcat(name, ".peer");
	if (!err)
		err = unix_address(&own, name);
	if (err)
		return err;
	p->data_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (p->data_fd < 0)
		return -errno;
	unlink(own.sun_path);
	return bind(p->data_fd, (struct sockaddr *)&own, sizeof(own)) ?
	       -errno : 0;
}

static int open_kind(struct peer *p, const char *path, unsigned int index)
{
	switch (p->kind) {
	case PEER_UML:
	case PEER_VDE:
		return join_switch(p, path, index);
	case PEER_BESS:
		return connect_to(p, SOCK_SEQPACKET, path);
	case PEER_STREAM:
		return stream_open(p, path);
	case PEER_DGRAM:
		return dgram_open(p, path, index);
	case PEER_PACKET:
		return set_descriptor(p, packet_open(path));
	case PEER_TAP:
		return set_descriptor(p, packet_adopt(path));
	case PEER_KIND_COUNT:
		break;
	}
	return -EINVAL;
}

int peer_open(struct peer *p, const char *path, enum peer_kind kind,
	      unsigned int index)
{
	int err;

	*p = (struct peer){
		.control_fd = -1,
		.data_fd = -1,
		.kind = kind,
		.mac = { 0x02, 0x62, (uint8_t)(index >> 24), (uint8_t)(index >> 16),
			 (uint8_t)(index >> 8), (uint8_t)index },
	};
	err = open_kind(p, path, index);
	if (err)
		peer_close(p);
	return err;
}

static void remove_own_name(int fd)
{
	struct sockaddr_un own = { 0 };
	socklen_t len = sizeof(own);

	if (getsockname(fd, (struct sockaddr *)&own, &len) == 0 &&
	    own.sun_path[0])
		unlink(own.sun_path);
}

void peer_close(struct peer *p)
{
	if (p->kind == PEER_DGRAM && p->data_fd >= 0)
		remove_own_name(p->data_fd);
	if (p->data_fd >= 0)
		close(p->data_fd);
	if (p->control_fd >= 0)
		close(p->control_fd);
	stream_free(p->stream);
	p->data_fd = -1;
	p->control_fd = -1;
	p->stream = NULL;
}

static int send_frame(const struct peer *p, const uint8_t *frame, size_t len,
		      int flags)
{
	const bool by_address = p->kind == PEER_UML || p->kind == PEER_DGRAM;
	const struct sockaddr *to = (const struct sockaddr *)&p->to;
	ssize_t n;

	if (p->stream)
		return stream_send(p->stream, p->data_fd, frame, len, flags);
	if (p->kind == PEER_TAP)
		return write(p->data_fd, frame, len) < 0 ? -errno : 0;
	n = sendto(p->data_fd, frame, len, flags | MSG_NOSIGNAL,
		   by_address ? to : NULL,
		   by_address ? (socklen_t)sizeof(p->to) : 0);
	return n < 0 ? -errno : 0;
}

int peer_send(const struct peer *p, const uint8_t *frame, size_t len)
{
	return send_frame(p, frame, len, MSG_DONTWAIT);
}

int peer_send_waiting(const struct peer *p, const uint8_t *frame, size_t len)
{
	return send_frame(p, frame, len, 0);
}

static ssize_t recv_frame(const struct peer *p, uint8_t *frame, size_t size,
			  int flags)
{
	ssize_t n;

	if (p->stream)
		return stream_recv(p->stream, p->data_fd, frame, size, flags);
	n = recv(p->data_fd, frame, size, flags);
	if (n == 0 && p->kind == PEER_BESS)
		return -ECONNRESET;
	return n < 0 ? -errno : n;
}

ssize_t peer_recv(const struct peer *p, uint8_t *frame, size_t size)
{
	return recv_frame(p, frame, size, 0);
}

ssize_t peer_try_recv(const struct peer *p, uint8_t *frame, size_t size)
{
	return recv_frame(p, frame, size, MSG_DONTWAIT);
}

int peer_set_timeouts(const struct peer *p, unsigned int timeout_ms)
{
	return unix_set_timeouts(p->data_fd, timeout_ms);
}

void peer_drain(const struct peer *p)
{
	uint8_t frame[FRAME_MAX_BYTES];

	while (recv_frame(p, frame, sizeof(frame), MSG_DONTWAIT) >= 0)
		;
}
