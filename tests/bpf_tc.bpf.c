/* Judges frames to the guests as tc does: it may read them in place. */
#include "bpf_obey.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("tc")
int obey_tc(struct __sk_buff *skb)
{
	return obey_in_place(skb->data, skb->data_end, TC_ACT_OK);
}
