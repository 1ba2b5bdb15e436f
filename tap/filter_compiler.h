/*
 * What the files that compile rules share: filter_compile.c, a direction at a
 * time; filter_groups.c, which bit each rule has; filter_classes.c, from the
 * ranges of a field to sets of these bits. For these only.
 */
#ifndef FILTER_COMPILER_H
#define FILTER_COMPILER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "filter_compile.h"
#include "filter_lines.h"

enum {
	BLOCK_WORDS = FILTER_BLOCK_BITS / 64,
};

/* An entry that a direction has. */
struct member {
	const struct filter_entry *entry;
	uint32_t rule_at;
	uint32_t order;
	uint32_t looks_at; /* slots: bits */
	uint32_t group;	   /* the same, or what stands for it */
	bool counts;
	uint64_t place; /* among its group */
	uint32_t bit;
};

/* Where the entry with bit @bit begins or ceases to match, on a field. */
struct edge {
	uint64_t at;
	uint32_t bit;
	bool begins;
};

/* A field to look at. */
struct slot {
	enum filter_field field;
	uint64_t mask;
};

/* A slot as it is in the table, where those come first that tell most. */
struct compiled {
	struct filter_slot slot;
	uint32_t bit;	       /* in .looks_at */
	uint64_t words_tenths; /* that a class has, on average */
};

struct compiler {
	const struct filter_rules *rules;
	struct filter_table *table;
	struct filter_lines lines;
	const char *error;
	/* Of the direction that is being compiled. */
	enum filter_direction direction;
	struct member *members;
	uint32_t member_count;
	bool vacuous; /* there is a rule without entries */
	uint32_t blocks;
	uint64_t counting;
	uint32_t block_slots[FILTER_BLOCKS]; /* what their rules look at: bits */
	struct slot slots[FILTER_SLOTS];
	uint32_t slot_count;
	/* Of the field. */
	struct edge *edges;
	size_t edge_count, edge_room;
	struct filter_key *keys;
	size_t key_count, key_room;
	uint64_t bits[FILTER_BLOCKS][BLOCK_WORDS];
	uint64_t rest[FILTER_BLOCKS][BLOCK_WORDS]; /* where no range is */
	uint32_t rest_at;			   /* and that class */
	uint64_t differing; /* words of all classes that are not the rest's */
	bool changed[FILTER_BLOCKS]; /* .differs is to be found out */
	bool differs[FILTER_BLOCKS]; /* from .rest */
	bool moved[FILTER_BLOCKS];   /* .block_at is to be found out */
	uint32_t block_at[FILTER_BLOCKS]; /* 0: empty */
};

/* The condition that entry @member has on @slot; NULL if none. */
const struct filter_condition *
filter_find_condition(const struct compiler *c, uint32_t member,
		      const struct slot *slot);

/*
 * filter_groups.c: give each member its bit, so that those that look at the same
 * are in blocks of their own. Returns 0 or -errno, with c->error if it is the
 * rules' fault.
 */
int filter_make_groups(struct compiler *c);

/* filter_classes.c: the slot as it is in the table. Returns 0 or -ENOMEM. */
int filter_compile_slot(struct compiler *c, const struct slot *slot,
			struct compiled *compiled);

#endif
