/* The verifier follows a loop round by round, a million instructions far. */
#include "bpf_obey.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("xdp")
int takes_too_long(void)
{
	for (int n = 0; n < 100000000; n++)
		/* Or the compiler would see that nothing happens here. */
		asm volatile("" : "+r"(n));
	return XDP_PASS;
}
