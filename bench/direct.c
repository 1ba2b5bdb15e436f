/* Making pairs of ports. See direct.h. */
#include "direct.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "packet.h"
#include "stream.h"

static int open_pair(struct peer ends[2], int type)
{
	int fds[2];

	if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds))
		return -errno;
	ends[0].data_fd = fds[0];
	ends[1].data_fd = fds[1];
	return 0;
}

/* Unconnected, with a name that the kernel chooses. */
static int open_named(struct peer *end, struct sockaddr_un *name,
		      socklen_t *len)
{
	const struct sockaddr_un any = { .sun_family = AF_UNIX };

	*len = sizeof(*name);
	end->data_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (end->data_fd < 0)
		return -errno;
	if (bind(end->data_fd, (const struct sockaddr *)&any,
		 sizeof(any.sun_family)) ||
	    getsockname(end->data_fd, (struct sockaddr *)name, len))
		return -errno;
	return 0;
}

static int open_unconnected(struct peer ends[2])
{
	int err = open_named(&ends[0], &ends[1].to, &ends[1].to_len);

	return err ? err : open_named(&ends[1], &ends[0].to, &ends[0].to_len);
}

static int open_streams(struct peer ends[2])
{
	ends[0].stream = stream_new();
	ends[1].stream = stream_new();
	return ends[0].stream && ends[1].stream ? open_pair(ends, SOCK_STREAM) :
	       -ENOMEM;
}

/* Once: the second time it would be another network than the first tap's. */
static int leave_network(void)
{
	if (unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET))
		return -errno;
	return 0;
}

static int open_devices(struct peer *tap, struct peer *packet)
{
	char name[16];
	int err = leave_network();

	if (err)
		return err;
	tap->data_fd = tap_make(name);
	if (tap->data_fd >= 0)
		packet->data_fd = packet_open(name);
	if (tap->data_fd < 0)
		return tap->data_fd;
	return packet->data_fd < 0 ? packet->data_fd : 0;
}

static int open_ends(struct peer ends[2], enum peer_kind kind)
{
	switch (kind) {
	case PEER_UML:
	case PEER_DGRAM:
		return open_unconnected(ends);
	case PEER_VDE:
		return open_pair(ends, SOCK_DGRAM);
	case PEER_BESS:
		return open_pair(ends, SOCK_SEQPACKET);
	case PEER_STREAM:
		return open_streams(ends);
	case PEER_TAP:
		return open_devices(&ends[0], &ends[1]);
	case PEER_PACKET:
		return open_devices(&ends[1], &ends[0]);
	case PEER_KIND_COUNT:
		break;
	}
	return -EINVAL;
}

int direct_open(struct peer ends[2], enum peer_kind kind)
{
	int err;

	peer_init(&ends[0], kind, 0);
	peer_init(&ends[1], kind, 1);
	if (kind == PEER_TAP)
		ends[1].kind = PEER_PACKET;
	if (kind == PEER_PACKET)
		ends[1].kind = PEER_TAP;
	err = open_ends(ends, kind);
	if (err) {
		/* No name is ours to remove. */
		ends[0].kind = ends[1].kind = PEER_BESS;
		peer_close(&ends[0]);
		peer_close(&ends[1]);
	}
	return err;
}
