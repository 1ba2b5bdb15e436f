/* Network devices from both sides. See packet.h. */
#include "packet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Nothing slows a sender down: room for some thousands of frames. */
enum { RECEIVE_BYTES = 1 << 24 };

static int set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) ? -errno : 0;
}

static int request_init(struct ifreq *request, const char *name)
{
	*request = (struct ifreq){ 0 };
	if (!*name || strlen(name) >= sizeof(request->ifr_name))
		return -ENODEV;
	strcpy(request->ifr_name, name);
	return 0;
}

/* Read the flags of device @name, and set those of @more. */
static int change_flags(const char *name, short more, short *flags)
{
	struct ifreq request;
	int err = request_init(&request, name);
	int fd = err ? err : socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return err ? err : -errno;
	if (ioctl(fd, SIOCGIFFLAGS, &request))
		err = -errno;
	if (!err && more & ~request.ifr_flags) {
		request.ifr_flags = (short)(request.ifr_flags | more);
		err = ioctl(fd, SIOCSIFFLAGS, &request) ? -errno : 0;
	}
	*flags = request.ifr_flags;
	close(fd);
	return err;
}

static int insist_that_it_is_up(const char *name)
{
	short flags;
	int err = change_flags(name, 0, &flags);

	return err ? err : flags & IFF_UP ? 0 : -ENETDOWN;
}

int packet_open(const char *name)
{
	const struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)if_nametoindex(name),
	};
	int err = insist_that_it_is_up(name);
	int fd;

	if (err)
		return err;
	/* Protocol 0 hears nothing until it is bound to the one device. */
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (set(fd, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BYTES))
		err = set(fd, SOL_SOCKET, SO_RCVBUF, RECEIVE_BYTES);
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

uint64_t packet_overruns(int fd)
{
	struct tpacket_stats stats = { 0 };
	socklen_t len = sizeof(stats);

	/* Reading sets them to zero. */
	if (getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &stats, &len))
		return 0;
	return stats.tp_drops;
}

static int adopt(long fd)
{
	const int flags = fd > INT16_MAX ? -1 : fcntl((int)fd, F_GETFL);

	if (flags < 0 || fcntl((int)fd, F_SETFL, flags | O_NONBLOCK))
		return -EBADF;
	return (int)fd;
}

/* @name may have a %d in it, and is set to what it has become. */
static int tun_open(char name[IFNAMSIZ])
{
	struct ifreq request;
	int err = request_init(&request, name);
	const int fd = err ? err : open("/dev/net/tun",
					O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return err ? err : -errno;
	request.ifr_flags = IFF_TAP | IFF_NO_PI;
	if (ioctl(fd, TUNSETIFF, &request)) {
		err = -errno;
		close(fd);
		return err;
	}
	memcpy(name, request.ifr_name, IFNAMSIZ);
	return fd;
}

int tap_attach(const char *name)
{
	char own[IFNAMSIZ] = { 0 };
	char *end;
	const long number = strtol(name, &end, 10);
	int err;

	if (*name >= '0' && *name <= '9' && !*end)
		return adopt(number);
	/* Before it is opened, which would make one that is not there. */
	err = insist_that_it_is_up(name);
	if (err)
		return err;
	strncpy(own, name, sizeof(own) - 1);
	return tun_open(own);
}

int tap_make(char name[16])
{
	char own[IFNAMSIZ] = "ringbench%d";
	short flags;
	int fd = tun_open(own);
	int err = fd < 0 ? fd : change_flags(own, IFF_UP, &flags);

	if (err) {
		if (fd >= 0)
			close(fd);
		return err;
	}
	memcpy(name, own, IFNAMSIZ);
	return fd;
}
