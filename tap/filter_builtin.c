#include "filter_builtin.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/membarrier.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "filter.skel.h"
#include "filter.h"
#include "filter_compile.h"
#include "filter_file.h"
#include "filter_rules.h"

enum {
	RULE_FILE_BYTES_MAX = 16 << 20,
	/* Room for a set: 4 MiB, but at least twice what the first file needs.
	 * Maps cannot be made larger later, when privileges have gone. */
	LINES_MIN = 65536,
	LAST_SAMPLES = 16,
};

/* A file as it has been read. */
struct rule_set {
	struct filter_rules *rules;
	struct filter_table *table;
};

struct filter_builtin {
	struct filter_bpf *skeleton;
	const char *path, *tap;
	struct filter_line *lines; /* two sets, shared with the kernel */
	uint32_t room;		   /* lines of a set */
	struct rule_set set;	   /* that is in force */
	struct ring_buffer *ring;
	struct filter_sample samples[LAST_SAMPLES];
	uint64_t sample_count; /* so far; the last ones are there */
};

/* Rule files --------------------------------------------------------------- */

static void free_set(struct rule_set *set)
{
	filter_rules_free(set->rules);
	filter_table_free(set->table);
	*set = (struct rule_set){ NULL, NULL };
}

static int read_set(const struct filter_builtin *b, struct rule_set *set,
		    char *why, size_t why_bytes)
{
	const char *path = b->path;
	char reason[256];
	const char *error;
	size_t bytes;
	char *text = filter_file_read(path, RULE_FILE_BYTES_MAX, &bytes, reason,
				      sizeof(reason));

	*set = (struct rule_set){ NULL, NULL };
	if (!text) {
		snprintf(why, why_bytes, "tap %s: rules: %s: %s", b->tap, path,
			 reason);
		return -EINVAL;
	}
	set->rules = filter_rules_parse(path, text, bytes, why, why_bytes);
	free(text);
	if (!set->rules)
		return -EINVAL;
	set->table = filter_compile(set->rules, &error);
	if (set->table)
		return 0;
	snprintf(why, why_bytes, "tap %s: rules: %s: %s", b->tap, path, error);
	free_set(set);
	return -E2BIG;
}

/* Sets in the kernel -------------------------------------------------------- */

static struct filter_line *lines_of(const struct filter_builtin *b,
				    uint32_t first)
{
	return b->lines + first;
}

static void write_set(struct filter_builtin *b, uint32_t first,
		      const struct filter_table *table)
{
	memcpy(lines_of(b, first), table->lines,
	       table->count * sizeof(*table->lines));
}

/* When this returns, no program looks at the other set any more. */
static void put_in_force(struct filter_builtin *b, uint32_t first)
{
	__atomic_store_n(&b->skeleton->bss->in_force, first, __ATOMIC_RELEASE);
	/* A program that began before has ended when all processors have been
	 * through the scheduler: Documentation/RCU, membarrier(2). */
	syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
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

static const char default_text[] = "default", not_seen[] = "not seen";

/* A default that has changed is another rule. */
static const char *default_key(const struct filter_rules *r, int direction)
{
	return r->default_action[direction] == FILTER_DROP ? "default drop"
							   : "default accept";
}

/* All rules and translations of a set in a direction, sorted by text. */
static struct known_rule *list_rules(const struct rule_set *set, int direction,
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
static void carry_over(const struct filter_line *old,
		       const struct rule_set *old_set, struct filter_line *new,
		       const struct rule_set *new_set, int direction)
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

static bool same_names(const struct filter_rules *a,
		       const struct filter_rules *b)
{
	if (a->name_count != b->name_count)
		return false;
	for (uint32_t i = 0; i < a->name_count; i++)
		if (a->names[i].inner != b->names[i].inner ||
		    a->names[i].outer != b->names[i].outer)
			return false;
	return true;
}

int filter_builtin_reload(struct filter_builtin *b, bool *renamed, char *why,
			  size_t why_bytes)
{
	uint32_t old = b->skeleton->bss->in_force;
	uint32_t new = old ? 0 : b->room;
	struct rule_set set;
	int err = read_set(b, &set, why, why_bytes);

	if (err)
		return err;
	if (set.table->count > b->room) {
		snprintf(why, why_bytes,
			 "tap %s: rules: %s: too large for the room made at start (%u of %u KiB): start the switch anew",
			 b->tap, b->path, set.table->count / 16, b->room / 16);
		free_set(&set);
		return -E2BIG;
	}
	if (!(syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0) &
	      MEMBARRIER_CMD_GLOBAL)) {
		snprintf(why, why_bytes,
			 "tap %s: rules: cannot be replaced: membarrier(2) is not permitted here",
			 b->tap);
		free_set(&set);
		return -EPERM;
	}
	*renamed = !same_names(b->set.rules, set.rules);
	write_set(b, new, set.table);
	put_in_force(b, new);
	for (int d = 0; d < FILTER_DIRECTIONS; d++)
		carry_over(lines_of(b, old), &b->set, lines_of(b, new), &set, d);
	free_set(&b->set);
	b->set = set;
	/* They name lines of the file that was. */
	filter_builtin_take_samples(b);
	b->sample_count = 0;
	return 0;
}

struct filter_view filter_builtin_view(const struct filter_builtin *b)
{
	return (struct filter_view){
		lines_of(b, b->skeleton->bss->in_force), b->room
	};
}

uint32_t filter_builtin_rules(const struct filter_builtin *b)
{
	return b->set.rules->statement_count;
}

uint32_t filter_builtin_names(const struct filter_builtin *b)
{
	return b->set.rules->name_count;
}

/* Samples ------------------------------------------------------------------- */

static int take_sample(void *context, void *data, size_t bytes)
{
	struct filter_builtin *b = context;

	if (bytes >= sizeof(struct filter_sample))
		memcpy(&b->samples[b->sample_count++ % LAST_SAMPLES], data,
		       sizeof(struct filter_sample));
	return 0;
}

int filter_builtin_samples_fd(const struct filter_builtin *b)
{
	return ring_buffer__epoll_fd(b->ring);
}

void filter_builtin_take_samples(struct filter_builtin *b)
{
	ring_buffer__consume(b->ring);
}

/* Place 0 of the table is no rule. */
static void visit_rule(const struct filter_builtin *b, uint32_t at,
		       int direction, const char *text,
		       const struct filter_visitor *v)
{
	const struct filter_rule *r =
		&lines_of(b, b->skeleton->bss->in_force)[at].rule;

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

void filter_builtin_visit(const struct filter_builtin *b,
			  const struct filter_visitor *v)
{
	const struct filter_rules *r = b->set.rules;
	const struct filter_table *t = b->set.table;
	uint64_t first = b->sample_count > LAST_SAMPLES
				 ? b->sample_count - LAST_SAMPLES
				 : 0;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	for (int d = 0; d < FILTER_DIRECTIONS; d++) {
		for (uint32_t i = 0; i < r->name_count; i++)
			visit_rule(b, t->name_at[d][i], d, r->names[i].text, v);
		for (uint32_t i = 0; i < r->statement_count; i++)
			visit_rule(b, t->rule_at[d][i], d, r->statements[i].text,
				   v);
		visit_rule(b, t->rule_at[d][r->statement_count], d,
			   default_text, v);
		visit_rule(b, t->unseen_at[d], d, not_seen, v);
	}
	for (uint64_t i = first; i < b->sample_count; i++)
		visit_sample(&b->samples[i % LAST_SAMPLES],
			     now.tv_sec * INT64_C(1000000000) + now.tv_nsec, v);
}

/* Loading ------------------------------------------------------------------- */

static int load(struct filter_builtin *b, char *log, char *why,
		size_t why_bytes)
{
	struct bpf_object_open_opts options;
	const char *reason;
	int err;

	/* libbpf wants zeros in its padding, too. */
	memset(&options, 0, sizeof(options));
	options.sz = sizeof(options);
	options.kernel_log_buf = log;
	options.kernel_log_size = FILTER_LOG_BYTES;
	b->skeleton = filter_bpf__open_opts(&options);
	err = b->skeleton ? bpf_map__set_max_entries(b->skeleton->maps.lines,
						     2 * b->room)
			  : -errno;
	if (!err)
		err = filter_bpf__load(b->skeleton);
	if (!err)
		return 0;
	reason = filter_verifier_reason(log, err);
	snprintf(why, why_bytes,
		 "tap %s: rules: cannot load the built-in filter: %s (%s)", b->tap,
		 reason ? reason : strerror(-err), filter_load_remedy(err));
	return err;
}

static int share(struct filter_builtin *b, char *why, size_t why_bytes)
{
	void *lines = mmap(NULL, 2 * (size_t)b->room * sizeof(*b->lines),
			   PROT_READ | PROT_WRITE, MAP_SHARED,
			   bpf_map__fd(b->skeleton->maps.lines), 0);

	if (lines == MAP_FAILED) {
		snprintf(why, why_bytes,
			 "tap %s: rules: cannot map the filter's table: %s", b->tap,
			 strerror(errno));
		return -errno;
	}
	b->lines = lines;
	b->ring = ring_buffer__new(bpf_map__fd(b->skeleton->maps.samples),
				   take_sample, b, NULL);
	if (b->ring)
		return 0;
	snprintf(why, why_bytes,
		 "tap %s: rules: cannot map the filter's samples: %s", b->tap,
		 strerror(errno));
	return -errno;
}

struct filter_builtin *filter_builtin_new(const char *path, const char *tap,
					  struct filter_programs *programs,
					  char *why, size_t why_bytes)
{
	struct filter_builtin *b = calloc(1, sizeof(*b));
	char *log = calloc(1, FILTER_LOG_BYTES);
	int err = -ENOMEM;

	snprintf(why, why_bytes, "out of memory");
	if (b && log) {
		b->path = path;
		b->tap = tap;
		err = read_set(b, &b->set, why, why_bytes);
	}
	if (!err) {
		b->room = LINES_MIN;
		while (b->room < 2 * b->set.table->count)
			b->room *= 2;
		filter_program_quiet();
		err = load(b, log, why, why_bytes);
	}
	if (!err)
		err = share(b, why, why_bytes);
	free(log);
	if (err) {
		filter_builtin_free(b);
		return NULL;
	}
	write_set(b, 0, b->set.table);
	*programs = (struct filter_programs){
		.socket_fd = bpf_program__fd(b->skeleton->progs.to_guests),
		.tc_fd = -1,
		.xdp_fd = bpf_program__fd(b->skeleton->progs.to_host),
	};
	return b;
}

void filter_builtin_free(struct filter_builtin *b)
{
	if (!b)
		return;
	ring_buffer__free(b->ring);
	if (b->lines)
		munmap(b->lines, 2 * (size_t)b->room * sizeof(*b->lines));
	filter_bpf__destroy(b->skeleton);
	free_set(&b->set);
	free(b);
}
