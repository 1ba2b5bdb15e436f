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
#include "join.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "peer.h"
#include "unix.h"

enum {
	JOIN_VERSION = 3,
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

static int data_open(struct peer *p, const struct sockaddr_un *name)
{
	p->data_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (p->data_fd < 0)
		return -errno;
	if (bind(p->data_fd, (const struct sockaddr *)name, sizeof(*name)))
		return -errno;
	return 0;
}

static int ask(struct peer *p, const struct sockaddr_un *name)
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

/*
 * The switch has connected to us by now, so nobody needs our name again, and
 * after a failure nobody ever will.
 */
static int vde_finish(struct peer *p, const struct sockaddr_un *name, int err)
{
	if (!err && connect(p->data_fd, (struct sockaddr *)&p->to,
			    sizeof(p->to)))
		err = -errno;
	if (unlink(name->sun_path) && !err)
		err = -errno;
	return err;
}

int join_switch(struct peer *p, const char *control_path, unsigned int index)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int err = 0;

	if (p->kind == PEER_VDE)
		err = name_vde(&name, control_path, index);
	else
		name_uml(&name, index);
	if (err)
		return err;
	p->control_fd = unix_connect(SOCK_STREAM, control_path,
				     PEER_OPEN_TIMEOUT_MS);
	if (p->control_fd < 0)
		return p->control_fd;
	err = data_open(p, &name);
	if (!err)
		err = ask(p, &name);
	if (p->kind == PEER_VDE && p->data_fd >= 0)
		err = vde_finish(p, &name, err);
	return err;
}
