/* A good program, but nothing that could judge a tap's frames. */
#include "bpf_obey.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("tracepoint/syscalls/sys_enter_write")
int trace_write(void)
{
	return 0;
}
