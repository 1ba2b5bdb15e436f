#include "filter_attach.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Linux 6.6, linux/bpf.h: Debian 12's headers are older. */
enum { ATTACH_TCX_EGRESS = 47 };

/* More than any device's queue holds. */
enum { DISCARD_MAX = 1 << 16 };

static int attach_tc(int fd, int ifindex, char *why, size_t why_bytes)
{
	int link = bpf_link_create(fd, ifindex,
				   (enum bpf_attach_type)ATTACH_TCX_EGRESS,
				   NULL);

	if (link == -EINVAL || link == -EOPNOTSUPP)
		snprintf(why, why_bytes,
			 "cannot attach section \"tc\" so that it goes when the switch goes: needs Linux 6.6 (section \"socket\" works here)");
	else if (link < 0)
		snprintf(why, why_bytes,
			 "cannot attach its tc program: %s", strerror(-link));
	return link;
}

static int attach_xdp(int fd, int ifindex, const char *device, char *why,
		      size_t why_bytes)
{
	int link = bpf_link_create(fd, ifindex, BPF_XDP, NULL);
	uint32_t id;

	if (link >= 0)
		return link;
	id = filter_xdp_id(device);
	if ((link == -EBUSY || link == -EEXIST) && id)
		snprintf(why, why_bytes,
			 "device %s has an XDP program of somebody else's, id %u (see it: bpftool prog show id %u; take it off: ip link set dev %s xdp off)",
			 device, id, id, device);
	else
		snprintf(why, why_bytes, "cannot attach its XDP program: %s%s",
			 strerror(-link),
			 link == -EPERM ? " (needs the machine's root, or CAP_NET_ADMIN)" : "");
	return link;
}

uint32_t filter_xdp_id(const char *device)
{
	uint32_t id = 0;

	return bpf_xdp_query_id((int)if_nametoindex(device), 0, &id) ? 0 : id;
}

/* What has come before the programs were there. */
static void discard_waiting(int tap_fd)
{
	char some[64]; /* of a frame; the rest of it goes, too */

	for (int i = 0; i < DISCARD_MAX; i++)
		if (read(tap_fd, some, sizeof(some)) < 0 && errno != EINTR)
			break;
}

int filter_attach(const struct filter_programs *programs, int tap_fd,
		  const char *device, struct filter_links *links, char *why,
		  size_t why_bytes)
{
	int ifindex = (int)if_nametoindex(device);
	int err = -ENODEV;

	*links = (struct filter_links){ .tc_fd = -1, .xdp_fd = -1 };
	if (!ifindex) {
		snprintf(why, why_bytes, "device %s has gone", device);
		return err;
	}
	if (programs->socket_fd >= 0 &&
	    ioctl(tap_fd, TUNSETFILTEREBPF, &programs->socket_fd)) {
		err = -errno;
		snprintf(why, why_bytes, "cannot attach its socket program: %s",
			 strerror(-err));
		return err;
	}
	if (programs->tc_fd >= 0) {
		links->tc_fd = err =
			attach_tc(programs->tc_fd, ifindex, why, why_bytes);
		if (err < 0)
			goto fail;
	}
	if (programs->xdp_fd >= 0) {
		links->xdp_fd = err = attach_xdp(programs->xdp_fd, ifindex,
						 device, why, why_bytes);
		if (err < 0)
			goto fail;
	}
	discard_waiting(tap_fd);
	return 0;

fail:
	filter_detach(links, tap_fd);
	return err;
}

void filter_detach(struct filter_links *links, int tap_fd)
{
	if (links->tc_fd >= 0)
		close(links->tc_fd);
	if (links->xdp_fd >= 0)
		close(links->xdp_fd);
	*links = (struct filter_links){ .tc_fd = -1, .xdp_fd = -1 };
	if (tap_fd >= 0)
		filter_bare(tap_fd);
}

void filter_bare(int tap_fd)
{
	const int none = -1;

	ioctl(tap_fd, TUNSETFILTEREBPF, &none);
}
