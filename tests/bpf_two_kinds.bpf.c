/* The same in two sections: both are for frames to the guests. */
#include "bpf_obey.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("socket")
int by_socket(void)
{
	return -1;
}

SEC("tc")
int by_tc(void)
{
	return TC_ACT_OK;
}
