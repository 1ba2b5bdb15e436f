/* Two programs for one direction: which of them is meant? */
#include "bpf_obey.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("socket")
int first_one(void)
{
	return -1;
}

SEC("socket")
int second_one(void)
{
	return 0;
}
