#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "filter_compiler.h"

enum {
	CLASS_LINES = 5,
	MANY_WORDS = 64, /* stands for more than a class can list */
};

_Static_assert(FILTER_BLOCKS <= (CLASS_LINES - 1) * 16,
	       "a class has room for all its blocks");

static int add_key(struct compiler *c, uint64_t key, uint32_t value)
{
	if (c->key_count && c->keys[c->key_count - 1].value == value)
		return 0;
	if (filter_grow(&c->keys, sizeof(*c->keys), c->key_count + 1,
			&c->key_room))
		return -ENOMEM;
	c->keys[c->key_count++] = (struct filter_key){ key, value };
	return 0;
}

static int add_edges(struct compiler *c, uint32_t bit,
		     const struct filter_condition *condition)
{
	if (filter_grow(&c->edges, sizeof(*c->edges),
		 c->edge_count + 2 * (size_t)condition->ranges, &c->edge_room))
		return -ENOMEM;
	for (uint32_t i = 0; i < condition->ranges; i++) {
		const struct filter_range *r =
			&c->rules->ranges[condition->range_at + i];

		c->edges[c->edge_count++] =
			(struct edge){ r->first, bit, true };
		c->edges[c->edge_count++] =
			(struct edge){ r->last + 1, bit, false };
	}
	return 0;
}

static void set_bit(struct compiler *c, uint32_t bit, bool on)
{
	uint32_t block = bit / FILTER_BLOCK_BITS;
	uint64_t *word = &c->bits[block][bit / 64 % BLOCK_WORDS];
	uint64_t mask = (uint64_t)1 << bit % 64;

	*word = on ? *word | mask : *word & ~mask;
	c->changed[block] = true;
}

static int by_place(const void *a, const void *b)
{
	const struct edge *x = a, *y = b;

	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	/* A range that ends where the next of the same entry begins. */
	return x->begins - y->begins;
}

static bool is_empty(const uint64_t *block)
{
	uint64_t any = 0;

	for (int i = 0; i < BLOCK_WORDS; i++)
		any |= block[i];
	return !any;
}

static void compare_blocks(struct compiler *c)
{
	for (uint32_t i = 0; i < c->blocks; i++) {
		if (!c->changed[i])
			continue;
		c->differs[i] = memcmp(c->bits[i], c->rest[i],
				       sizeof(c->bits[i])) != 0;
		c->changed[i] = false;
		c->moved[i] = true;
	}
}

static uint64_t summarize(const struct compiler *c)
{
	uint64_t summary = 0;

	for (uint32_t i = 0; i < c->blocks; i++)
		if (!is_empty(c->bits[i]))
			summary |= (uint64_t)1 << i;
	return summary;
}

/* The class of the bits as they are, all of it. */
static int add_whole_class(struct compiler *c, uint32_t *at)
{
	struct filter_line lines[CLASS_LINES] = { 0 };

	for (uint32_t i = 0; i < c->blocks; i++) {
		struct filter_line block;

		if (c->moved[i] && is_empty(c->bits[i])) {
			c->block_at[i] = 0;
		} else if (c->moved[i]) {
			memcpy(block.word, c->bits[i], sizeof(block.word));
			if (filter_lines_intern(&c->lines, &block, 1,
						&c->block_at[i]))
				return -ENOMEM;
		}
		c->moved[i] = false;
		lines[1 + i / 16].half[i % 16] = c->block_at[i];
	}
	lines[0].class.summary = summarize(c);
	memset(lines[0].class.place, 0xff, sizeof(lines[0].class.place));
	return filter_lines_intern(&c->lines, lines,
				   1 + (c->blocks + 15) / 16, at);
}

/* The words in which the bits are not the rest's. False if they are too many. */
static bool list_differences(const struct compiler *c,
			     struct filter_class *class)
{
	size_t n = 0;

	for (uint32_t i = 0; i < c->blocks * BLOCK_WORDS; i++) {
		uint32_t block = i / BLOCK_WORDS, word = i % BLOCK_WORDS;

		if (!c->differs[block]) {
			i += BLOCK_WORDS - 1;
		} else if (c->bits[block][word] != c->rest[block][word]) {
			if (n == FILTER_CLASS_WORDS)
				return false;
			class->word[n] = c->bits[block][word];
			class->place[n++] = (uint16_t)i;
		}
	}
	while (n < FILTER_CLASS_WORDS)
		class->place[n++] = FILTER_NO_PLACE;
	return true;
}

/* The interval from @from on belongs to the class of the bits as they are. */
static int add_class(struct compiler *c, uint64_t from)
{
	struct filter_line line = { .class = { .like = c->rest_at } };
	uint32_t at;
	int err;

	compare_blocks(c);
	if (list_differences(c, &line.class)) {
		for (int i = 0; i < FILTER_CLASS_WORDS; i++)
			c->differing += line.class.place[i] != FILTER_NO_PLACE;
		line.class.summary = summarize(c);
		err = filter_lines_intern(&c->lines, &line, 1, &at);
	} else {
		c->differing += MANY_WORDS;
		err = add_whole_class(c, &at);
	}
	return err ? err : add_key(c, from, at);
}

static int sweep(struct compiler *c)
{
	uint64_t at = 0;
	int err;

	if (c->edge_count)
		qsort(c->edges, c->edge_count, sizeof(*c->edges), by_place);
	c->key_count = 0;
	for (size_t i = 0; i < c->edge_count; i++) {
		const struct edge *e = &c->edges[i];

		if (e->at != at) {
			err = add_class(c, at);
			if (err)
				return err;
			at = e->at;
		}
		set_bit(c, e->bit, e->begins);
	}
	return add_class(c, at);
}

int filter_compile_slot(struct compiler *c, const struct slot *slot,
			struct compiled *compiled)
{
	struct filter_slot *to = &compiled->slot;
	int err = 0;

	memset(c->bits, 0, sizeof(c->bits));
	memset(c->differs, false, sizeof(c->differs));
	memset(c->moved, true, sizeof(c->moved));
	c->edge_count = 0;
	c->differing = 0;
	for (uint32_t i = 0; !err && i < c->member_count; i++) {
		const struct filter_condition *found =
			filter_find_condition(c, i, slot);

		if (found)
			err = add_edges(c, c->members[i].bit, found);
		else
			set_bit(c, c->members[i].bit, true);
	}
	memcpy(c->rest, c->bits, sizeof(c->rest));
	memset(c->changed, false, sizeof(c->changed));
	if (!err)
		err = add_whole_class(c, &c->rest_at);
	if (!err)
		err = sweep(c);
	to->field = slot->field;
	to->mask = slot->mask;
	compiled->bit = (uint32_t)(slot - c->slots);
	compiled->words_tenths = c->key_count
					 ? 10 * c->differing / c->key_count
					 : 0;
	return err ? err
		   : filter_lines_add_index(&c->lines, c->keys, c->key_count,
					    &to->index);
}
