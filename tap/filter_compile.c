#include "filter_compile.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "filter_compiler.h"

static int add_slot(struct compiler *c, enum filter_field field, uint64_t mask)
{
	for (uint32_t i = 0; i < c->slot_count; i++)
		if (c->slots[i].field == field && c->slots[i].mask == mask)
			return 0;
	if (c->slot_count == FILTER_SLOTS) {
		c->error = "too many kinds of MAC masks that are not prefixes";
		return -E2BIG;
	}
	c->slots[c->slot_count++] = (struct slot){ field, mask };
	return 0;
}

static int find_slots(struct compiler *c)
{
	int err = 0;

	c->slot_count = 0;
	for (uint32_t i = 0; i < c->member_count; i++) {
		const struct filter_entry *e = c->members[i].entry;

		for (uint32_t j = 0; !err && j < e->conditions; j++) {
			const struct filter_condition *condition =
				&c->rules->conditions[e->condition_at + j];

			err = add_slot(c, condition->field, condition->mask);
		}
	}
	/* One at least, to get a class from, if there are rules; and to look at
	 * frames at all, if they are to be translated. */
	if (!err && !c->slot_count &&
	    (c->member_count || c->rules->name_count || c->vacuous))
		err = add_slot(c, FIELD_SRC_MAC, UINT64_MAX);
	return err;
}

static int add_rule_line(struct compiler *c, enum filter_action action,
			 uint32_t line, uint32_t order, uint32_t *at)
{
	struct filter_rule *r;

	if (filter_lines_add(&c->lines, 1, at))
		return -ENOMEM;
	r = &c->lines.line[*at].rule;
	r->action = action;
	r->line = line;
	r->order = order;
	return 0;
}

/* The rules of a direction, each a line, and the default behind all. */
static int find_members(struct compiler *c)
{
	const struct filter_rules *rules = c->rules;
	uint32_t *rule_at = c->table->rule_at[c->direction];
	uint32_t n = rules->statement_count;

	c->member_count = 0;
	c->vacuous = false;
	for (uint32_t i = 0; i < n; i++) {
		const struct filter_statement *s = &rules->statements[i];
		struct filter_rule *r;

		if (!(s->directions & 1u << c->direction))
			continue;
		if (add_rule_line(c, s->action, s->line, i, &rule_at[i]))
			return -ENOMEM;
		r = &c->lines.line[rule_at[i]].rule;
		/* No frame can match it, but it is about what is in them. */
		c->vacuous |= !s->entries;
		r->rate = s->rate;
		r->burst_ns = s->burst_ns;
		for (uint32_t j = 0; j < s->entries; j++)
			c->members[c->member_count++] = (struct member){
				.entry = &rules->entries[s->entry_at + j],
				.rule_at = rule_at[i],
				.order = i,
				.counts = s->action == FILTER_COUNT,
			};
	}
	return add_rule_line(c, rules->default_action[c->direction],
			     rules->default_line[c->direction], UINT32_MAX,
			     &rule_at[n]);
}

static int add_blocks(struct compiler *c, struct filter_header *header)
{
	if (filter_lines_add(&c->lines, FILTER_BLOCKS / 16,
			     &header->blocks_at) ||
	    filter_lines_add(&c->lines,
			     c->blocks * (FILTER_BLOCK_BITS / 16),
			     &header->rule_of_at))
		return -ENOMEM;
	memcpy(c->lines.line[header->blocks_at].half, c->block_slots,
	       sizeof(c->block_slots));
	for (uint32_t i = 0; i < c->member_count; i++) {
		uint32_t bit = c->members[i].bit;

		c->lines.line[header->rule_of_at + bit / 16].half[bit % 16] =
			c->members[i].rule_at;
	}
	header->counting = c->counting;
	return 0;
}

static int by_key(const void *a, const void *b)
{
	const struct filter_key *x = a, *y = b;

	return x->key < y->key ? -1 : x->key > y->key;
}

static uint32_t name_from(const struct compiler *c, uint32_t i)
{
	const struct filter_name *n = &c->rules->names[i];

	return c->direction == FILTER_TO_HOST ? n->inner : n->outer;
}

static uint32_t name_to(const struct compiler *c, uint32_t i)
{
	const struct filter_name *n = &c->rules->names[i];

	return c->direction == FILTER_TO_HOST ? n->outer : n->inner;
}

/* Whoever looks an address up compares it with what it finds, so there is no need
 * for the ends of ranges. */
static int add_names(struct compiler *c, struct filter_index *index)
{
	uint32_t *name_at = c->table->name_at[c->direction];
	uint32_t n = c->rules->name_count;

	if (!n)
		return 0;
	if (filter_grow(&c->keys, sizeof(*c->keys), n + 1, &c->key_room))
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		struct filter_rule *r;

		if (add_rule_line(c, FILTER_TRANSLATE, c->rules->names[i].line,
				  0, &name_at[i]))
			return -ENOMEM;
		r = &c->lines.line[name_at[i]].rule;
		r->from = name_from(c, i);
		r->to = name_to(c, i);
		c->keys[i] = (struct filter_key){ r->from, name_at[i] };
	}
	qsort(c->keys, n, sizeof(*c->keys), by_key);
	return filter_lines_add_index(&c->lines, c->keys, n, index);
}

static int by_words(const void *a, const void *b)
{
	const struct compiled *x = a, *y = b;

	if (x->words_tenths != y->words_tenths)
		return x->words_tenths < y->words_tenths ? -1 : 1;
	return x->bit < y->bit ? -1 : 1;
}

/* Slots change places: those that leave fewest bits come first. */
static void sort_slots(struct compiler *c, struct compiled *compiled)
{
	qsort(compiled, c->slot_count, sizeof(*compiled), by_words);
	for (uint32_t i = 0; i < c->blocks; i++) {
		uint32_t old = c->block_slots[i], new = 0;

		for (uint32_t j = 0; j < c->slot_count; j++)
			new |= (old >> compiled[j].bit & 1) << j;
		c->block_slots[i] = new;
	}
}

static int compile_slots(struct compiler *c, struct filter_header *header)
{
	struct compiled compiled[FILTER_SLOTS] = { 0 };
	/* Behind tags, in any case, for what is to be translated. */
	bool behind_macs = c->rules->name_count || c->vacuous;
	int err = 0;

	header->further = c->vacuous;
	for (uint32_t i = 0; !err && i < c->slot_count; i++) {
		err = filter_compile_slot(c, &c->slots[i], &compiled[i]);
		behind_macs |= c->slots[i].field >= FIELD_ETHERTYPE;
		header->further |= c->slots[i].field >= FIELD_ARP;
	}
	if (!err && behind_macs)
		err = add_rule_line(c, FILTER_DROP, 0, UINT32_MAX,
				    &c->table->unseen_at[c->direction]);
	if (!err)
		err = filter_lines_add(&c->lines, (c->slot_count + 1) / 2,
				       &header->slots_at);
	if (err)
		return err;
	if (c->slot_count)
		sort_slots(c, compiled);
	for (uint32_t i = 0; i < c->slot_count; i++)
		c->lines.line[header->slots_at + i / 2].slot[i % 2] =
			compiled[i].slot;
	header->unseen_at = c->table->unseen_at[c->direction];
	header->slots = c->slot_count;
	return 0;
}

static int compile_direction(struct compiler *c)
{
	struct filter_header header = { 0 };
	int err = find_members(c);

	if (!err)
		err = find_slots(c);
	if (!err)
		err = filter_make_groups(c);
	if (err)
		return err;
	err = compile_slots(c, &header);
	if (!err)
		err = add_blocks(c, &header);
	if (!err)
		err = add_names(c, &header.names);
	if (err)
		return err;
	header.default_at = c->table->rule_at[c->direction]
					     [c->rules->statement_count];
	c->lines.line[c->direction].header = header;
	return 0;
}

static int allocate(struct compiler *c)
{
	const struct filter_rules *r = c->rules;
	uint32_t headers;

	c->members = calloc((size_t)r->entry_count + 1, sizeof(*c->members));
	for (int d = 0; d < FILTER_DIRECTIONS; d++) {
		c->table->rule_at[d] = calloc((size_t)r->statement_count + 1,
					      sizeof(uint32_t));
		c->table->name_at[d] =
			calloc((size_t)r->name_count + 1, sizeof(uint32_t));
		if (!c->table->rule_at[d] || !c->table->name_at[d])
			return -ENOMEM;
	}
	if (!c->members)
		return -ENOMEM;
	return filter_lines_add(&c->lines, FILTER_DIRECTIONS, &headers);
}

struct filter_table *filter_compile(const struct filter_rules *rules,
				    const char **error)
{
	struct compiler *c = calloc(1, sizeof(*c));
	struct filter_table *table = calloc(1, sizeof(*table));
	int err = -ENOMEM;

	*error = "out of memory";
	if (c && table) {
		c->rules = rules;
		c->table = table;
		err = allocate(c);
		for (int d = 0; !err && d < FILTER_DIRECTIONS; d++) {
			c->direction = (enum filter_direction)d;
			err = compile_direction(c);
		}
		if (c->error)
			*error = c->error;
		table->lines = c->lines.line;
		table->count = c->lines.count;
		free(c->members);
		filter_lines_forget(&c->lines);
		free(c->edges);
		free(c->keys);
	}
	free(c);
	if (!err)
		return table;
	filter_table_free(table);
	return NULL;
}

void filter_table_free(struct filter_table *table)
{
	if (!table)
		return;
	for (int d = 0; d < FILTER_DIRECTIONS; d++) {
		free(table->rule_at[d]);
		free(table->name_at[d]);
	}
	free(table->lines);
	free(table);
}
