/*
 * Persistent tap devices: made with an owner and a group, and let go.
 *
 * A device persists from the last step on only: whatever fails before takes a
 * new device along, so that there is never one without the owner that was
 * asked for, which would be everybody's.
 *
 * Sources: Documentation/networking/tuntap.rst, linux/if_tun.h, drivers/net/
 * tun.c (Linux 6.1).
 */
#ifndef RINGTAP_DEVICE_H
#define RINGTAP_DEVICE_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DEVICE_CLONE "/dev/net/tun"

/* What a tap may carry behind its Ethernet header (tun.c: 65535 less that). */
enum { DEVICE_MTU_MIN = 68, DEVICE_MTU_MAX = 65521 };

struct device_plan {
	char name[IFNAMSIZ]; /* one %d in it is the first number that is free */
	const char *clone;   /* DEVICE_CLONE, mostly */
	int64_t uid, gid;    /* -1: as it is; of a new device nobody's */
	uint32_t mtu;	     /* 0: as it is */
	bool up;
	bool must_be_new;
};

enum device_step {
	DEVICE_OPEN,
	DEVICE_ATTACH,
	DEVICE_OWNER,
	DEVICE_GROUP,
	DEVICE_MTU,
	DEVICE_UP,
	DEVICE_PERSIST,
};

/*
 * Make the device of @plan, or attach to it, and have it stay. @plan->name
 * becomes its name. Returns 0; or -errno, with what failed in @failed. -EBUSY
 * at DEVICE_ATTACH: there is a device of that name (must_be_new), or somebody
 * has it open.
 */
int device_keep(struct device_plan *plan, enum device_step *failed);

/*
 * Let the tap @name (of IFNAMSIZ bytes; it is set as above) go: it is gone
 * when this returns, unless it has more queues that somebody has open.
 * @multi_queue: it was made so. One that is not there is made on the way.
 * Returns as device_keep().
 */
int device_let_go(const char *clone, char *name, bool multi_queue,
		  enum device_step *failed);

/* Whether the kernel would take @name for a network device. */
bool device_name_is_good(const char *name);

#endif
