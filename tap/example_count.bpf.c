/*
 * An example to copy: maps, which programs share with whoever looks at them.
 * Frames are counted by EtherType, and on request new TCP connections to the
 * guests' lower ports are not let through. (How an object is compiled, and what
 * the sections and verdicts are: see example_guard.bpf.c, which has no maps.)
 *
 *     ringswitch --tap tap0,filter=example_count.bpf.o
 *     bpftool map dump name to_guests    # "key": 2048 is 0x0800, IPv4
 *     bpftool map dump name to_host
 *     bpftool map update name closed_below key 0 0 0 0 value 0 4 0 0
 *
 * The last closes the ports below 1024 (0x400, its lowest byte first) without a
 * restart; value 0 0 0 0 opens them. Maps end with the switch.
 */
#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* Guests may make EtherTypes up; of an LRU map that is full the entry that was
 * not used for longest goes, so that it has room for the others. */
enum { TYPES_MAX = 1024 };

struct count {
	__u64 frames;
	__u64 bytes;
};

struct by_ethertype {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, TYPES_MAX);
	__type(key, __u32);
	__type(value, struct count);
};

struct by_ethertype to_guests SEC(".maps");
struct by_ethertype to_host SEC(".maps");

/* One number: the first port that is open. Arrays begin with 0: all are. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} closed_below SEC(".maps");

/* Several processors may count at once: hence BPF_NOEXIST, and atomic adds. */
static void count(void *map, __be16 ethertype, __u64 bytes)
{
	__u32 key = bpf_ntohs(ethertype);
	struct count none = { 0, 0 }, *found;

	/* Below, it is the length of an 802.3 frame: all are one kind. */
	if (key < ETH_P_802_3_MIN)
		key = 0;
	found = bpf_map_lookup_elem(map, &key);
	if (!found) {
		bpf_map_update_elem(map, &key, &none, BPF_NOEXIST);
		found = bpf_map_lookup_elem(map, &key);
	}
	/* Without this line the verifier refuses it: there may be none. */
	if (!found)
		return;
	__sync_fetch_and_add(&found->frames, 1);
	__sync_fetch_and_add(&found->bytes, bytes);
}

/* bpf_skb_load_bytes() copies from the frame, or fails if that is too short. */
static bool is_connecting(struct __sk_buff *skb, __u32 at, __u32 below)
{
	struct tcphdr tcp;

	return !bpf_skb_load_bytes(skb, at, &tcp, sizeof(tcp)) && tcp.syn &&
	       !tcp.ack && bpf_ntohs(tcp.dest) < below;
}

static bool is_closed(struct __sk_buff *skb, __be16 ethertype)
{
	__u32 key = 0, *below = bpf_map_lookup_elem(&closed_below, &key);
	struct ipv6hdr ip6;
	struct iphdr ip;

	if (!below || !*below)
		return false;
	if (ethertype == bpf_htons(ETH_P_IP))
		return !bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof(ip)) &&
		       ip.protocol == IPPROTO_TCP &&
		       !(ip.frag_off & bpf_htons(0x1fff)) &&
		       is_connecting(skb, ETH_HLEN + ip.ihl * 4, *below);
	if (ethertype == bpf_htons(ETH_P_IPV6))
		return !bpf_skb_load_bytes(skb, ETH_HLEN, &ip6, sizeof(ip6)) &&
		       ip6.nexthdr == IPPROTO_TCP &&
		       is_connecting(skb, ETH_HLEN + sizeof(ip6), *below);
	return false;
}

SEC("socket")
int count_to_guests(struct __sk_buff *skb)
{
	struct ethhdr eth;

	if (bpf_skb_load_bytes(skb, 0, &eth, sizeof(eth)))
		return 0;
	/* The kernel keeps the first VLAN tag beside the frame. */
	count(&to_guests, skb->vlan_present ? skb->vlan_proto : eth.h_proto,
	      skb->len);
	return is_closed(skb, eth.h_proto) ? 0 : skb->len;
}

SEC("xdp")
int count_to_host(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;

	if ((void *)(eth + 1) > end)
		return XDP_PASS;
	count(&to_host, eth->h_proto, ctx->data_end - ctx->data);
	return XDP_PASS;
}
