/* Judges frames in both directions, as they ask for it. */
#include "bpf_obey.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("socket")
int both_to_guests(struct __sk_buff *skb)
{
	return obey_copied(skb, -1);
}

SEC("xdp")
int both_to_host(struct xdp_md *ctx)
{
	return obey_in_place(ctx->data, ctx->data_end, XDP_PASS);
}
