/* Sending to network devices as the host does. See packet.h. */
#include "packet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* Whoever sends is a window of frames ahead at most: room for all of them. */
enum { RECEIVE_BYTES = 1 << 24 };

static int set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) ? -errno : 0;
}

int packet_open(const char *name)
{
	const struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)if_nametoindex(name),
	};
	int fd, err;

	if (!address.sll_ifindex)
		return -errno;
	/* Protocol 0 hears nothing until it is bound to the one device. */
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	err = set(fd, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BYTES);
	if (!err)
		err = set(fd, SOL_PACKET, PACKET_QDISC_BYPASS, 1);
	if (!err)
		err = set(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
	if (!err && bind(fd, (const struct sockaddr *)&address, sizeof(address)))
		err = -errno;
	if (err)
		close(fd);
	return err ? err : fd;
}

int packet_adopt(const char *number)
{
	char *end;
	const long fd = strtol(number, &end, 10);

	return *end || fd < 0 || fd > INT16_MAX || fcntl((int)fd, F_GETFD) < 0 ?
	       -EBADF : (int)fd;
}
