/* More instructions than a program may have (a million). */
#include "bpf_obey.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("xdp")
int is_too_long(void)
{
	int verdict = XDP_PASS;

	asm volatile(".rept 1000001\n\t%0 = 2\n\t.endr" : "=r"(verdict));
	return verdict;
}
