/*
 * Tap devices: the only code that needs CAP_NET_ADMIN, and that only to make a
 * device or to bring one up. A persistent device that belongs to the user
 * needs no privilege.
 *
 * Sources: Documentation/networking/tuntap.rst, linux/if_tun.h, drivers/net/
 * tun.c (Linux 6.1).
 */
#ifndef TAP_H
#define TAP_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tap_state {
	char name[IFNAMSIZ];
	uint32_t index;
	uint32_t mtu; /* bytes of payload behind the Ethernet header */
	uint32_t foreign_xdp; /* the id of an XDP program that is not ours; or 0 */
	bool up;
	uint8_t address[6];
};

/*
 * Attach to tap device @name, making it if there is none (it then goes with
 * the descriptor), and bring it up if that is permitted: @state->up tells.
 * Frames are read and written whole and bare, one a call, without waiting.
 *
 * Returns a descriptor, the caller's; or -errno with a line in @why (of
 * @why_bytes) that says what to do.
 */
int tap_open(const char *name, struct tap_state *state, char *why,
	     size_t why_bytes);

/*
 * The same for a descriptor that somebody else has opened: @fd stays open in
 * any case. Returns 0, or -errno with a line in @why; -ENOTTY is no tun or tap.
 */
int tap_adopt(int fd, struct tap_state *state, char *why, size_t why_bytes);

/* Give the device of @state another MTU. Returns 0, or -errno with a line in
 * @why. */
int tap_set_mtu(struct tap_state *state, uint32_t mtu, char *why,
		size_t why_bytes);

#endif
