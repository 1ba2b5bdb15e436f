#include "filter.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "filter_attach.h"
#include "filter_builtin.h"
#include "filter_expression.h"
#include "filter_file.h"
#include "filter_kept.h"
#include "filter_program.h"
#include "filter_state.h"

/* Longer than a frame waits to be read, whatever its port is doing. */
enum { JUDGE_AGAIN_MS = 10000 };

static int complain(const struct filter *f, const char *key, const char *reason,
		    char *why, size_t why_bytes)
{
	snprintf(why, why_bytes, "tap %s: %s: %s", f->tap, key, reason);
	return -EINVAL;
}

static int load_expression(struct filter *f, char *why, size_t why_bytes)
{
	char reason[FILTER_WHY_BYTES];
	const void *code;
	size_t bytes;

	f->expression = filter_expression_new(f->options.expression, reason,
					      sizeof(reason));
	if (!f->expression)
		return complain(f, "accept-to-guests", reason, why, why_bytes);
	code = filter_expression_code(f->expression, &bytes);
	memcpy(filter_kept_expression(f->kept), code, bytes);
	f->kept->expression_bytes = (uint32_t)bytes;
	return 0;
}

static int load(struct filter *f, char *why, size_t why_bytes)
{
	const struct filter_options *o = &f->options;
	char reason[FILTER_WHY_BYTES];

	f->kept = filter_kept_new(&f->kept_fd);
	if (!f->kept)
		return complain(f, "filter", strerror(errno), why, why_bytes);
	if (*o->expression && load_expression(f, why, why_bytes))
		return -EINVAL;
	if (*o->object &&
	    filter_object_load(o->object, &f->programs, f->object_maps, f->what,
			       sizeof(f->what), reason, sizeof(reason)))
		return complain(f, "filter", reason, why, why_bytes);
	if (*o->rules) {
		f->builtin = filter_builtin_new(o->rules, f->tap, f->kept,
						&f->programs, why, why_bytes);
		if (!f->builtin)
			return -EINVAL;
	}
	return 0;
}

struct filter *filter_empty(const struct filter_options *o, const char *tap)
{
	struct filter *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->options = *o;
	f->tap = tap;
	f->programs = (struct filter_programs){ -1, -1, -1 };
	f->links = (struct filter_links){ -1, -1 };
	f->kept_fd = -1;
	for (int i = 0; i < FILTER_OBJECT_MAPS; i++)
		f->object_maps[i] = -1;
	return f;
}

struct filter *filter_new(const struct filter_options *o, const char *tap,
			  char *why, size_t why_bytes)
{
	struct filter *f = filter_empty(o, tap);

	if (!f) {
		snprintf(why, why_bytes, "out of memory");
		return NULL;
	}
	if (!load(f, why, why_bytes))
		return f;
	filter_free(f);
	return NULL;
}

static void close_one(int fd)
{
	if (fd >= 0)
		close(fd);
}

void filter_free(struct filter *f)
{
	if (!f)
		return;
	filter_close(f, -1);
	filter_builtin_free(f->builtin);
	filter_expression_free(f->expression);
	close_one(f->programs.socket_fd);
	close_one(f->programs.tc_fd);
	close_one(f->programs.xdp_fd);
	for (int i = 0; i < FILTER_OBJECT_MAPS; i++)
		close_one(f->object_maps[i]);
	filter_kept_close(f->kept);
	close_one(f->kept_fd);
	free(f);
}

int filter_open(struct filter *f, int tap_fd, const char *device,
		uint64_t now_ms, char *why, size_t why_bytes)
{
	char reason[FILTER_WHY_BYTES];
	int err;

	filter_close(f, -1);
	err = filter_attach(&f->programs, tap_fd, device, &f->links, reason,
			    sizeof(reason));
	if (err) {
		complain(f, *f->options.object ? "filter" : "rules", reason,
			 why, why_bytes);
		return err;
	}
	/* What another processor was just handing over. */
	f->kept->judge_again_until_ms = now_ms + JUDGE_AGAIN_MS;
	return 0;
}

void filter_set_bare(struct filter *f,
		     void (*bare)(void *context, int tap_fd), void *context)
{
	f->bare = bare;
	f->bare_context = context;
}

void filter_close(struct filter *f, int tap_fd)
{
	bool others = tap_fd >= 0 && f->bare;

	filter_detach(&f->links, others ? -1 : tap_fd);
	if (others && f->programs.socket_fd >= 0)
		f->bare(f->bare_context, tap_fd);
}

void filter_take_links(struct filter *f, struct filter *from)
{
	filter_close(f, -1);
	f->links = from->links;
	from->links = (struct filter_links){ -1, -1 };
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
	if (now_ms < f->kept->judge_again_until_ms &&
	    filter_view_drops(&view, FILTER_TO_GUESTS, frame, bytes, NULL))
		return false;
	filter_view_translate(&view, FILTER_TO_GUESTS, frame, bytes);
	return true;
}

int filter_reload(struct filter *f, int fd, uint64_t now_ms, char *why,
		  size_t why_bytes)
{
	return f->builtin ? filter_builtin_reload(f->builtin, fd,
						  now_ms + JUDGE_AGAIN_MS, why,
						  why_bytes)
			  : 0;
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
	if (*f->what)
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
