/* Sections with a name of their own behind the kind, as large objects have. */
#include "bpf_obey.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("socket/obey")
int named_to_guests(struct __sk_buff *skb)
{
	return obey_copied(skb, -1);
}

SEC("xdp/obey")
int named_to_host(struct xdp_md *ctx)
{
	return obey_in_place(ctx->data, ctx->data_end, XDP_PASS);
}
