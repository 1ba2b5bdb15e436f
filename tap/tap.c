#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static const char clone_device[] = "/dev/net/tun";
static const int no_program = -1;

static const char *remedy_for_open(int err)
{
	switch (err) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return "load the driver: sudo modprobe tun";
	case EACCES:
	case EPERM:
		return "your user may not open it; in a container, pass the device in";
	default:
		return "is the tun driver usable here?";
	}
}

static int complain_open(int err, const char *name, char *why, size_t why_bytes)
{
	snprintf(why, why_bytes, "tap %s: cannot open %s: %s (%s)", name,
		 clone_device, strerror(err), remedy_for_open(err));
	return -err;
}

static int complain_attach(int err, const char *name, char *why,
			   size_t why_bytes)
{
	char remedy[128] = "see ip link show";

	if (err == EPERM && if_nametoindex(name))
		snprintf(remedy, sizeof(remedy),
			 "it belongs to another user or group: choose another name");
	else if (err == EPERM)
		snprintf(remedy, sizeof(remedy),
			 "make one that is yours: sudo ip tuntap add %s mode tap user $USER",
			 name);
	else if (err == EBUSY)
		snprintf(remedy, sizeof(remedy), "another program has it");
	else if (err == EINVAL)
		snprintf(remedy, sizeof(remedy),
			 "a device of that name exists and is not a tap with one queue: choose another name");
	snprintf(why, why_bytes, "tap %s: cannot attach: %s (%s)", name,
		 strerror(err), remedy);
	return -err;
}

/* An ioctl on a network device by name. */
static int device_ioctl(unsigned long request, struct ifreq *ifr)
{
	/* Of any family: a service is often kept from those of the Internet. */
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -errno;
	err = ioctl(fd, request, ifr) ? -errno : 0;
	close(fd);
	return err;
}

static void bring_up(const char *name)
{
	struct ifreq ifr = { 0 };

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (device_ioctl(SIOCGIFFLAGS, &ifr) || ifr.ifr_flags & IFF_UP)
		return;
	ifr.ifr_flags |= IFF_UP;
	device_ioctl(SIOCSIFFLAGS, &ifr);
}

/* The device behind @fd: whatever it was asked for by, it may have been renamed. */
static int query(int fd, struct tap_state *state)
{
	struct ifreq ifr = { 0 };
	struct tap_state found = { 0 };
	int err;

	if (ioctl(fd, TUNGETIFF, &ifr))
		return -errno;
	memcpy(found.name, ifr.ifr_name, sizeof(found.name) - 1);
	err = device_ioctl(SIOCGIFMTU, &ifr);
	if (err)
		return err;
	found.mtu = (uint32_t)ifr.ifr_mtu;
	err = device_ioctl(SIOCGIFFLAGS, &ifr);
	if (err)
		return err;
	found.up = ifr.ifr_flags & IFF_UP;
	err = device_ioctl(SIOCGIFINDEX, &ifr);
	if (err)
		return err;
	found.index = (uint32_t)ifr.ifr_ifindex;
	err = device_ioctl(SIOCGIFHWADDR, &ifr);
	if (err)
		return err;
	memcpy(found.address, ifr.ifr_hwaddr.sa_data, sizeof(found.address));
	*state = found;
	return 0;
}

/* O_NONBLOCK is set from the start: io_uring on 6.1 looks at it once. */
int tap_open(const char *name, struct tap_state *state, char *why,
	     size_t why_bytes)
{
	int fd = open(clone_device, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int err;

	if (fd < 0)
		return complain_open(errno, name, why, why_bytes);
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (ioctl(fd, TUNSETIFF, &ifr)) {
		err = complain_attach(errno, name, why, why_bytes);
		goto fail;
	}
	/* Somebody before us may have asked the kernel for frames without
	 * checksums, or larger than the MTU; or have left a filter on a
	 * persistent device (a switch that was killed does). */
	ioctl(fd, TUNSETOFFLOAD, 0);
	ioctl(fd, TUNSETFILTEREBPF, &no_program);
	bring_up(ifr.ifr_name);
	err = query(fd, state);
	if (err) {
		snprintf(why, why_bytes, "tap %s: cannot ask for its state: %s",
			 name, strerror(-err));
		goto fail;
	}
	return fd;

fail:
	close(fd);
	return err;
}

static int complain_adopt(int fd, const char *what, char *why,
			  size_t why_bytes)
{
	snprintf(why, why_bytes, "descriptor %d: %s", fd, what);
	return -EINVAL;
}

int tap_adopt(int fd, struct tap_state *state, char *why, size_t why_bytes)
{
	struct ifreq ifr = { 0 };
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || ioctl(fd, TUNGETIFF, &ifr))
		return -ENOTTY;
	if (!(ifr.ifr_flags & IFF_TAP) || !(ifr.ifr_flags & IFF_NO_PI) ||
	    ifr.ifr_flags & IFF_VNET_HDR)
		return complain_adopt(fd, "must be a tap opened with IFF_TAP | IFF_NO_PI and no header",
				      why, why_bytes);
	if (fcntl(fd, F_SETFL, flags | O_NONBLOCK))
		return complain_adopt(fd, strerror(errno), why, why_bytes);
	bring_up(ifr.ifr_name);
	if (query(fd, state))
		return complain_adopt(fd, "its tap device has gone", why,
				      why_bytes);
	return 0;
}

int tap_set_mtu(struct tap_state *state, uint32_t mtu, char *why,
		size_t why_bytes)
{
	struct ifreq ifr = { 0 };
	int err;

	if (state->mtu == mtu)
		return 0;
	memcpy(ifr.ifr_name, state->name, sizeof(ifr.ifr_name));
	ifr.ifr_mtu = (int)mtu;
	err = device_ioctl(SIOCSIFMTU, &ifr);
	if (err) {
		snprintf(why, why_bytes,
			 "tap %s: cannot set its MTU to %u: %s (as root: ip link set %s mtu %u)",
			 state->name, mtu, strerror(-err), state->name, mtu);
		return err;
	}
	state->mtu = mtu;
	return 0;
}
