#include "filter_lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int filter_grow(void *array, size_t bytes, size_t need, size_t *room)
{
	void **at = array;
	size_t wanted = *room ? *room : 64;
	void *more;

	if (need <= *room)
		return 0;
	while (wanted < need)
		wanted *= 2;
	more = reallocarray(*at, wanted, bytes);
	if (!more)
		return -ENOMEM;
	*at = more;
	*room = wanted;
	return 0;
}

int filter_lines_add(struct filter_lines *t, uint32_t count, uint32_t *at)
{
	if (filter_grow(&t->line, sizeof(*t->line), t->count + (size_t)count,
			&t->room))
		return -ENOMEM;
	memset(t->line + t->count, 0, count * sizeof(*t->line));
	*at = t->count;
	t->count += count;
	return 0;
}

/* Lines that are there once ------------------------------------------------ */

static uint64_t hash(const struct filter_line *lines, uint32_t count)
{
	uint64_t h = count;

	for (uint32_t i = 0; i < count; i++)
		for (int j = 0; j < 8; j++) {
			h = (h ^ lines[i].word[j]) * 0x9e3779b97f4a7c15;
			h ^= h >> 29;
		}
	return h;
}

/* The place of these lines in ->known, or a free one. */
static size_t find_place(const struct filter_lines *t,
			 const struct filter_line *lines, uint32_t count)
{
	const struct filter_known *k = &t->known;
	size_t i = hash(lines, count) & (k->room - 1);

	while (k->at[i] &&
	       (k->lines[i] != count ||
		memcmp(t->line + k->at[i], lines, count * sizeof(*lines))))
		i = (i + 1) & (k->room - 1);
	return i;
}

static int make_place(struct filter_lines *t)
{
	struct filter_known old = t->known, *k = &t->known;

	if (k->room > 2 * k->count)
		return 0;
	*k = (struct filter_known){ .count = old.count,
			     .room = old.room ? 2 * old.room : 1024 };
	k->at = calloc(k->room, sizeof(*k->at));
	k->lines = calloc(k->room, sizeof(*k->lines));
	if (!k->at || !k->lines) {
		free(k->at);
		free(k->lines);
		*k = old;
		return -ENOMEM;
	}
	for (size_t i = 0; i < old.room; i++) {
		size_t place;

		if (!old.at[i])
			continue;
		place = find_place(t, t->line + old.at[i],
				   old.lines[i]);
		k->at[place] = old.at[i];
		k->lines[place] = old.lines[i];
	}
	free(old.at);
	free(old.lines);
	return 0;
}

int filter_lines_intern(struct filter_lines *t, const struct filter_line *lines,
		  uint32_t count, uint32_t *at)
{
	size_t place;

	if (make_place(t))
		return -ENOMEM;
	place = find_place(t, lines, count);
	if (!t->known.at[place]) {
		if (filter_lines_add(t, count, &t->known.at[place]))
			return -ENOMEM;
		memcpy(t->line + t->known.at[place], lines,
		       count * sizeof(*lines));
		t->known.lines[place] = count;
		t->known.count++;
	}
	*at = t->known.at[place];
	return 0;
}

/* Trees --------------------------------------------------------------------- */

/* Put the keys in order into node @node and those below it. */
static const struct filter_key *fill(struct filter_line *nodes, uint32_t count,
			      uint32_t node, const struct filter_key *next,
			      const struct filter_key *end)
{
	struct filter_node *n;

	if (node >= count)
		return next;
	n = &nodes[node].node;
	for (uint32_t i = 0; i < FILTER_TREE_KEYS; i++) {
		next = fill(nodes, count,
			    node * (FILTER_TREE_KEYS + 1) + 1 + i, next, end);
		n->key[i] = next < end ? next->key : FILTER_KEY_NONE;
		n->value[i] = next < end ? next->value : 0;
		if (next < end)
			next++;
	}
	return fill(nodes, count,
		    node * (FILTER_TREE_KEYS + 1) + 1 + FILTER_TREE_KEYS, next,
		    end);
}

static int add_tree(struct filter_lines *t, const struct filter_key *keys,
		    size_t count, struct filter_root *root)
{
	uint32_t nodes = (uint32_t)((count + FILTER_TREE_KEYS - 1) /
				    FILTER_TREE_KEYS);
	uint32_t at;

	if (filter_lines_add(t, nodes, &at))
		return -ENOMEM;
	fill(t->line + at, nodes, 0, keys, keys + count);
	*root = (struct filter_root){ at, nodes };
	return 0;
}

/* Roots for half as many pieces as there are keys. */
static void choose_roots(const struct filter_key *keys, size_t count,
			 struct filter_index *index)
{
	uint64_t first = keys[count > 1].key, last = keys[count - 1].key;
	uint64_t most = 1;

	while (most < count / 2 && most < FILTER_ROOTS)
		most *= 2;
	index->base = first;
	index->shift = 0;
	while ((last - first) >> index->shift >= most)
		index->shift++;
	index->roots = (uint16_t)(((last - first) >> index->shift) + 1);
}

/*
 * The keys from @from up to @to, and one where that begins: it has what @root->at
 * says, what is left of the last key before. @piece has room for all.
 */
static int add_root(struct filter_lines *t, struct filter_key *piece,
		    const struct filter_key **next,
		    const struct filter_key *end, uint64_t from, uint64_t to,
		    struct filter_root *root)
{
	size_t n = 0;

	piece[n++] = (struct filter_key){ from, root->at };
	while (*next < end && (*next)->key < to) {
		if ((*next)->key == from)
			n = 0;
		piece[n++] = *(*next)++;
	}
	if (n == 1) {
		*root = (struct filter_root){ piece[0].value, 0 };
		return 0;
	}
	return add_tree(t, piece, n, root);
}

int filter_lines_add_index(struct filter_lines *t,
			   const struct filter_key *keys, size_t count,
			   struct filter_index *index)
{
	struct filter_key *piece = calloc(count + 1, sizeof(*piece));
	const struct filter_key *next = keys, *end = keys + count;
	uint32_t value = 0;
	int err = piece ? 0 : -ENOMEM;

	choose_roots(keys, count, index);
	if (!err)
		err = filter_lines_add(t, (index->roots + 7u) / 8, &index->at);
	for (uint64_t i = 0; !err && i < index->roots; i++) {
		struct filter_root root = { .at = value };
		uint64_t from = i ? index->base + (i << index->shift) : 0;
		uint64_t to = i + 1 < index->roots
				      ? index->base + ((i + 1) << index->shift)
				      : FILTER_KEY_NONE;

		err = add_root(t, piece, &next, end, from, to, &root);
		t->line[index->at + i / 8].root[i % 8] = root;
		if (next > keys)
			value = next[-1].value;
	}
	free(piece);
	return err;
}

void filter_lines_forget(struct filter_lines *t)
{
	free(t->known.at);
	free(t->known.lines);
	t->known = (struct filter_known){ 0 };
}
