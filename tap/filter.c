#include "filter.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "filter_builtin.h"
#include "filter_expression.h"
#include "filter_program.h"

enum {
	/* Longer than a frame waits to be read, whatever its port is doing. */
	JUDGE_AGAIN_MS = 10000,
	/* More than any device's queue holds. */
	DISCARD_MAX = 1 << 16,
};

struct filter {
	struct filter_options options;
	const char *tap;
	struct bpf_object *object;
	struct filter_builtin *builtin;
	struct filter_expression *expression;
	struct filter_programs programs;
	struct filter_links links;
	uint64_t judge_again_until_ms;
	char what[256]; /* the object's programs */
};

static int complain(const struct filter *f, const char *key, const char *reason,
		    char *why, size_t why_bytes)
{
	snprintf(why, why_bytes, "tap %s: %s: %s", f->tap, key, reason);
	return -EINVAL;
}

static int load(struct filter *f, char *why, size_t why_bytes)
{
	const struct filter_options *o = &f->options;
	char reason[FILTER_WHY_BYTES];

	if (*o->expression) {
		f->expression = filter_expression_new(o->expression, reason,
						      sizeof(reason));
		if (!f->expression)
			return complain(f, "accept-to-guests", reason, why,
					why_bytes);
	}
	if (*o->object) {
		f->object = filter_object_load(o->object, &f->programs, f->what,
					       sizeof(f->what), reason,
					       sizeof(reason));
		if (!f->object)
			return complain(f, "filter", reason, why, why_bytes);
	}
	if (*o->rules) {
		f->builtin = filter_builtin_new(o->rules, f->tap, &f->programs,
						why, why_bytes);
		if (!f->builtin)
			return -EINVAL;
	}
	return 0;
}

struct filter *filter_new(const struct filter_options *o, const char *tap,
			  char *why, size_t why_bytes)
{
	struct filter *f = calloc(1, sizeof(*f));

	if (!f) {
		snprintf(why, why_bytes, "out of memory");
		return NULL;
	}
	f->options = *o;
	f->tap = tap;
	f->programs = (struct filter_programs){ -1, -1, -1 };
	f->links = (struct filter_links){ -1, -1 };
	if (!load(f, why, why_bytes))
		return f;
	filter_free(f);
	return NULL;
}

void filter_free(struct filter *f)
{
	if (!f)
		return;
	filter_close(f, -1);
	bpf_object__close(f->object);
	filter_builtin_free(f->builtin);
	filter_expression_free(f->expression);
	free(f);
}

/* What has come before the programs were there. */
static void discard_waiting(int tap_fd)
{
	char some[64]; /* of a frame; the rest of it goes, too */

	for (int i = 0; i < DISCARD_MAX; i++)
		if (read(tap_fd, some, sizeof(some)) < 0 && errno != EINTR)
			break;
}

int filter_open(struct filter *f, int tap_fd, const char *device,
		uint64_t now_ms, char *why, size_t why_bytes)
{
	char reason[FILTER_WHY_BYTES];
	int err = filter_attach(&f->programs, tap_fd, device, &f->links, reason,
				sizeof(reason));

	if (err) {
		complain(f, *f->options.object ? "filter" : "rules", reason,
			 why, why_bytes);
		return err;
	}
	discard_waiting(tap_fd);
	/* What another processor was just handing over. */
	f->judge_again_until_ms = now_ms + JUDGE_AGAIN_MS;
	return 0;
}

void filter_close(struct filter *f, int tap_fd)
{
	filter_detach(&f->links, tap_fd);
}

bool filter_admits(struct filter *f, uint8_t *frame, uint32_t bytes,
		   uint64_t now_ms)
{
	struct filter_view view;

	if (f->expression &&
	    !filter_expression_matches(f->expression, frame, bytes))
		return false;
	if (!f->builtin)
		return true;
	view = filter_builtin_view(f->builtin);
	if (now_ms < f->judge_again_until_ms &&
	    filter_view_drops(&view, FILTER_TO_GUESTS, frame, bytes, NULL))
		return false;
	filter_view_translate(&view, FILTER_TO_GUESTS, frame, bytes);
	return true;
}

int filter_reload(struct filter *f, uint64_t now_ms, char *why,
		  size_t why_bytes)
{
	bool renamed;
	int err;

	if (!f->builtin)
		return 0;
	err = filter_builtin_reload(f->builtin, &renamed, why, why_bytes);
	if (!err && renamed)
		f->judge_again_until_ms = now_ms + JUDGE_AGAIN_MS;
	return err;
}

bool filter_judges_to_host(const struct filter *f)
{
	return f->programs.xdp_fd >= 0;
}

void filter_describe(const struct filter *f, char *text, size_t bytes)
{
	const struct filter_options *o = &f->options;
	size_t used = 0;

	*text = '\0';
	if (f->object)
		used = (size_t)snprintf(text, bytes, "filter: %s: %s",
					o->object, f->what);
	if (f->builtin) {
		uint32_t names = filter_builtin_names(f->builtin);

		used = (size_t)snprintf(text, bytes, "rules: %s: ", o->rules);
		if (names && used < bytes)
			used += (size_t)snprintf(text + used, bytes - used,
						 "%u translations and ", names);
		if (used < bytes)
			used += (size_t)snprintf(
				text + used, bytes - used,
				"%u rules in force",
				filter_builtin_rules(f->builtin));
	}
	if (f->expression && used < bytes)
		snprintf(text + used, bytes - used, "%saccept-to-guests: %s",
			 used ? "; " : "", o->expression);
}

int filter_samples_fd(const struct filter *f)
{
	return f->builtin ? filter_builtin_samples_fd(f->builtin) : -1;
}

void filter_take_samples(struct filter *f)
{
	if (f->builtin)
		filter_builtin_take_samples(f->builtin);
}

void filter_visit(struct filter *f, const struct filter_visitor *v)
{
	if (!f->builtin)
		return;
	filter_builtin_take_samples(f->builtin);
	filter_builtin_visit(f->builtin, v);
}

const struct filter_options *filter_options(const struct filter *f)
{
	return &f->options;
}

/* Where the lines go. */
struct report {
	const char *tap;
	FILE *to;
};

static void print_count(void *context, const struct filter_count *c)
{
	const struct report *r = context;

	fprintf(r->to,
		"rule tap=%s line=%u direction=%s action=%s frames=%" PRIu64
		" bytes=%" PRIu64,
		r->tap, c->line, c->direction, c->action, c->frames, c->bytes);
	if (c->limits)
		fprintf(r->to, " over=%" PRIu64, c->over);
	fprintf(r->to, " text=\"%s\"\n", c->text);
}

static void print_lost(void *context, const struct filter_lost *l)
{
	const struct report *r = context;

	fprintf(r->to,
		"dropped tap=%s line=%u direction=%s age_ms=%" PRId64
		" bytes=%u frame=",
		r->tap, l->line, l->direction, l->age_ms, l->bytes);
	for (unsigned i = 0; i < l->taken; i++)
		fprintf(r->to, "%02x", l->frame[i]);
	fputc('\n', r->to);
}

void filter_report(struct filter *f, FILE *to)
{
	struct report report = { f->tap, to };
	const struct filter_visitor v = { print_count, print_lost, &report };

	filter_visit(f, &v);
}
