/*
 * Gives frames a VLAN tag as a VLAN device does, where the kernel has none: the
 * tag is not in the frame but beside it. For tc, in front of a tap; only frames
 * of an EtherType of its own (for local experiments, IEEE 802).
 */
#include "bpf_obey.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

enum { TAGGED_ETHERTYPE = 0x88b6, TAG_ETHERTYPE = 0x8100, TAG = 7 };

SEC("tc")
int tag(struct __sk_buff *skb)
{
	__be16 ethertype;

	if (!bpf_skb_load_bytes(skb, 12, &ethertype, sizeof(ethertype)) &&
	    ethertype == bpf_htons(TAGGED_ETHERTYPE))
		bpf_skb_vlan_push(skb, bpf_htons(TAG_ETHERTYPE), TAG);
	return TC_ACT_OK;
}
