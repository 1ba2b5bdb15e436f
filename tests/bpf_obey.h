/*
 * For tests of verdicts: a program that does what the frame says. Frames for
 * local experiments (EtherType 0x88b5) carry what is to be returned, four bytes
 * in network order; all others pass.
 */
#ifndef BPF_OBEY_H
#define BPF_OBEY_H

#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

enum { OBEY_ETHERTYPE = 0x88b5 };

struct obey_frame {
	__u8 addresses[12];
	__be16 ethertype;
	__be32 verdict;
} __attribute__((packed));

static __always_inline int obey_copied(struct __sk_buff *skb, int pass)
{
	struct obey_frame frame;

	if (bpf_skb_load_bytes(skb, 0, &frame, sizeof(frame)) ||
	    frame.ethertype != bpf_htons(OBEY_ETHERTYPE))
		return pass;
	return (int)bpf_ntohl(frame.verdict);
}

static __always_inline int obey_in_place(__u32 data, __u32 data_end, int pass)
{
	const struct obey_frame *frame = (const void *)(long)data;

	if ((const void *)(frame + 1) > (const void *)(long)data_end ||
	    frame->ethertype != bpf_htons(OBEY_ETHERTYPE))
		return pass;
	return (int)bpf_ntohl(frame->verdict);
}

#endif
