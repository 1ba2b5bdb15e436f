/*
 * What of a frame rules can match, for filter_model.c: read from the front to the
 * back, as the RFCs have it.
 */
#ifndef FILTER_FACTS_H
#define FILTER_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NONE = -1 };

/* What of a frame can be matched; NONE is what it does not have. */
struct facts {
	uint64_t src_mac, dst_mac;
	int ethertype, vlan;
	int arp;
	uint64_t arp_sender_mac, arp_target_mac;
	uint32_t arp_sender, arp_target;
	int version; /* of IP */
	uint8_t src[16], dst[16];
	int protocol, src_port, dst_port, tcp_flags, icmp_type, icmpv6_type;
	bool cut;    /* the frame goes on behind what is looked at */
	bool tags_hide; /* there are more than are looked behind */
	bool hidden; /* there is more to match, where it cannot be seen */
};

/* Of a frame of @bytes, 14 or more. */
struct facts facts_of(const uint8_t *frame, size_t bytes);

#endif
