/*
 * How a frame is judged by a table (filter_table.h): for BPF and for ourselves.
 * Who includes this has, before, `filter_set`, what names a set, and
 *
 *     static struct filter_line *line_at(filter_set set, __u32 at);
 *
 * which returns NULL if there is no such line; filter_now_ns(), the time;
 * FILTER_FUNCTION, what a function begins with that BPF's verifier is to see by
 * itself, once; and FILTER_WALK_COUNTS, whether rules count and limits are kept,
 * or are merely asked.
 */
#ifndef FILTER_WALK_H
#define FILTER_WALK_H

#include "filter_head.h"
#include "filter_table.h"

/* The value of @key in the tree of @nodes at line @at; 0 if there is none. */
FILTER_FUNCTION __u32 filter_search(filter_set set, __u32 at, __u32 nodes,
				  __u64 key)
{
	__u32 node = 0, found = 0;

	for (int depth = 0; depth < FILTER_TREE_DEPTH; depth++) {
		const struct filter_line *line = line_at(set, at + node);
		__u32 less = FILTER_TREE_KEYS;

		if (!line)
			return 0;
		/* No branches: how many keys are not above it. */
		for (int i = 0; i < FILTER_TREE_KEYS; i++)
			less -= (__u32)((key - line->node.key[i]) >> 63);
		if (less)
			found = line->node.value[(less - 1) % 8 < FILTER_TREE_KEYS
							 ? (less - 1) % 8 : 0];
		node = node * (FILTER_TREE_KEYS + 1) + 1 + less;
		if (node >= nodes)
			break;
	}
	return found;
}

static __always_inline __u32 filter_look_up(filter_set set,
					    const struct filter_index *index,
					    __u64 key)
{
	__u64 root = key < index->base ? 0 : (key - index->base) >> index->shift;
	__u32 last = (__u32)index->roots - 1;
	const struct filter_line *line;
	const struct filter_root *r;

	if (root > last)
		root = last;
	line = line_at(set, index->at + (__u32)root / 8);
	if (!line)
		return 0;
	r = &line->root[root % 8];
	return r->nodes ? filter_search(set, r->at, r->nodes, key) : r->at;
}

/* One frame on its way through the rules. */
struct filter_walk {
	filter_set set;
	__u32 direction;
	__u32 frame_bytes;
	__u32 slots;
	__u32 class_at[FILTER_SLOTS];
	__u64 blocks;  /* where every field has something: bits */
	__u64 left[16]; /* the bits of the block that is looked at: 8 words, and
			 * room for what is for no word */
	__u32 words;   /* of these, not empty: bits */
	/* in counting */
	__u32 bit;  /* the first of .bits */
	__u64 bits; /* of a word, still to be looked at */
	__u32 last_at;
	__u32 unused;
};

/* The number of the lowest bit of @bits, not 0: how many are below it. BPF has
 * no instruction for it, and clang 14 crashes over its builtin. */
static __always_inline __u32 lowest_bit(__u64 bits)
{
	__u64 n = ~bits & (bits - 1);

	n -= n >> 1 & 0x5555555555555555;
	n = (n & 0x3333333333333333) + (n >> 2 & 0x3333333333333333);
	n = (n + (n >> 4)) & 0x0f0f0f0f0f0f0f0f;
	return (__u32)(n * 0x0101010101010101 >> 56);
}

/*
 * Whether @units more fit into a bucket. Several processors may ask at once:
 * who loses the race tries again, and whoever loses it each time is over.
 */
static __always_inline int bucket_takes(__u64 *full_ns, __u64 now_ns,
					__u64 cost_ns, __u64 burst_ns)
{
	for (int tries = 0; tries < 8; tries++) {
		__u64 old = *(volatile __u64 *)full_ns;
		__u64 full = (old > now_ns ? old : now_ns) + cost_ns;

		if (full - now_ns > burst_ns)
			return 0;
		if (__sync_val_compare_and_swap(full_ns, old, full) == old)
			return 1;
	}
	return 0;
}

static __always_inline int within_limit(struct filter_rule *r, __u32 bytes)
{
	__u64 units = r->action == FILTER_LIMIT_BITS ? 8 * (__u64)bytes : 1;

	if (!r->rate) /* cannot be */
		return 0;
	return bucket_takes(&r->full_ns, filter_now_ns(),
			    units * 1000000000 / r->rate, r->burst_ns);
}

static __always_inline void count_frame(struct filter_rule *r, __u32 bytes)
{
	__sync_fetch_and_add(&r->frames, 1);
	__sync_fetch_and_add(&r->bytes, bytes);
}

/* Whether rule @r, which decides, drops a frame of @bytes. */
static __always_inline int rule_drops(struct filter_rule *r, __u32 bytes)
{
	if (FILTER_WALK_COUNTS)
		count_frame(r, bytes);
	if (r->action == FILTER_ACCEPT)
		return 0;
	if (r->action == FILTER_DROP || !FILTER_WALK_COUNTS)
		return r->action == FILTER_DROP;
	if (within_limit(r, bytes))
		return 0;
	__sync_fetch_and_add(&r->over, 1);
	return 1;
}

/* The block that a class has at @block, by itself or as the one that it is like;
 * NULL if it is empty. */
static __always_inline const struct filter_line *
block_of_class(filter_set set, __u32 class_at, const struct filter_class *class,
	       __u32 block)
{
	__u32 at = class->like ? class->like : class_at;
	const struct filter_line *line = line_at(set, at + 1 + block / 16);

	at = line ? line->half[block % 16] : 0;
	return at ? line_at(set, at) : 0;
}

/* Of numbers below 2^31. Without a branch, which BPF's verifier would follow both
 * ways each time; so the compiler must not know what it is. */
static __always_inline __u32 is_same(__u32 a, __u32 b)
{
	__u64 difference = a ^ b;

	__asm__("" : "+r"(difference));
	return (__u32)((difference - 1) >> 63);
}

/* The words of block @block that the first of a group's fields has, into ->left
 * and ->words: usually one or none. */
FILTER_FUNCTION int filter_first_words(struct filter_walk *w, __u32 class_at,
				       __u32 block)
{
	const struct filter_line *line, *own;
	__u32 words = 0;

	if (!w) /* cannot be, but BPF wants it asked */
		return 0;
	w->words = 0;
	own = line_at(w->set, class_at);
	if (!own)
		return 0;
	line = block_of_class(w->set, class_at, &own->class, block);
	if (line) {
		words = 0xff;
		for (int j = 0; j < 8; j++)
			w->left[j] = line->word[j];
	}
	for (int i = 0; i < FILTER_CLASS_WORDS; i++) {
		__u32 place = own->class.place[i];
		__u32 here = is_same(place / 8, block);
		__u64 to = place % 8 + (here ^ 1) * 8;

		/* Linux 6.1 has to be told what the compiler knows. */
		__asm__("" : "+r"(to));
		w->left[to & 15] = own->class.word[i];
		words |= here << place % 8;
	}
	w->words = words;
	return 0;
}

/* Of these, what another field has as well. */
FILTER_FUNCTION int filter_more_words(struct filter_walk *w, __u32 class_at,
				      __u32 block)
{
	const struct filter_line *line, *own;

	if (!w)
		return 0;
	own = line_at(w->set, class_at);
	if (!own) {
		w->words = 0;
		return 0;
	}
	line = block_of_class(w->set, class_at, &own->class, block);
	for (__u32 j = 0; j < 8; j++) {
		__u64 word = line ? line->word[j] : 0;

		if (!(w->words >> j & 1))
			continue;
		for (int i = 0; i < FILTER_CLASS_WORDS; i++) {
			__u64 here = 0 - (__u64)is_same(own->class.place[i],
							block * 8 + j);

			word = (word & ~here) | (own->class.word[i] & here);
		}
		w->left[j] &= word;
	}
	return 0;
}

/*
 * The bits of block @block: those that all of the fields in @slots have, which
 * are what its rules look at. Returns which words of them are not empty, and
 * leaves that in the walk.
 */
FILTER_FUNCTION __u32 filter_take_block(struct filter_walk *w, __u32 block,
					__u32 slots)
{
	__u32 words = 0;

	if (!w || !slots)
		return 0;
	block %= FILTER_BLOCKS;
	filter_first_words(w, w->class_at[lowest_bit(slots) % FILTER_SLOTS],
			   block);
	for (int i = 1; i < FILTER_SLOTS; i++) {
		slots &= slots - 1;
		if (!slots || !w->words)
			break;
		filter_more_words(w,
				  w->class_at[lowest_bit(slots) % FILTER_SLOTS],
				  block);
	}
	for (int j = 0; j < 8; j++)
		words |= (__u32)((w->left[j] | (0 - w->left[j])) >> 63) << j;
	w->words &= words;
	return w->words;
}

/* The line of the rule that has bit @bit; 0 if there is none. */
static __always_inline __u32 rule_of(const struct filter_walk *w,
				     const struct filter_header *header,
				     __u32 bit)
{
	const struct filter_line *line =
		line_at(w->set, header->rule_of_at + bit / 16);

	return line ? line->half[bit % 16] : 0;
}

/* Where the first rule that decides is: of the first of each block. */
static __always_inline __u32 find_decision(struct filter_walk *w,
					   const struct filter_header *header)
{
	__u64 blocks = w->blocks & ~header->counting;
	__u32 best_at = header->default_at;
	__u32 best_order = ~0U;

	for (int i = 0; i < FILTER_BLOCKS; i++) {
		const struct filter_line *line;
		__u32 block, words, word, at;

		if (!blocks)
			break;
		block = lowest_bit(blocks) % FILTER_BLOCKS;
		blocks &= blocks - 1;
		line = line_at(w->set, header->blocks_at + block / 16);
		if (!line)
			break;
		words = filter_take_block(w, block, line->half[block % 16]);
		if (!words)
			continue;
		word = lowest_bit(words) & 7;
		at = rule_of(w, header,
			     block * FILTER_BLOCK_BITS + word * 64 +
				     lowest_bit(w->left[word]));
		line = line_at(w->set, at);
		if (line && line->rule.order < best_order) {
			best_order = line->rule.order;
			best_at = at;
		}
	}
	return best_at;
}

/*
 * One step in counting: the next `count` rule that the frame matches before rule
 * @order, or the next block. Returns whether there are more.
 */
FILTER_FUNCTION int filter_count_step(struct filter_walk *w,
				      const struct filter_header *header,
				      __u32 order)
{
	struct filter_line *line;
	__u32 at;

	if (!w || !header) /* cannot be */
		return 0;
	if (!w->bits && !w->words) {
		__u32 block = lowest_bit(w->blocks) % FILTER_BLOCKS;

		if (!w->blocks)
			return 0;
		w->blocks &= w->blocks - 1;
		w->bit = block * FILTER_BLOCK_BITS;
		line = line_at(w->set, header->blocks_at + block / 16);
		if (line)
			filter_take_block(w, block, line->half[block % 16]);
		return line != 0;
	}
	if (!w->bits) {
		__u32 word = lowest_bit(w->words) & 7;

		w->words &= w->words - 1;
		w->bits = w->left[word];
		w->bit = w->bit / FILTER_BLOCK_BITS * FILTER_BLOCK_BITS +
			 word * 64;
	}
	at = rule_of(w, header, w->bit + lowest_bit(w->bits) % 64);
	w->bits &= w->bits - 1;
	line = line_at(w->set, at);
	/* A rule may have several bits, next to each other. */
	if (line && line->rule.order < order && at != w->last_at)
		count_frame(&line->rule, w->frame_bytes);
	w->last_at = at;
	return 1;
}

static __always_inline void count_rules(struct filter_walk *w,
					const struct filter_header *header,
					__u32 order)
{
	w->blocks &= header->counting;
	w->bits = w->words = w->last_at = 0;
	for (int i = 0; i < FILTER_COUNT_STEPS; i++)
		if (!filter_count_step(w, header, order))
			break;
}

/* The translation of IPv4 address @from; NULL if it has none. */
static __always_inline struct filter_rule *
find_name(filter_set set, const struct filter_index *names, __u32 from)
{
	__u32 at = filter_look_up(set, names, from);
	struct filter_line *line = at ? line_at(set, at) : 0;

	return line && line->rule.from == from ? &line->rule : 0;
}

/* A field that is an address as the host knows it, as the guests do. */
static __always_inline void name_for_guests(filter_set set,
					    const struct filter_index *names,
					    __u64 *field)
{
	const struct filter_rule *r;

	if (*field >= FIELD_NO_IPV4)
		return;
	r = find_name(set, names, (__u32)*field);
	if (r)
		*field = r->to;
}

/* The class of each field in use. Returns 0, or -1 if the table is broken. */
static __always_inline int find_classes(struct filter_walk *w,
					const struct filter_header *header,
					struct filter_head *h)
{
	__u32 slots_at = header->slots_at;

	w->slots = header->slots;
	w->blocks = ~0ULL;
	for (__u32 i = 0; i < FILTER_SLOTS; i++) {
		const struct filter_line *line;
		const struct filter_slot *slot;
		__u32 class_at;

		if (i >= w->slots)
			break;
		line = line_at(w->set, slots_at + i / 2);
		if (!line)
			return -1;
		slot = &line->slot[i % 2];
		class_at = filter_look_up(
			w->set, &slot->index,
			h->field[slot->field < FIELD_COUNT ? slot->field : 0] &
				slot->mask);
		line = line_at(w->set, class_at);
		if (!line)
			return -1;
		w->class_at[i] = class_at;
		w->blocks &= line->word[0];
	}
	return 0;
}

/*
 * The rule that decides on the frame in @h, whose bytes are there if the header
 * has slots; w->set, .direction and .frame_bytes are, too. NULL if the table is
 * broken.
 */
static __always_inline struct filter_rule *
filter_decide(struct filter_walk *w, const struct filter_header *header,
	      struct filter_head *h)
{
	__u32 at = header->default_at;
	struct filter_line *line;

	if (header->slots) {
		head_fields(h, header->further != 0);
		if (w->direction == FILTER_TO_GUESTS && header->names.roots &&
		    header->further) {
			name_for_guests(w->set, &header->names,
					&h->field[FIELD_SRC4]);
			name_for_guests(w->set, &header->names,
					&h->field[FIELD_DST4]);
			name_for_guests(w->set, &header->names,
					&h->field[FIELD_ARP_SENDER]);
			name_for_guests(w->set, &header->names,
					&h->field[FIELD_ARP_TARGET]);
		}
		if (find_classes(w, header, h))
			return 0;
		at = h->unseen && header->unseen_at ? header->unseen_at
						    : find_decision(w, header);
	}
	line = line_at(w->set, at);
	if (!line)
		return 0;
	if (FILTER_WALK_COUNTS && header->slots && w->blocks & header->counting)
		count_rules(w, header, line->rule.order);
	return &line->rule;
}

#endif
