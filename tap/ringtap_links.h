/*
 * The taps of this network namespace, as the kernel knows them: by netlink,
 * since /sys/class/net shows the namespace that it was mounted in.
 */
#ifndef RINGTAP_LINKS_H
#define RINGTAP_LINKS_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tap_link {
	char name[IFNAMSIZ];
	char master[IFNAMSIZ]; /* the bridge or the like it is in; "": none */
	uint8_t address[6];
	uint32_t mtu;
	int64_t uid, gid; /* who may attach; -1: not said */
	bool up;	  /* as set; carrier: somebody is attached */
	bool carrier;
	bool persist;
	bool multi_queue;
	bool vnet_header;
	bool packet_info;
};

/*
 * All taps, in the order in which they were made: @links is the caller's to
 * free(), NULL if there are none. Returns 0 or -errno.
 */
int tap_links_read(struct tap_link **links, size_t *count);

#endif
