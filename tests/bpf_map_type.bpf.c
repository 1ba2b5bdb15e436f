/* A kind of map that no kernel has. */
#include "bpf_obey.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct {
	__uint(type, 4711);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} strange SEC(".maps");

SEC("xdp")
int needs_strange_map(void)
{
	__u32 key = 0;

	return bpf_map_lookup_elem(&strange, &key) ? XDP_PASS : XDP_DROP;
}
