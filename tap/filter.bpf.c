/*
 * The built-in filter of a tap device: one program a direction, both on the
 * same table (filter_table.h).
 *
 * to_guests runs where the host hands a frame to the device (TUNSETFILTEREBPF):
 * it returns how many bytes to keep, and cannot change the frame, which is
 * translated after it has been read (filter.c). to_host is XDP: it runs where
 * the switch writes to the device, and translates on the spot.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "filter_head.h"
#include "filter_table.h"

#define FILTER_FUNCTION __attribute__((noinline))
#define FILTER_WALK_COUNTS 1

/* Two sets, one of them in force. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* set when it is loaded */
	__type(key, __u32);
	__type(value, struct filter_line);
} lines SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 64 * 1024);
} samples SEC(".maps");

/* The first line of the set in force. */
volatile __u32 in_force;

typedef __u32 filter_set;

static __always_inline struct filter_line *line_at(filter_set set, __u32 at)
{
	__u32 key = set + at;

	return bpf_map_lookup_elem(&lines, &key);
}

static __always_inline __u64 filter_now_ns(void)
{
	return bpf_ktime_get_ns();
}

#include "filter_translate.h"

/* Too large for the stack; programs run with bottom halves off, so none is
 * interrupted by another one on its processor. */
struct scratch {
	struct filter_head head;
	struct filter_walk walk;
	struct filter_sample sample;
	__u32 tag; /* that is beside the frame, as bytes; 0: none */
};

enum { TAG_BYTES = 4 };

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, FILTER_DIRECTIONS);
	__type(key, __u32);
	__type(value, struct scratch);
} scratches SEC(".maps");

/* Tell about a frame that has been dropped, now and then. */
static __always_inline void sample(struct scratch *s,
				   struct filter_header *header, __u32 line)
{
	__u64 now_ns = filter_now_ns();
	const __u8 *from = s->head.bytes + HEAD_SHIFT;
	__u32 taken = s->head.length + (s->tag ? TAG_BYTES : 0);

	if (!bucket_takes(&header->sampled_ns, now_ns,
			  1000000000 / FILTER_SAMPLES_PER_S,
			  FILTER_SAMPLES_AT_ONCE * 1000000000ULL /
				  FILTER_SAMPLES_PER_S))
		return;
	if (taken > FILTER_SAMPLE_BYTES)
		taken = FILTER_SAMPLE_BYTES;
	s->sample.ns = now_ns;
	s->sample.line = line;
	s->sample.frame_bytes = s->walk.frame_bytes;
	s->sample.direction = (__u8)s->walk.direction;
	s->sample.taken = (__u8)taken;
	if (s->tag) {
		/* As it will be put into the frame. */
		__builtin_memcpy(s->sample.frame, from, ETHERTYPE_AT);
		__builtin_memcpy(s->sample.frame + ETHERTYPE_AT, &s->tag,
				 TAG_BYTES);
		__builtin_memcpy(s->sample.frame + ETHERTYPE_AT + TAG_BYTES,
				 from + ETHERTYPE_AT,
				 FILTER_SAMPLE_BYTES - ETHERTYPE_AT - TAG_BYTES);
	} else {
		__builtin_memcpy(s->sample.frame, from, FILTER_SAMPLE_BYTES);
	}
	bpf_ringbuf_output(&samples, &s->sample, sizeof(s->sample), 0);
}

static __always_inline struct scratch *get_scratch(filter_set set,
						   __u32 direction,
						   __u32 frame_bytes)
{
	struct scratch *s = bpf_map_lookup_elem(&scratches, &direction);

	if (s) {
		s->walk.set = set;
		s->walk.direction = direction;
		s->walk.frame_bytes = frame_bytes;
		s->head.frame_bytes = frame_bytes;
	}
	return s;
}

/* How much to take of a frame of @bytes. */
static __always_inline __u32 how_much(__u32 bytes, __u32 at_most)
{
	return bytes > at_most ? at_most : bytes;
}

static __always_inline int load_skb(struct __sk_buff *skb, struct scratch *s)
{
	__u32 length = how_much(skb->len, FILTER_LOOK_BYTES);

	if (length < ETHERNET_BYTES ||
	    bpf_skb_load_bytes(skb, 0, s->head.bytes + HEAD_SHIFT, length))
		return -1;
	s->head.length = length;
	s->head.vlan_beside = FIELD_NO_VLAN;
	s->tag = 0;
	if (skb->vlan_present) {
		s->head.vlan_beside = skb->vlan_tci & 0xfff;
		s->tag = FILTER_BE32(FILTER_BE16((__u16)skb->vlan_proto) << 16 |
				     (skb->vlan_tci & 0xffff));
	}
	return 0;
}

SEC("socket")
int to_guests(struct __sk_buff *skb)
{
	filter_set set = in_force;
	/* A tag that is beside the frame will be put into it. */
	struct scratch *s = get_scratch(set, FILTER_TO_GUESTS,
					skb->len + (skb->vlan_present ? 4 : 0));
	struct filter_line *line = line_at(set, FILTER_TO_GUESTS);
	struct filter_rule *rule;

	if (!s || !line || (line->header.slots && load_skb(skb, s)))
		return 0;
	rule = filter_decide(&s->walk, &line->header, &s->head);
	if (!rule)
		return 0;
	if (!rule_drops(rule, s->walk.frame_bytes))
		return -1;
	if (line->header.slots || !load_skb(skb, s))
		sample(s, &line->header, rule->line);
	return 0;
}

static __always_inline int load_xdp(struct xdp_md *xdp, struct scratch *s,
				    __u32 at_most)
{
	__u32 length = how_much(s->walk.frame_bytes, at_most);

	if (length < ETHERNET_BYTES ||
	    bpf_xdp_load_bytes(xdp, 0, s->head.bytes + HEAD_SHIFT, length))
		return -1;
	s->head.length = length;
	s->head.vlan_beside = FIELD_NO_VLAN;
	s->tag = 0;
	return 0;
}

/* The frame that has been found good, as the host is to see it. */
static __always_inline int translate(struct xdp_md *xdp, struct scratch *s,
				     const struct filter_header *header)
{
	__u32 length;

	if (!header->names.roots)
		return XDP_PASS;
	if (load_xdp(xdp, s, FILTER_MEND_BYTES))
		return XDP_DROP;
	filter_translate(&s->head, s->walk.set, &header->names);
	length = how_much(s->walk.frame_bytes, FILTER_MEND_BYTES);
	if (length < ETHERNET_BYTES ||
	    bpf_xdp_store_bytes(xdp, 0, s->head.bytes + HEAD_SHIFT, length))
		return XDP_DROP;
	return XDP_PASS;
}

SEC("xdp")
int to_host(struct xdp_md *xdp)
{
	filter_set set = in_force;
	struct scratch *s = get_scratch(set, FILTER_TO_HOST,
					(__u32)(xdp->data_end - xdp->data));
	struct filter_line *line = line_at(set, FILTER_TO_HOST);
	struct filter_rule *rule;

	if (!s || !line ||
	    (line->header.slots && load_xdp(xdp, s, FILTER_LOOK_BYTES)))
		return XDP_DROP;
	rule = filter_decide(&s->walk, &line->header, &s->head);
	if (!rule)
		return XDP_DROP;
	if (!rule_drops(rule, s->walk.frame_bytes))
		return translate(xdp, s, &line->header);
	if (line->header.slots || !load_xdp(xdp, s, FILTER_LOOK_BYTES))
		sample(s, &line->header, rule->line);
	return XDP_DROP;
}

/* No helper is used that is for programs under the GPL only. */
char LICENSE[] SEC("license") = "MIT";
