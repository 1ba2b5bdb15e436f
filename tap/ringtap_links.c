#include "ringtap_links.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct list {
	struct tap_link *links;
	size_t count, room;
	bool changed; /* while it was read: it has to be read again */
};

static uint32_t number(const struct rtattr *a)
{
	uint32_t value = 0;
	size_t bytes = RTA_PAYLOAD(a);

	if (bytes == 1)
		return *(const uint8_t *)RTA_DATA(a);
	memcpy(&value, RTA_DATA(a), bytes < sizeof(value) ? bytes : sizeof(value));
	return value;
}

static void text(char *to, size_t room, const struct rtattr *a)
{
	size_t bytes = RTA_PAYLOAD(a);

	if (bytes >= room)
		bytes = room - 1;
	memcpy(to, RTA_DATA(a), bytes);
	to[bytes] = '\0';
}

/* Returns whether it is a tap, and no tun. */
static bool read_tun(struct tap_link *link, const struct rtattr *a, size_t left)
{
	bool is_tap = false;

	for (; RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		uint32_t value = number(a);

		if (a->rta_type == IFLA_TUN_TYPE)
			is_tap = value == IFF_TAP;
		else if (a->rta_type == IFLA_TUN_OWNER)
			link->uid = value;
		else if (a->rta_type == IFLA_TUN_GROUP)
			link->gid = value;
		else if (a->rta_type == IFLA_TUN_PI)
			link->packet_info = value;
		else if (a->rta_type == IFLA_TUN_VNET_HDR)
			link->vnet_header = value;
		else if (a->rta_type == IFLA_TUN_PERSIST)
			link->persist = value;
		else if (a->rta_type == IFLA_TUN_MULTI_QUEUE)
			link->multi_queue = value;
	}
	return is_tap;
}

/* The kind comes before the data; the data of other kinds mean other things. */
static bool read_info(struct tap_link *link, const struct rtattr *a, size_t left)
{
	char kind[16] = "";

	for (; RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		if (a->rta_type == IFLA_INFO_KIND)
			text(kind, sizeof(kind), a);
		else if (a->rta_type == IFLA_INFO_DATA && !strcmp(kind, "tun"))
			return read_tun(link, RTA_DATA(a), RTA_PAYLOAD(a));
	}
	return false;
}

/* Returns whether it is a tap. */
static bool read_link(struct tap_link *link, const struct nlmsghdr *h)
{
	const struct ifinfomsg *info = NLMSG_DATA(h);
	const struct rtattr *a = IFLA_RTA(info);
	size_t left = IFLA_PAYLOAD(h);
	bool is_tap = false;

	*link = (struct tap_link){ .uid = -1, .gid = -1,
				   .up = info->ifi_flags & IFF_UP };
	for (; RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		if (a->rta_type == IFLA_IFNAME)
			text(link->name, sizeof(link->name), a);
		else if (a->rta_type == IFLA_MTU)
			link->mtu = number(a);
		else if (a->rta_type == IFLA_CARRIER)
			link->carrier = number(a);
		else if (a->rta_type == IFLA_MASTER)
			if_indextoname(number(a), link->master);
		else if (a->rta_type == IFLA_ADDRESS &&
			 RTA_PAYLOAD(a) == sizeof(link->address))
			memcpy(link->address, RTA_DATA(a), sizeof(link->address));
		else if (a->rta_type == IFLA_LINKINFO)
			is_tap = read_info(link, RTA_DATA(a), RTA_PAYLOAD(a));
	}
	return is_tap;
}

static int append(struct list *list, const struct tap_link *link)
{
	if (list->count == list->room) {
		size_t room = list->room ? 2 * list->room : 16;
		void *more = reallocarray(list->links, room, sizeof(*link));

		if (!more)
			return -ENOMEM;
		list->links = more;
		list->room = room;
	}
	list->links[list->count++] = *link;
	return 0;
}

/* Returns 1 when there is more to come, 0 at the end, or -errno. */
static int read_messages(struct list *list, const struct nlmsghdr *h,
			 size_t left)
{
	struct tap_link link;
	int err;

	for (; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
		list->changed |= h->nlmsg_flags & NLM_F_DUMP_INTR;
		if (h->nlmsg_type == NLMSG_DONE)
			return 0;
		if (h->nlmsg_type == NLMSG_ERROR)
			return ((const struct nlmsgerr *)NLMSG_DATA(h))->error;
		err = read_link(&link, h) ? append(list, &link) : 0;
		if (err)
			return err;
	}
	return 1;
}

static int read_all(int fd, struct list *list)
{
	struct {
		struct nlmsghdr head;
		struct ifinfomsg info;
	} request = { .head = { .nlmsg_len = sizeof(request),
				.nlmsg_type = RTM_GETLINK,
				.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP } };
	static _Alignas(struct nlmsghdr) char answer[65536];
	int more = 1;

	list->count = 0;
	list->changed = false;
	if (send(fd, &request, sizeof(request), 0) < 0)
		return -errno;
	while (more > 0) {
		ssize_t bytes = recv(fd, answer, sizeof(answer), 0);

		if (bytes < 0)
			return -errno;
		more = read_messages(list, (void *)answer, (size_t)bytes);
	}
	return more;
}

/* A host where devices come and go all the time gets what there is. */
enum { TRIES = 5 };

int tap_links_read(struct tap_link **links, size_t *count)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	struct list list = { 0 };
	int err = 0;

	if (fd < 0)
		return -errno;
	for (int i = 0; i < TRIES; i++) {
		err = read_all(fd, &list);
		if (err || !list.changed)
			break;
	}
	close(fd);
	if (err) {
		free(list.links);
		return err;
	}
	*links = list.links;
	*count = list.count;
	return 0;
}
