#include "filter_builtin.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "filter.h"
#include "filter_builtin_load.h"
#include "filter_file.h"
#include "filter_kept.h"
#include "filter_memory.h"
#include "filter_set.h"

struct filter_builtin {
	const char *path, *tap;
	struct filter_memory memory;
	struct filter_kept *kept;
	/* That is in force. Of one that has been imported it is read when it is
	 * wanted: many rules take their time, and frames do not need it. */
	struct filter_set set;
};

/* Rule files --------------------------------------------------------------- */

/* Read @set from the file; and its text, which is the caller's. */
static int read_set(const struct filter_builtin *b, int fd,
		    struct filter_set *set, char **text, size_t *bytes,
		    char *why, size_t why_bytes)
{
	char reason[256];
	int err;

	*text = fd < 0 ? filter_file_read(b->path, FILTER_FILE_BYTES_MAX, bytes,
					  reason, sizeof(reason))
		       : filter_file_read_from(fd, FILTER_FILE_BYTES_MAX, bytes,
					       reason, sizeof(reason));
	if (!*text) {
		snprintf(why, why_bytes, "tap %s: rules: %s: %s", b->tap,
			 b->path, reason);
		return -EINVAL;
	}
	err = filter_set_compile(b->path, b->tap, *text, *bytes, set, why,
				 why_bytes);
	if (err)
		free(*text);
	return err;
}

/* Returns 0, or -errno: there is no memory. */
static int want_set(struct filter_builtin *b)
{
	unsigned which = filter_memory_set(&b->memory);
	char ignored[FILTER_WHY_BYTES];
	int err;

	if (b->set.rules)
		return 0;
	err = filter_set_compile(b->path, b->tap,
				 filter_kept_text(b->kept, which),
				 b->kept->text[which].bytes, &b->set, ignored,
				 sizeof(ignored));
	if (!err && b->set.table->count > b->memory.room) {
		filter_set_free(&b->set);
		err = -EINVAL;
	}
	return err;
}

static void write_set(struct filter_builtin *b, unsigned which,
		      const struct filter_set *set, const char *text,
		      size_t bytes)
{
	memcpy(filter_kept_text(b->kept, which), text, bytes);
	b->kept->text[which].bytes = bytes;
	b->kept->text[which].rules = set->rules->statement_count;
	b->kept->text[which].names = set->rules->name_count;
	memcpy(filter_memory_lines(&b->memory, which), set->table->lines,
	       set->table->count * sizeof(*set->table->lines));
}

/* Whether @set can take the place of the one that is in force. */
static int check_set(const struct filter_builtin *b,
		     const struct filter_set *set, char *why, size_t why_bytes)
{
	if (set->table->count > b->memory.room) {
		snprintf(why, why_bytes,
			 "tap %s: rules: %s: too large for the room made at start (%u of %u KiB): start the switch anew",
			 b->tap, b->path, set->table->count / 16,
			 b->memory.room / 16);
		return -E2BIG;
	}
	if (filter_memory_can_change())
		return 0;
	snprintf(why, why_bytes,
		 "tap %s: rules: cannot be replaced: membarrier(2) is not permitted here",
		 b->tap);
	return -EPERM;
}

/* From the set in force to @set. */
static void replace_set(struct filter_builtin *b, struct filter_set *set,
			const char *text, size_t bytes)
{
	unsigned old = filter_memory_set(&b->memory), new = !old;

	write_set(b, new, set, text, bytes);
	filter_memory_put_in_force(&b->memory, new);
	for (int d = 0; d < FILTER_DIRECTIONS; d++)
		filter_set_carry_over(filter_memory_lines(&b->memory, old),
				      &b->set,
				      filter_memory_lines(&b->memory, new), set,
				      d);
	filter_set_free(&b->set);
	b->set = *set;
	/* They name lines of the file that was. */
	filter_builtin_take_samples(b);
	b->kept->sample_count = 0;
}

int filter_builtin_reload(struct filter_builtin *b, int fd,
			  uint64_t judge_again_until_ms, char *why,
			  size_t why_bytes)
{
	struct filter_set set;
	size_t bytes;
	char *text;
	int err = read_set(b, fd, &set, &text, &bytes, why, why_bytes);

	if (err)
		return err;
	err = check_set(b, &set, why, why_bytes);
	if (!err && want_set(b)) {
		snprintf(why, why_bytes, "tap %s: rules: out of memory",
			 b->tap);
		err = -ENOMEM;
	}
	if (err) {
		filter_set_free(&set);
	} else {
		if (!filter_set_same_names(&b->set, &set))
			b->kept->judge_again_until_ms = judge_again_until_ms;
		replace_set(b, &set, text, bytes);
	}
	free(text);
	return err;
}

struct filter_view filter_builtin_view(const struct filter_builtin *b)
{
	return (struct filter_view){
		filter_memory_lines(&b->memory, filter_memory_set(&b->memory)),
		b->memory.room
	};
}

uint32_t filter_builtin_rules(const struct filter_builtin *b)
{
	return b->kept->text[filter_memory_set(&b->memory)].rules;
}

uint32_t filter_builtin_names(const struct filter_builtin *b)
{
	return b->kept->text[filter_memory_set(&b->memory)].names;
}

static const char default_text[] = "default", not_seen[] = "not seen";

/* Samples ------------------------------------------------------------------- */

static void take_sample(void *context, const struct filter_sample *s)
{
	struct filter_kept *k = context;

	k->samples[k->sample_count++ % FILTER_LAST_SAMPLES] = *s;
}

int filter_builtin_samples_fd(const struct filter_builtin *b)
{
	return b->memory.fd[FILTER_MAP_SAMPLES];
}

void filter_builtin_take_samples(struct filter_builtin *b)
{
	filter_memory_take_samples(&b->memory, take_sample, b->kept);
}

/* Place 0 of the table is no rule. */
static void visit_rule(const struct filter_builtin *b, uint32_t at,
		       int direction, const char *text,
		       const struct filter_visitor *v)
{
	struct filter_view view = filter_builtin_view(b);
	const struct filter_rule *r = &view.lines[at].rule;

	if (at && r->frames)
		v->count(v->context,
			 &(struct filter_count){
				 .direction = filter_direction_names[direction],
				 .action = filter_action_names[r->action],
				 .text = text,
				 .line = r->line,
				 .limits = r->action == FILTER_LIMIT_PACKETS ||
					   r->action == FILTER_LIMIT_BITS,
				 .frames = r->frames,
				 .bytes = r->bytes,
				 .over = r->over,
			 });
}

static void visit_sample(const struct filter_sample *s, int64_t now_ns,
			 const struct filter_visitor *v)
{
	int64_t age_ms = (now_ns - (int64_t)s->ns) / 1000000;
	const struct filter_lost lost = {
		.direction = filter_direction_names[s->direction],
		.line = s->line,
		.age_ms = age_ms > 0 ? age_ms : 0,
		.bytes = s->frame_bytes,
		.frame = s->frame,
		.taken = s->taken < FILTER_SAMPLE_BYTES ? s->taken
							: FILTER_SAMPLE_BYTES,
	};

	v->lost(v->context, &lost);
}

static void visit_rules(const struct filter_builtin *b, int d,
			const struct filter_visitor *v)
{
	const struct filter_rules *r = b->set.rules;
	const struct filter_table *t = b->set.table;

	for (uint32_t i = 0; i < r->name_count; i++)
		visit_rule(b, t->name_at[d][i], d, r->names[i].text, v);
	for (uint32_t i = 0; i < r->statement_count; i++)
		visit_rule(b, t->rule_at[d][i], d, r->statements[i].text, v);
	visit_rule(b, t->rule_at[d][r->statement_count], d, default_text, v);
	visit_rule(b, t->unseen_at[d], d, not_seen, v);
}

void filter_builtin_visit(struct filter_builtin *b,
			  const struct filter_visitor *v)
{
	const struct filter_kept *k = b->kept;
	uint64_t first = k->sample_count > FILTER_LAST_SAMPLES
				 ? k->sample_count - FILTER_LAST_SAMPLES
				 : 0;
	struct timespec now;

	if (want_set(b))
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	for (int d = 0; d < FILTER_DIRECTIONS; d++)
		visit_rules(b, d, v);
	for (uint64_t i = first; i < k->sample_count; i++)
		visit_sample(&k->samples[i % FILTER_LAST_SAMPLES],
			     now.tv_sec * INT64_C(1000000000) + now.tv_nsec, v);
}

/* Making -------------------------------------------------------------------- */

static struct filter_builtin *make(const char *path, const char *tap,
				   struct filter_kept *kept, char *why,
				   size_t why_bytes)
{
	struct filter_builtin *b = calloc(1, sizeof(*b));

	if (!b) {
		snprintf(why, why_bytes, "out of memory");
		return NULL;
	}
	b->path = path;
	b->tap = tap;
	b->kept = kept;
	return b;
}

static int complain_map(const char *tap, int err, char *why, size_t why_bytes)
{
	snprintf(why, why_bytes, "tap %s: rules: cannot map the filter: %s", tap,
		 strerror(-err));
	return err;
}

static int load(struct filter_builtin *b, struct filter_programs *programs,
		char *why, size_t why_bytes)
{
	struct filter_builtin_loaded loaded;
	size_t bytes;
	char *text;
	int err = read_set(b, -1, &b->set, &text, &bytes, why, why_bytes);

	if (err)
		return err;
	err = filter_builtin_load(b->tap, b->set.table->count, &loaded, why,
				  why_bytes);
	if (!err) {
		err = filter_memory_map(&b->memory, loaded.map_fd, loaded.room);
		if (err) {
			filter_builtin_unload(&loaded);
			complain_map(b->tap, err, why, why_bytes);
		}
	}
	if (!err) {
		write_set(b, 0, &b->set, text, bytes);
		*programs = loaded.programs;
	}
	free(text);
	return err;
}

struct filter_builtin *filter_builtin_new(const char *path, const char *tap,
					  struct filter_kept *kept,
					  struct filter_programs *programs,
					  char *why, size_t why_bytes)
{
	struct filter_builtin *b = make(path, tap, kept, why, why_bytes);

	if (!b || !load(b, programs, why, why_bytes))
		return b;
	filter_builtin_free(b);
	return NULL;
}

struct filter_builtin *filter_builtin_import(const char *path, const char *tap,
					     struct filter_kept *kept,
					     const int fd[], uint32_t room,
					     char *why, size_t why_bytes)
{
	struct filter_builtin *b = make(path, tap, kept, why, why_bytes);
	int err = b ? filter_memory_map(&b->memory, fd, room) : 0;

	if (!err)
		return b;
	complain_map(tap, err, why, why_bytes);
	filter_builtin_free(b);
	return NULL;
}

void filter_builtin_free(struct filter_builtin *b)
{
	if (!b)
		return;
	filter_memory_unmap(&b->memory);
	filter_set_free(&b->set);
	free(b);
}

const struct filter_memory *
filter_builtin_memory(const struct filter_builtin *b)
{
	return &b->memory;
}
