#include "ringtap_device.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tap.h"

/* Returns a descriptor, the caller's; or -errno. */
static int attach(const char *clone, char *name, int flags,
		  enum device_step *failed)
{
	struct ifreq ifr = { .ifr_flags = (short)flags };
	int fd, err;

	*failed = DEVICE_OPEN;
	fd = open(clone, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	*failed = DEVICE_ATTACH;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (ioctl(fd, TUNSETIFF, &ifr)) {
		err = -errno;
		close(fd);
		return err;
	}
	memcpy(name, ifr.ifr_name, IFNAMSIZ);
	return fd;
}

static int bring_up(const char *name)
{
	struct ifreq ifr = { 0 };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err = 0;

	if (fd < 0)
		return -errno;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (ioctl(fd, SIOCGIFFLAGS, &ifr))
		err = -errno;
	ifr.ifr_flags |= IFF_UP;
	if (!err && ioctl(fd, SIOCSIFFLAGS, &ifr))
		err = -errno;
	close(fd);
	return err;
}

static int set_mtu(const char *name, uint32_t mtu)
{
	struct tap_state state = { 0 };
	char ignored[1];

	snprintf(state.name, sizeof(state.name), "%s", name);
	return tap_set_mtu(&state, mtu, ignored, sizeof(ignored));
}

static int set_all(int fd, const struct device_plan *plan,
		   enum device_step *failed)
{
	int err = 0;

	*failed = DEVICE_OWNER;
	if (plan->uid >= 0 && ioctl(fd, TUNSETOWNER, (unsigned long)plan->uid))
		return -errno;
	*failed = DEVICE_GROUP;
	if (plan->gid >= 0 && ioctl(fd, TUNSETGROUP, (unsigned long)plan->gid))
		return -errno;
	*failed = DEVICE_MTU;
	if (plan->mtu)
		err = set_mtu(plan->name, plan->mtu);
	if (err)
		return err;
	*failed = DEVICE_UP;
	if (plan->up)
		err = bring_up(plan->name);
	if (err)
		return err;
	*failed = DEVICE_PERSIST;
	return ioctl(fd, TUNSETPERSIST, 1UL) ? -errno : 0;
}

int device_keep(struct device_plan *plan, enum device_step *failed)
{
	int flags = IFF_TAP | IFF_NO_PI |
		    (plan->must_be_new ? IFF_TUN_EXCL : 0);
	int fd = attach(plan->clone, plan->name, flags, failed);
	int err;

	if (fd < 0)
		return fd;
	err = set_all(fd, plan, failed);
	close(fd);
	return err;
}

int device_let_go(const char *clone, char *name, bool multi_queue,
		  enum device_step *failed)
{
	int flags = IFF_TAP | IFF_NO_PI | (multi_queue ? IFF_MULTI_QUEUE : 0);
	int fd = attach(clone, name, flags, failed);
	int err;

	if (fd < 0)
		return fd;
	*failed = DEVICE_PERSIST;
	err = ioctl(fd, TUNSETPERSIST, 0UL) ? -errno : 0;
	close(fd);
	return err;
}

bool device_name_is_good(const char *name)
{
	const char *percent = strchr(name, '%');
	size_t bytes = strlen(name);

	if (!bytes || bytes >= IFNAMSIZ || !strcmp(name, ".") ||
	    !strcmp(name, ".."))
		return false;
	if (percent && (percent[1] != 'd' || strchr(percent + 1, '%')))
		return false;
	for (; *name; name++)
		if (*name == '/' || *name == ':' ||
		    isspace((unsigned char)*name))
			return false;
	return true;
}
