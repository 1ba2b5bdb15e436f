/* Attaching as each kind of client does. See peer.h. */
#include "peer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "join.h"
#include "packet.h"
#include "stream.h"
#include "unix.h"

const char *const peer_kind_name[PEER_KIND_COUNT] = {
	[PEER_UML] = "uml",
	[PEER_VDE] = "vde",
	[PEER_BESS] = "bess",
	[PEER_STREAM] = "stream",
	[PEER_DGRAM] = "dgram",
	[PEER_PACKET] = "packet",
	[PEER_TAP] = "tap",
};

static int set_descriptor(struct peer *p, int fd)
{
	p->data_fd = fd < 0 ? -1 : fd;
	return fd < 0 ? fd : 0;
}

static int connect_to(struct peer *p, int type, const char *path)
{
	return set_descriptor(p, unix_connect(type, path, PEER_OPEN_TIMEOUT_MS));
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
	if (!err && access(name, F_OK))
		err = -errno;
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

/* Put @index in the place of {}. */
static int name_device(char *name, size_t size, const char *path,
		       unsigned int index)
{
	const char *hole = strstr(path, "{}");
	int len;

	if (hole)
		len = snprintf(name, size, "%.*s%u%s", (int)(hole - path), path,
			       index, hole + 2);
	else
		len = snprintf(name, size, "%s", path);
	return (size_t)len < size ? 0 : -ENODEV;
}

static int device_open(struct peer *p, const char *path, unsigned int index)
{
	char name[64];
	int err = name_device(name, sizeof(name), path, index);

	if (err)
		return err;
	return set_descriptor(p, p->kind == PEER_TAP ? tap_attach(name) :
			      packet_open(name));
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
	case PEER_TAP:
		return device_open(p, path, index);
	case PEER_KIND_COUNT:
		break;
	}
	return -EINVAL;
}

void peer_init(struct peer *p, enum peer_kind kind, unsigned int index)
{
	*p = (struct peer){
		.control_fd = -1,
		.data_fd = -1,
		.kind = kind,
		.by_address = kind == PEER_UML || kind == PEER_DGRAM,
		.to_len = sizeof(p->to),
	};
	pattern_mac(p->mac, MAC_PORT, index);
}

int peer_open(struct peer *p, const struct peer_end *end, unsigned int index)
{
	int err;

	peer_init(p, end->kind, index);
	err = open_kind(p, end->path, index);
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

static const char *why_device(enum peer_kind kind, int err)
{
	switch (err) {
	case -ENODEV:
		return kind == PEER_TAP ?
		       "there is no such tap (ip tuntap add mode tap)" :
		       "there is no such network device";
	case -ENETDOWN:
	case -EIO:
		return "the device is down (ip link set up)";
	case -EPERM:
	case -EACCES:
		return kind == PEER_TAP ?
		       "not permitted: /dev/net/tun, or another user's tap" :
		       "not permitted: needs CAP_NET_RAW";
	case -EINVAL:
		return kind == PEER_TAP ? "this is no tap" : strerror(-err);
	case -EBUSY:
		return "another program has this tap open";
	case -EBADF:
		return "no such descriptor was inherited";
	case -EMSGSIZE:
		return "the frames are too long for it (--size)";
	default:
		return strerror(-err);
	}
}

const char *peer_why(enum peer_kind kind, int err)
{
	if (kind == PEER_PACKET || kind == PEER_TAP)
		return why_device(kind, err);
	switch (err) {
	case -ENOENT:
		return "there is no such socket; is the switch running?";
	case -ECONNREFUSED:
		return "nobody listens there any more; is the switch running?";
	case -EPROTOTYPE:
		return "a socket for another kind of client";
	case -EAGAIN:
		return "the switch does not answer";
	case -EPROTO:
	case -EPIPE:
	case -ECONNRESET:
		return "the switch has closed the connection: it is full, or for "
		       "another kind of client";
	default:
		return strerror(-err);
	}
}
