/*
 * Joining a switch: control connection, data socket, request, reply.
 *
 *   client                               switch
 *     | connect STREAM  ----------------->  control path
 *     | socket DGRAM, bind own name
 *     | 124 bytes: magic, version, type, own name --->
 *     | <--- 110 bytes: name of the switch's data socket
 *     | frames, one per datagram  <------>
 */
#include "peer.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

enum {
	JOIN_VERSION = 3,
	JOIN_TIMEOUT_MS = 5000,
	VDE_DESCRIPTION_BYTES = 40,
};

#define JOIN_MAGIC 0xfeedfaceU

struct join_request {
	uint32_t magic;
	uint32_t version;
	uint32_t type;			/* 0: a new port */
	struct sockaddr_un name;
	char description[VDE_DESCRIPTION_BYTES];	/* UML: 2 bytes of padding */
};

/* A UML kernel sends sizeof its struct, two bytes of tail padding included. */
enum { UML_REQUEST_BYTES = 124 };

static_assert(sizeof(struct sockaddr_un) == 110, "as the protocol has it");
static_assert(offsetof(struct join_request, name) == 12, "packed");
static_assert(offsetof(struct join_request, description) == 122, "packed");

static int set_timeout(int fd, int option, unsigned int timeout_ms)
{
	const struct timeval tv = {
		.tv_sec = (time_t)(timeout_ms / 1000),
		.tv_usec = (suseconds_t)(timeout_ms % 1000 * 1000),
	};

	return setsockopt(fd, SOL_SOCKET, option, &tv, sizeof(tv)) ? -errno : 0;
}

/*
 * As the UML kernel builds it: NUL, three bytes of padding, pid, a number;
 * the rest is whatever the kernel's memory held, and part of the name.
 */
static void name_uml(struct sockaddr_un *name, unsigned int index)
{
	const int pid = (int)getpid();

	memset(name->sun_path, 0x5a, sizeof(name->sun_path));
	memset(name->sun_path, 0, 4);
	memcpy(name->sun_path + 4, &pid, sizeof(pid));
	memcpy(name->sun_path + 8, &index, sizeof(index));
}

/* As libvdeplug does: a hidden file beside the control socket. */
static int name_vde(struct sockaddr_un *name, const char *control_path,
		    unsigned int index)
{
	const char *slash = strrchr(control_path, '/');
	const int dir_len = slash ? (int)(slash - control_path) : 1;
	int len;

	len = snprintf(name->sun_path, sizeof(name->sun_path),
		       "%.*s/.%05d-%05u", dir_len, slash ? control_path : ".",
		       (int)getpid(), index);
	return (size_t)len < sizeof(name->sun_path) ? 0 : -ENAMETOOLONG;
}

static int control_open(struct peer *p, const char *control_path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int err;

	if (strlen(control_path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	strcpy(addr.sun_path, control_path);
	p->control_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (p->control_fd < 0)
		return -errno;
	err = set_timeout(p->control_fd, SO_RCVTIMEO, JOIN_TIMEOUT_MS);
	if (!err)	/* bounds connect() when the backlog is full */
		err = set_timeout(p->control_fd, SO_SNDTIMEO, JOIN_TIMEOUT_MS);
	if (!err && connect(p->control_fd, (struct sockaddr *)&addr, sizeof(addr)))
		err = -errno;
	return err;
}

static int data_open(struct peer *p, const struct sockaddr_un *name)
{
	p->data_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (p->data_fd < 0)
		return -errno;
	if (bind(p->data_fd, (const struct sockaddr *)name, sizeof(*name)))
		return -errno;
	return 0;
}

static int join(struct peer *p, const struct sockaddr_un *name)
{
	struct join_request request = {
		.magic = JOIN_MAGIC,
		.version = JOIN_VERSION,
		.name = *name,
	};
	size_t len = UML_REQUEST_BYTES;
	ssize_t n;

	if (p->kind == PEER_VDE)
		len = offsetof(struct join_request, description) +
		      (size_t)snprintf(request.description,
				       sizeof(request.description),
				       "ringbench pid=%d", (int)getpid());
	n = send(p->control_fd, &request, len, MSG_NOSIGNAL);
	if (n < 0)
		return -errno;
	if ((size_t)n != len)
		return -EPROTO;
	/* A UML kernel reads once and wants the whole address; so do we. */
	n = recv(p->control_fd, &p->to, sizeof(p->to), 0);
	if (n < 0)
		return -errno;
	return n == (ssize_t)sizeof(p->to) ? 0 : -EPROTO;
}

/* The switch has connected to us by now, so nobody needs our name again. */
static int vde_connect(struct peer *p, const struct sockaddr_un *name)
{
	if (connect(p->data_fd, (struct sockaddr *)&p->to, sizeof(p->to)))
		return -errno;
	return unlink(name->sun_path) ? -errno : 0;
}

int peer_open(struct peer *p, const char *control_path, enum peer_kind kind,
	      unsigned int index)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int err = 0;

	*p = (struct peer){
		.control_fd = -1,
		.data_fd = -1,
		.kind = kind,
		.mac = { 0x02, 0x62, (uint8_t)(index >> 24), (uint8_t)(index >> 16),
			 (uint8_t)(index >> 8), (uint8_t)index },
	};
	if (kind == PEER_VDE)
		err = name_vde(&name, control_path, index);
	else
		name_uml(&name, index);
	if (!err)
		err = control_open(p, control_path);
	if (!err)
		err = data_open(p, &name);
	if (!err)
		err = join(p, &name);
	if (!err && kind == PEER_VDE)
		err = vde_connect(p, &name);
	if (err) {
		if (kind == PEER_VDE && p->data_fd >= 0)
			unlink(name.sun_path);
		peer_close(p);
	}
	return err;
}

void peer_close(struct peer *p)
{
	if (p->data_fd >= 0)
		close(p->data_fd);
	if (p->control_fd >= 0)
		close(p->control_fd);
	p->data_fd = -1;
	p->control_fd = -1;
}

static int send_frame(const struct peer *p, const uint8_t *frame, size_t len,
		      int flags)
{
	const bool connected = p->kind == PEER_VDE;
	const struct sockaddr *to = (const struct sockaddr *)&p->to;
	ssize_t n;

	n = sendto(p->data_fd, frame, len, flags | MSG_NOSIGNAL,
		   connected ? NULL : to,
		   connected ? 0 : (socklen_t)sizeof(p->to));
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

int peer_set_timeouts(const struct peer *p, unsigned int timeout_ms)
{
	const int err = set_timeout(p->data_fd, SO_RCVTIMEO, timeout_ms);

	return err ? err : set_timeout(p->data_fd, SO_SNDTIMEO, timeout_ms);
}

void peer_drain(const struct peer *p)
{
	uint8_t byte;

	while (recv(p->data_fd, &byte, sizeof(byte), MSG_DONTWAIT) >= 0)
		;
}
