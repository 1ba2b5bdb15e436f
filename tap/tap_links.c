#include "tap_links.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	/* A device takes one to two KiB; the kernel puts several together. */
	MESSAGE_BYTES = 32768,
	MESSAGES_AT_ONCE = 32,
};

int tap_links_open(void)
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK,
				    .nl_groups = RTMGRP_LINK };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC,
			NETLINK_ROUTE);

	if (fd < 0)
		return -errno;
	if (bind(fd, (const void *)&addr, sizeof(addr))) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

void tap_links_ask(int fd, struct tap_links *known)
{
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	const struct {
		struct nlmsghdr header;
		struct ifinfomsg link;
	} all = {
		.header = { .nlmsg_len = sizeof(all),
			    .nlmsg_type = RTM_GETLINK,
			    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.link = { .ifi_family = AF_UNSPEC },
	};

	/* One question at a time: the kernel refuses another. */
	known->lost = known->asked;
	if (known->asked)
		return;
	known->asked = sendto(fd, &all, sizeof(all), MSG_DONTWAIT,
			      (const void *)&kernel, sizeof(kernel)) > 0;
	known->lost = !known->asked;
}

/* Parsing ----------------------------------------------------------------- */

static void read_name(struct tap_link *to, const void *value, size_t bytes)
{
	size_t length = strnlen(value, bytes);

	if (length == bytes || length >= sizeof(to->name))
		return;
	memcpy(to->name, value, length);
	to->name[length] = '\0';
}

static void read_exactly(void *to, size_t bytes, const uint8_t *at,
			 const struct rtattr *a)
{
	if (a->rta_len == sizeof(*a) + bytes)
		memcpy(to, at + sizeof(*a), bytes);
}

static void read_attributes(struct tap_link *to, const uint8_t *at,
			    size_t bytes)
{
	struct rtattr a;

	while (bytes >= sizeof(a)) {
		size_t whole;

		memcpy(&a, at, sizeof(a));
		if (a.rta_len < sizeof(a) || a.rta_len > bytes)
			return;
		if (a.rta_type == IFLA_IFNAME)
			read_name(to, at + sizeof(a), a.rta_len - sizeof(a));
		else if (a.rta_type == IFLA_MTU)
			read_exactly(&to->mtu, sizeof(to->mtu), at, &a);
		else if (a.rta_type == IFLA_ADDRESS)
			read_exactly(to->address, sizeof(to->address), at, &a);
		whole = RTA_ALIGN((size_t)a.rta_len);
		if (whole > bytes)
			return;
		at += whole;
		bytes -= whole;
	}
}

static void read_link(uint16_t type, const uint8_t *at, size_t bytes,
		      tap_link_told *tell, void *context)
{
	struct tap_link link = { .gone = type == RTM_DELLINK };
	struct ifinfomsg info;

	if ((type != RTM_NEWLINK && type != RTM_DELLINK) ||
	    bytes < sizeof(info))
		return;
	memcpy(&info, at, sizeof(info));
	/* A bridge tells of its ports, of which we know already: one that leaves
	 * it has not gone. */
	if (info.ifi_family != AF_UNSPEC || info.ifi_index <= 0)
		return;
	link.index = (uint32_t)info.ifi_index;
	link.up = info.ifi_flags & IFF_UP;
	read_attributes(&link, at + sizeof(info), bytes - sizeof(info));
	tell(context, &link);
}

bool tap_links_parse(const void *data, size_t bytes, tap_link_told *tell,
		     void *context)
{
	const uint8_t *at = data;
	struct nlmsghdr h;
	bool done = false;

	while (bytes >= sizeof(h)) {
		size_t whole;

		memcpy(&h, at, sizeof(h));
		if (h.nlmsg_len < sizeof(h) || h.nlmsg_len > bytes)
			break;
		done |= h.nlmsg_type == NLMSG_DONE ||
			h.nlmsg_type == NLMSG_ERROR;
		read_link(h.nlmsg_type, at + sizeof(h),
			  h.nlmsg_len - sizeof(h), tell, context);
		whole = NLMSG_ALIGN((size_t)h.nlmsg_len);
		if (whole > bytes)
			break;
		at += whole;
		bytes -= whole;
	}
	return done;
}

/* Hearing ----------------------------------------------------------------- */

/* Returns the length of a message of the kernel's, 0 for one that is to be
 * passed over, or -errno. */
static ssize_t receive(int fd, void *data, size_t bytes)
{
	struct sockaddr_nl from = { 0 };
	struct iovec part = { .iov_base = data, .iov_len = bytes };
	struct msghdr m = {
		.msg_name = &from,
		.msg_namelen = sizeof(from),
		.msg_iov = &part,
		.msg_iovlen = 1,
	};
	ssize_t n = recvmsg(fd, &m, MSG_DONTWAIT);

	if (n < 0)
		return -errno;
	return from.nl_pid || m.msg_flags & MSG_TRUNC ? 0 : n;
}

void tap_links_hear(int fd, struct tap_links *known, tap_link_told *tell,
		    void *context)
{
	uint8_t data[MESSAGE_BYTES];

	for (int i = 0; i < MESSAGES_AT_ONCE; i++) {
		ssize_t n = receive(fd, data, sizeof(data));

		if (n == -ENOBUFS)
			known->lost = true;
		else if (n < 0 && n != -EINTR)
			break;
		else if (n > 0 && tap_links_parse(data, (size_t)n, tell, context))
			known->asked = false;
	}
	if (known->lost && !known->asked)
		tap_links_ask(fd, known);
}
