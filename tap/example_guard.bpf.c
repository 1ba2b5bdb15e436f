/*
 * An example to copy: guests may not pass for the host's infrastructure. They
 * send it no IPv6 router advertisements, no DHCP answers, no spanning tree and
 * no LLDP; and what the host says in the last two does not reach them.
 *
 *     ringswitch --tap tap0,filter=example_guard.bpf.o
 *
 * `make` builds it into build/tap. Compiled alone, on Debian with clang and
 * libbpf-dev:
 *
 *     clang -O2 -g -target bpf -I/usr/include/$(gcc -print-multiarch) \
 *           -c example_guard.bpf.c
 *
 * The section says what a program judges, what it returns is the verdict. One
 * program a direction, or none:
 *
 *     SEC("xdp")     guests to host: XDP_PASS, or XDP_DROP
 *     SEC("socket")  host to guests: how many bytes of the frame go on, so
 *                    skb->len is all of it and 0 drops it
 *     SEC("tc")      host to guests, from Linux 6.6 on: TC_ACT_OK, or
 *                    TC_ACT_SHOT, of which the sender is told (ENOBUFS); frames
 *                    may be read in place, from skb->data to skb->data_end
 *
 * Before a program runs, the kernel's verifier follows every path through it
 * and refuses it if one could read outside the frame or might not end. What it
 * objects to is in the switch's message, `bpftool prog load FILE.o
 * /sys/fs/bpf/x` shows the whole of its reasoning. `bpftool prog` lists what is
 * loaded.
 */
#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/icmpv6.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

/* Some of the kernel's functions are for programs under the GPL only. */
char LICENSE[] SEC("license") = "Dual MIT/GPL";

enum { TAGS_MAX = 2, EXTENSIONS_MAX = 6 };
enum { ROUTER_ADVERTISEMENT = 134, DHCPV4_SERVER = 67, DHCPV6_SERVER = 547 };

struct vlan_tag {
	__be16 id;
	__be16 type; /* of what is behind it */
};

static bool is_tag(__be16 type)
{
	return type == bpf_htons(ETH_P_8021Q) || type == bpf_htons(ETH_P_8021AD);
}

/* STP, LLDP, LACP, 802.1X: what bridges keep to themselves (IEEE 802.1Q). */
static bool is_link_local(const struct ethhdr *eth)
{
	const __u8 *to = eth->h_dest;

	return (to[0] == 0x01 && to[1] == 0x80 && to[2] == 0xc2 && to[3] == 0 &&
		to[4] == 0 && to[5] < 0x10) ||
	       eth->h_proto == bpf_htons(ETH_P_LLDP);
}

/* The verifier lets us read up to @end if we have compared with @end before:
 * `if (header + 1 > end)`, with a header's own size, is how that is done. */
static bool is_forbidden(__u8 protocol, void *at, void *end)
{
	struct icmp6hdr *icmp = at;
	struct udphdr *udp = at;

	if (protocol == IPPROTO_ICMPV6)
		return (void *)(icmp + 1) <= end &&
		       icmp->icmp6_type == ROUTER_ADVERTISEMENT;
	return protocol == IPPROTO_UDP && (void *)(udp + 1) <= end &&
	       (udp->source == bpf_htons(DHCPV4_SERVER) ||
		udp->source == bpf_htons(DHCPV6_SERVER));
}

static bool is_forbidden_v4(struct iphdr *ip, void *end)
{
	if ((void *)(ip + 1) > end)
		return false;
	/* Not in the later pieces of a packet: they have no UDP header. */
	if (ip->frag_off & bpf_htons(0x1fff))
		return false;
	return is_forbidden(ip->protocol, (void *)ip + ip->ihl * 4, end);
}

/*
 * Extension headers are walked, or an empty one would hide what comes behind.
 * The loop has a constant number of rounds, so the verifier sees it end. More
 * headers than any honest packet has are not let through. (Linux takes no
 * advertisement that comes in fragments.)
 */
static bool is_forbidden_v6(struct ipv6hdr *ip, void *end)
{
	struct ipv6_opt_hdr *extension = (void *)(ip + 1);
	__u8 protocol;

	if ((void *)extension > end)
		return false;
	protocol = ip->nexthdr;
	for (int n = 0; n < EXTENSIONS_MAX; n++) {
		if (protocol != IPPROTO_HOPOPTS && protocol != IPPROTO_ROUTING &&
		    protocol != IPPROTO_DSTOPTS)
			return is_forbidden(protocol, extension, end);
		if ((void *)(extension + 1) > end)
			return false;
		protocol = extension->nexthdr;
		extension = (void *)extension + (extension->hdrlen + 1) * 8;
	}
	return true;
}

SEC("xdp")
int guard_to_host(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct vlan_tag *tag = (void *)(eth + 1);
	bool drop = false;
	__be16 type;

	if ((void *)(eth + 1) > end)
		return XDP_PASS;
	type = eth->h_proto;
	for (int n = 0; n < TAGS_MAX && is_tag(type); n++) {
		if ((void *)(tag + 1) > end)
			return XDP_PASS;
		type = tag->type;
		tag++;
	}
	if (type == bpf_htons(ETH_P_IP))
		drop = is_forbidden_v4((void *)tag, end);
	else if (type == bpf_htons(ETH_P_IPV6))
		drop = is_forbidden_v6((void *)tag, end);
	return drop || is_link_local(eth) ? XDP_DROP : XDP_PASS;
}

/* Here frames are not read by pointer but copied out, to a place of our own. */
SEC("socket")
int guard_to_guests(struct __sk_buff *skb)
{
	struct ethhdr eth;

	if (bpf_skb_load_bytes(skb, 0, &eth, sizeof(eth)))
		return 0;
	return is_link_local(&eth) ? 0 : skb->len;
}
