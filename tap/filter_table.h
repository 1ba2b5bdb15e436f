/*
 * What a rule file is compiled to: an array of 64-byte lines, read by the
 * built-in BPF programs (filter.bpf.c) and by ourselves. One line is one cache
 * line and one element of a BPF array map, so that memory is bounded, can be
 * had in advance, and is written through a mapping without any privilege.
 *
 * How a frame is judged. Every matched field is a number, every condition a
 * set of ranges of it. The ends of all ranges cut a field into intervals; in
 * each the same rules can match, a bit for each: the interval's class. A frame
 * takes one look-up a field, and the bits of all fields are ANDed. Bits are kept
 * in blocks of 512, equal blocks once, with a summary of which are not empty:
 * what is looked at are the blocks where every field has something. Rules that
 * look at the same fields are in blocks of their own, or else every rule on
 * another field would be something; and rules that match the same frames are in
 * as few blocks as can be. In a block bits are in the order of the rules: the
 * first is the block's, and the first of all blocks is the frame's.
 *
 * Cost: a look-up for each field in use, each two to eight lines, the logarithm
 * of how many intervals there are, whatever the rules are: prefixes, addresses,
 * ranges of ports. (The kernel's LPM tries and hash maps do not do ranges, and
 * say what is longest, not what is first.) It does grow with the number of rules
 * where a frame matches many `count` rules, each a step; and where many rules of
 * the same fields agree with a frame, each in some of them: at worst all of their
 * blocks are looked at, 512 rules a step.
 *
 * All places are numbers of lines from the beginning of the set they are in.
 * Everything here compiles for BPF as well.
 */
#ifndef FILTER_TABLE_H
#define FILTER_TABLE_H

#include <linux/types.h>

/*
 * What a program of another version may go on with: to be changed whenever one
 * would misunderstand what the other has written, here or in filter_kept.h, or
 * would compile the same rules to other places (filter_compile.c).
 */
enum { FILTER_FORMAT = 1 };

enum filter_direction {
	FILTER_TO_HOST,	  /* from the switch into the tap */
	FILTER_TO_GUESTS, /* from the tap into the switch */
	FILTER_DIRECTIONS,
};

/* Fields, and what they are in frames that have none: a number that no value
 * has. An IPv6 address is three fields, so that all numbers are below 2^62. */
enum filter_field {
	FIELD_SRC_MAC,
	FIELD_DST_MAC,
	FIELD_ETHERTYPE, /* behind the tags; or the length of an 802.3 frame */
	FIELD_VLAN,	 /* of the first tag; FIELD_NO_VLAN */
	FIELD_ARP,	 /* operation; FIELD_NO_ARP */
	FIELD_ARP_SENDER,
	FIELD_ARP_TARGET,
	FIELD_ARP_SENDER_MAC,
	FIELD_ARP_TARGET_MAC,
	FIELD_SRC4,
	FIELD_DST4,
	FIELD_SRC6,
	FIELD_SRC6_MIDDLE,
	FIELD_SRC6_END,
	FIELD_DST6,
	FIELD_DST6_MIDDLE,
	FIELD_DST6_END,
	FIELD_PROTOCOL,	 /* FIELD_NO_BYTE: neither IPv4 nor IPv6 */
	FIELD_SRC_PORT,	 /* FIELD_NO_PORT */
	FIELD_DST_PORT,
	FIELD_TCP_FLAGS, /* FIELD_NO_BYTE */
	FIELD_ICMP_TYPE,
	FIELD_ICMPV6_TYPE,
	FIELD_COUNT,
};

#define FIELD_NO_VLAN 4096ULL
#define FIELD_NO_BYTE (1ULL << 8)
#define FIELD_NO_PORT (1ULL << 16)
#define FIELD_NO_ARP (1ULL << 16)
#define FIELD_NO_IPV4 (1ULL << 32)
#define FIELD_NO_MAC (1ULL << 48)
#define FIELD_NO_IPV6 (1ULL << 48) /* the first field; the others are 0 */

enum {
	/* Of an IPv6 address, in its three fields: bits. */
	FIELD_IPV6_BITS = 48,
	FIELD_IPV6_MIDDLE_BITS = 48,
	FIELD_IPV6_END_BITS = 32,

	/* MAC masks with holes get a field each. */
	FILTER_MASKS = 8,
	FILTER_SLOTS = 32, /* >= FIELD_COUNT + FILTER_MASKS */

	FILTER_SETS = 2, /* one of them in force */
	FILTER_RULES = 16384,
	FILTER_NAMES = 4096, /* translations */
	FILTER_BLOCK_BITS = 512,
	FILTER_BLOCKS = 64, /* bits of a summary */
	FILTER_CLASS_WORDS = 5,
	FILTER_NO_PLACE = 0xffff,
	/* A rule is one entry; one with a list of IPv6 prefixes several. */
	FILTER_ENTRIES = FILTER_BLOCKS * FILTER_BLOCK_BITS,
	/* Steps in counting one frame, each a `count` rule that it matches, or
	 * a block: BPF wants an end, and looks at every step beforehand. */
	FILTER_COUNT_STEPS = 1024,
	FILTER_TREE_KEYS = 5,
	FILTER_ROOTS = 8192,
	FILTER_TREE_DEPTH = 8, /* 6^8 nodes */

	/* What is looked at of a frame: the headers down to TCP's flags, with
	 * options; and to translate, those that an ICMP error quotes. */
	FILTER_LOOK_BYTES = 128,
	FILTER_MEND_BYTES = 192,

	/* The dropped frames that are reported. */
	FILTER_SAMPLE_BYTES = 64,
	FILTER_SAMPLES_PER_S = 100,
	FILTER_SAMPLES_AT_ONCE = 16,
};

enum filter_action {
	FILTER_ACCEPT,
	FILTER_DROP,
	FILTER_COUNT,
	FILTER_LIMIT_PACKETS,
	FILTER_LIMIT_BITS,
	FILTER_TRANSLATE,
	FILTER_ACTIONS,
};

/*
 * From a number to a value. It belongs to the root (number - base) >> shift, to
 * the first or last if there is none. That has a value, or a search tree, node
 * i's children being 6i + 1 to 6i + 6; keys are in order, those not in use are
 * FILTER_KEY_NONE, and a value belongs to the numbers from its key on.
 */
#define FILTER_KEY_NONE ((1ULL << 63) - 1)

struct filter_node {
	__u64 key[FILTER_TREE_KEYS];
	__u32 value[FILTER_TREE_KEYS];
	__u32 unused;
};

struct filter_root {
	__u32 at;    /* of the tree; or the value */
	__u32 nodes; /* 0: it is the value */
};

struct filter_index {
	__u64 base;
	__u32 at; /* of the roots, eight a line */
	__u16 roots, shift;
};

/* Lines 0 and 1 of a set: one a direction. */
struct filter_header {
	__u32 slots_at, slots; /* two a line */
	__u32 rule_of_at;      /* bit -> line of its rule, 16 a line */
	__u32 default_at;      /* the default's line */
	__u32 blocks_at; /* of each block, the slots its rules look at: bits */
	/* The line of what is done with frames of which not enough can be seen;
	 * 0: nobody looks further than MACs. */
	__u32 unseen_at;
	__u64 counting; /* blocks of `count` rules: bits */
	/* Address -> line of its translation, 0 if it has none. No roots: no
	 * translation at all. */
	struct filter_index names;
	__u64 sampled_ns; /* as filter_rule.full_ns, for the samples */
	__u32 further;	  /* somebody looks at what Ethernet carries */
	__u32 spare;
};

/* A field to look at: the index gives the line of the class. */
struct filter_slot {
	struct filter_index index;
	__u64 mask;
	__u32 field;
	__u32 unused;
};

/*
 * The bits of an interval. Behind a whole class are the lines of its blocks, 16
 * a line, 0 for an empty one. Most have only few bits that another has not, and
 * are one line: what that is, and the words that are different.
 */
struct filter_class {
	__u64 summary; /* blocks that are not empty: bits */
	__u64 word[FILTER_CLASS_WORDS];
	__u32 like;			   /* 0: a whole class */
	__u16 place[FILTER_CLASS_WORDS]; /* of the words; FILTER_NO_PLACE */
	__u16 unused;
};

/* A rule, or a translation, in one direction. */
struct filter_rule {
	__u32 action; /* enum filter_action */
	__u32 line;   /* of the file */
	union {
		__u64 rate; /* packets or bits a second */
		struct {
			__u32 from, to; /* IPv4 addresses */
		};
	};
	/* The limit as a bucket: when it would be full of what has passed, if
	 * that drained at the rate; and how far ahead of now that may be. */
	__u64 burst_ns;
	__u64 full_ns;
	__u64 frames, bytes;
	__u64 over; /* of the frames: dropped by the limit */
	__u32 order; /* among the rules */
	__u32 spare;
};

struct filter_line {
	union {
		struct filter_header header;
		struct filter_slot slot[2];
		struct filter_node node;
		struct filter_root root[8];
		struct filter_class class;
		struct filter_rule rule;
		__u64 word[8];
		__u32 half[16];
	};
};

_Static_assert(sizeof(struct filter_line) == 64, "a cache line");
_Static_assert(FILTER_SLOTS >= FIELD_COUNT + (int)FILTER_MASKS, "a slot each");

/* A dropped frame, as it comes through the ring buffer. */
struct filter_sample {
	__u64 ns; /* CLOCK_MONOTONIC */
	__u32 line;
	__u32 frame_bytes;
	__u8 direction;
	__u8 taken; /* of .frame */
	__u8 unused[6];
	__u8 frame[FILTER_SAMPLE_BYTES];
};

#endif
