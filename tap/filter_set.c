#include "filter_set.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void filter_set_free(struct filter_set *set)
{
	filter_rules_free(set->rules);
	filter_table_free(set->table);
	*set = (struct filter_set){ NULL, NULL };
}

int filter_set_compile(const char *path, const char *tap, const char *text,
		       size_t bytes, struct filter_set *set, char *why,
		       size_t why_bytes)
{
	const char *error;

	*set = (struct filter_set){ NULL, NULL };
	set->rules = filter_rules_parse(path, text, bytes, why, why_bytes);
	if (!set->rules)
		return -EINVAL;
	set->table = filter_compile(set->rules, &error);
	if (set->table)
		return 0;
	snprintf(why, why_bytes, "tap %s: rules: %s: %s", tap, path, error);
	filter_set_free(set);
	return -E2BIG;
}

/* Counters ------------------------------------------------------------------ */

/* A rule's line in one direction, with what it says, to find it again. */
struct known_rule {
	const char *text;
	uint32_t order, at;
};

static int by_text(const void *a, const void *b)
{
	const struct known_rule *x = a, *y = b;
	int order = strcmp(x->text, y->text);

	return order ? order : x->order < y->order ? -1 : x->order > y->order;
}

/* A default that has changed is another rule. */
static const char *default_key(const struct filter_rules *r, int direction)
{
	return r->default_action[direction] == FILTER_DROP ? "default drop"
							   : "default accept";
}

/* All rules and translations of a set in a direction, sorted by text. */
static struct known_rule *list_rules(const struct filter_set *set, int direction,
				     size_t *count)
{
	const struct filter_rules *r = set->rules;
	struct known_rule *list = calloc(
		(size_t)r->statement_count + r->name_count + 1, sizeof(*list));
	size_t n = 0;

	if (!list)
		return NULL;
	for (uint32_t i = 0; i <= r->statement_count; i++)
		if (set->table->rule_at[direction][i])
			list[n++] = (struct known_rule){
				i < r->statement_count
					? r->statements[i].text
					: default_key(r, direction),
				i, set->table->rule_at[direction][i]
			};
	for (uint32_t i = 0; i < r->name_count; i++)
		list[n++] = (struct known_rule){
			r->names[i].text, i, set->table->name_at[direction][i]
		};
	qsort(list, n, sizeof(*list), by_text);
	*count = n;
	return list;
}

static void add_counters(struct filter_rule *to, const struct filter_rule *from)
{
	__atomic_fetch_add(&to->frames, from->frames, __ATOMIC_RELAXED);
	__atomic_fetch_add(&to->bytes, from->bytes, __ATOMIC_RELAXED);
	__atomic_fetch_add(&to->over, from->over, __ATOMIC_RELAXED);
	/* Or else a reload would be a new burst; an update more or less does
	 * not matter. */
	if (to->full_ns < from->full_ns)
		to->full_ns = from->full_ns;
}

/* Walk both lists at once; the n-th of a text goes to the n-th. */
void filter_set_carry_over(const struct filter_line *old,
			   const struct filter_set *old_set,
			   struct filter_line *new,
			   const struct filter_set *new_set, int direction)
{
	size_t olds = 0, news = 0, i = 0, j = 0;
	struct known_rule *from = list_rules(old_set, direction, &olds);
	struct known_rule *to = list_rules(new_set, direction, &news);

	while (from && to && i < olds && j < news) {
		int order = strcmp(from[i].text, to[j].text);

		if (!order)
			add_counters(&new[to[j].at].rule, &old[from[i].at].rule);
		i += order <= 0;
		j += order >= 0;
	}
	free(from);
	free(to);
}

bool filter_set_same_names(const struct filter_set *one,
			   const struct filter_set *other)
{
	const struct filter_rules *a = one->rules, *b = other->rules;

	if (a->name_count != b->name_count)
		return false;
	for (uint32_t i = 0; i < a->name_count; i++)
		if (a->names[i].inner != b->names[i].inner ||
		    a->names[i].outer != b->names[i].outer)
			return false;
	return true;
}
