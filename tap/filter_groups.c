#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "filter_compiler.h"

const struct filter_condition *
filter_find_condition(const struct compiler *c, uint32_t member,
		      const struct slot *slot)
{
	const struct filter_entry *e = c->members[member].entry;

	for (uint32_t i = 0; i < e->conditions; i++) {
		const struct filter_condition *found =
			&c->rules->conditions[e->condition_at + i];

		if (found->field == slot->field && found->mask == slot->mask)
			return found;
	}
	return NULL;
}

/* The slots that the entry looks at: bits. */
static uint32_t find_slots_of(const struct compiler *c, uint32_t member)
{
	uint32_t found = 0;

	for (uint32_t i = 0; i < c->slot_count; i++)
		if (filter_find_condition(c, member, &c->slots[i]))
			found |= 1u << i;
	return found;
}

/* Entries of one rule are in one group, next to each other. */
static void find_groups(struct compiler *c)
{
	uint32_t first = 0;

	for (uint32_t i = 0; i < c->member_count; i++) {
		struct member *m = &c->members[i];

		if (m->order != c->members[first].order)
			first = i;
		m->looks_at = find_slots_of(c, i);
		c->members[first].group |= m->looks_at;
	}
	for (uint32_t i = 1; i < c->member_count; i++)
		if (c->members[i].order == c->members[i - 1].order)
			c->members[i].group = c->members[i - 1].group;
}

static const struct filter_range *ranges_of(const struct compiler *c,
					    const struct filter_condition *x)
{
	return &c->rules->ranges[x->range_at];
}

/* By how much the conditions of a group on a slot overlap: how many hold at a
 * number, on average. */
static double overlap(const struct compiler *c, uint32_t from, uint32_t to,
		      const struct slot *slot)
{
	uint64_t low = UINT64_MAX, high = 0;
	double sum = 0;

	for (uint32_t i = from; i < to; i++) {
		const struct filter_condition *x = filter_find_condition(c, i, slot);

		for (uint32_t j = 0; x && j < x->ranges; j++) {
			const struct filter_range *r = &ranges_of(c, x)[j];

			low = r->first < low ? r->first : low;
			high = r->last > high ? r->last : high;
			sum += (double)(r->last - r->first) + 1;
		}
	}
	return high >= low ? sum / ((double)(high - low) + 1) : 0;
}

/*
 * Where on the slot that tells most each member of a group is, so that what
 * matches a frame lies in few blocks. Within a block, order is by rule.
 */
static void find_places(struct compiler *c, uint32_t from, uint32_t to)
{
	const struct slot *best = NULL;
	double least = 0;

	for (uint32_t i = 0; i < c->slot_count; i++)
		if (c->members[from].looks_at & 1u << i) {
			double here = overlap(c, from, to, &c->slots[i]);

			if (!best || here < least) {
				best = &c->slots[i];
				least = here;
			}
		}
	for (uint32_t i = from; best && i < to; i++) {
		const struct filter_condition *x = filter_find_condition(c, i, best);

		c->members[i].place =
			x && x->ranges ? ranges_of(c, x)->first : 0;
	}
}

static int by_group(const void *a, const void *b)
{
	const struct member *x = a, *y = b;

	if (x->counts != y->counts)
		return x->counts - y->counts;
	if (x->group != y->group)
		return x->group < y->group ? -1 : 1;
	if (x->place != y->place)
		return x->place < y->place ? -1 : 1;
	if (x->order != y->order)
		return x->order < y->order ? -1 : 1;
	return x->entry < y->entry ? -1 : 1;
}

static int by_order(const void *a, const void *b)
{
	const struct member *x = a, *y = b;

	if (x->order != y->order)
		return x->order < y->order ? -1 : 1;
	return x->entry < y->entry ? -1 : 1;
}

/* The end of the group that begins with member @i. */
static uint32_t group_end(const struct compiler *c, uint32_t i)
{
	const struct member *first = &c->members[i];

	while (i < c->member_count && c->members[i].group == first->group &&
	       c->members[i].counts == first->counts)
		i++;
	return i;
}

/* Bits for the members of one group, from block *@block on. */
static void give_bits_to(struct compiler *c, uint32_t from, uint32_t to,
			 uint32_t *block)
{
	struct member *m = c->members;

	/* `count` rules stay in order: those with several bits have them next
	 * to each other. */
	if (!m[from].counts)
		find_places(c, from, to);
	qsort(m + from, to - from, sizeof(*m), by_group);
	while (from < to) {
		uint32_t n = to - from < FILTER_BLOCK_BITS ? to - from
							   : FILTER_BLOCK_BITS;

		qsort(m + from, n, sizeof(*m), by_order);
		for (uint32_t i = 0; i < n; i++)
			m[from + i].bit = *block * FILTER_BLOCK_BITS + i;
		from += n;
		++*block;
	}
}

/* Give each entry its bit, each group blocks of its own. Returns how many. */
static uint32_t give_bits(struct compiler *c)
{
	uint32_t blocks = 0, to;

	if (c->member_count)
		qsort(c->members, c->member_count, sizeof(*c->members),
		      by_group);
	for (uint32_t i = 0; i < c->member_count; i = to) {
		to = group_end(c, i);
		give_bits_to(c, i, to, &blocks);
	}
	return blocks;
}

/* Which blocks count, and what their rules look at. */
static void describe_blocks(struct compiler *c)
{
	c->counting = 0;
	memset(c->block_slots, 0, sizeof(c->block_slots));
	for (uint32_t i = 0; i < c->member_count; i++) {
		const struct member *m = &c->members[i];
		uint32_t block = m->bit / FILTER_BLOCK_BITS;

		if (m->counts)
			c->counting |= (uint64_t)1 << block;
		/* Who looks at nothing matches whatever is looked at. */
		c->block_slots[block] |= m->looks_at ? m->looks_at : 1;
	}
}

int filter_make_groups(struct compiler *c)
{
	find_groups(c);
	c->blocks = give_bits(c);
	if (c->blocks > FILTER_BLOCKS) {
		/* More groups than blocks can be had: one, which is slower. */
		for (uint32_t i = 0; i < c->member_count; i++) {
			c->members[i].group = 0;
			c->members[i].place = 0;
		}
		c->blocks = give_bits(c);
	}
	if (c->blocks > FILTER_BLOCKS) {
		c->error = "too many rules for one direction";
		return -E2BIG;
	}
	describe_blocks(c);
	return 0;
}
