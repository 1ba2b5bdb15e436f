/*
 * The verifier refuses it: it reads the frame without a look at where that
 * ends. The other direction is good, and must not stay attached for that.
 */
#include "bpf_obey.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("socket")
int good_to_guests(struct __sk_buff *skb)
{
	return obey_copied(skb, -1);
}

SEC("xdp")
int reads_beyond(struct xdp_md *ctx)
{
	const struct obey_frame *frame = (const void *)(long)ctx->data;

	return (int)bpf_ntohl(frame->verdict);
}
