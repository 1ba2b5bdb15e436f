/* Made for another kernel: asks for a member that no struct sk_buff has. */
#include "bpf_obey.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct sk_buff {
	int of_another_kernel;
} __attribute__((preserve_access_index));

SEC("xdp")
int for_another_kernel(void)
{
	struct sk_buff *none = (void *)0;

	return (int)(long)__builtin_preserve_access_index(
		       &none->of_another_kernel) > 4096 ? XDP_DROP : XDP_PASS;
}
