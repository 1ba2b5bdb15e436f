/* Judges frames to the host only, as they ask for it. */
#include "bpf_obey.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("xdp")
int obey_to_host(struct xdp_md *ctx)
{
	return obey_in_place(ctx->data, ctx->data_end, XDP_PASS);
}
