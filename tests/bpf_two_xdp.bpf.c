/* Two programs for frames to the host. */
#include "bpf_obey.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("xdp")
int first_one(void)
{
	return XDP_PASS;
}

SEC("xdp")
int second_one(void)
{
	return XDP_DROP;
}
