/*
 * A filter from one process to another: a record that says what the descriptors
 * beside it are.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "filter_builtin.h"
#include "filter_expression.h"
#include "filter_kept.h"
#include "filter_memory.h"
#include "filter_state.h"

/* Descriptors, in this order; those that there are. */
enum {
	HAS_SOCKET = 1 << 0,
	HAS_TC = 1 << 1,
	HAS_XDP = 1 << 2,
	HAS_TC_LINK = 1 << 3,
	HAS_XDP_LINK = 1 << 4,
	HAS_RULES = 1 << 5, /* FILTER_MAPS of them; else an object's maps */
	HAS_ALL = (1 << 6) - 1,
};

struct record {
	uint32_t format; /* FILTER_FORMAT */
	uint32_t has;
	uint32_t room;
	uint32_t maps; /* of an object */
	char what[FILTER_WHAT_BYTES];
};

_Static_assert(sizeof(struct record) <= FILTER_RECORD_BYTES, "room for it");
_Static_assert(6 + FILTER_MAPS <= FILTER_FDS &&
		       6 + FILTER_OBJECT_MAPS <= FILTER_FDS,
	       "five of programs and links, what is kept, maps");

/* Exporting --------------------------------------------------------------- */

static uint32_t put(struct filter_record *to, int fd, uint32_t has)
{
	if (fd < 0)
		return 0;
	to->fds[to->fd_count++] = fd;
	return has;
}

static void put_maps(const struct filter *f, struct filter_record *to,
		     struct record *r)
{
	if (f->builtin) {
		const struct filter_memory *m =
			filter_builtin_memory(f->builtin);

		for (int i = 0; i < FILTER_MAPS; i++)
			r->has |= put(to, m->fd[i], HAS_RULES);
		r->room = m->room;
		return;
	}
	for (int i = 0; i < FILTER_OBJECT_MAPS; i++)
		r->maps += put(to, f->object_maps[i], 1);
}

void filter_export(const struct filter *f, struct filter_record *to)
{
	struct record r = { .format = FILTER_FORMAT };

	to->fd_count = 0;
	put(to, f->kept_fd, 0);
	r.has |= put(to, f->programs.socket_fd, HAS_SOCKET);
	r.has |= put(to, f->programs.tc_fd, HAS_TC);
	r.has |= put(to, f->programs.xdp_fd, HAS_XDP);
	r.has |= put(to, f->links.tc_fd, HAS_TC_LINK);
	r.has |= put(to, f->links.xdp_fd, HAS_XDP_LINK);
	put_maps(f, to, &r);
	memcpy(r.what, f->what, sizeof(r.what));
	memcpy(to->record, &r, sizeof(r));
	to->bytes = sizeof(r);
}

/* Importing --------------------------------------------------------------- */

static unsigned fds_of(const struct record *r)
{
	unsigned count = 1;

	for (uint32_t has = HAS_SOCKET; has < HAS_RULES; has <<= 1)
		count += (r->has & has) != 0;
	return count + (r->has & HAS_RULES ? FILTER_MAPS : r->maps);
}

/* What is wrong with it, or NULL. */
static const char *read_record(const struct filter_record *from,
			       const struct filter_options *o,
			       struct record *r)
{
	if (from->bytes < sizeof(r->format))
		return "is cut short";
	memcpy(&r->format, from->record, sizeof(r->format));
	if (r->format != FILTER_FORMAT)
		return "is of another version: start the switch anew";
	if (from->bytes != sizeof(*r))
		return "is cut short";
	memcpy(r, from->record, sizeof(*r));
	if (r->has & ~(uint32_t)HAS_ALL || r->maps > FILTER_OBJECT_MAPS ||
	    from->fd_count != fds_of(r) || !memchr(r->what, 0, sizeof(r->what)))
		return "makes no sense";
	if (!*o->rules != !(r->has & HAS_RULES) || !*o->object != !*r->what)
		return "is not what the options say";
	return NULL;
}

static int take(const int **fd, bool has)
{
	return has ? *(*fd)++ : -1;
}

/* Nothing here fails: what is in @f is the filter's. */
static void take_fds(struct filter *f, const struct record *r, const int *fd)
{
	f->kept_fd = take(&fd, true);
	f->programs.socket_fd = take(&fd, r->has & HAS_SOCKET);
	f->programs.tc_fd = take(&fd, r->has & HAS_TC);
	f->programs.xdp_fd = take(&fd, r->has & HAS_XDP);
	f->links.tc_fd = take(&fd, r->has & HAS_TC_LINK);
	f->links.xdp_fd = take(&fd, r->has & HAS_XDP_LINK);
	for (uint32_t i = 0; i < r->maps && !(r->has & HAS_RULES); i++)
		f->object_maps[i] = take(&fd, true);
	memcpy(f->what, r->what, sizeof(f->what));
}

/* What can fail, and closes nothing then. */
static int take_memory(struct filter *f, const struct record *r,
		       const struct filter_record *from, char *why,
		       size_t why_bytes)
{
	const struct filter_options *o = &f->options;

	snprintf(why, why_bytes, "tap %s: filter: cannot be taken over", f->tap);
	f->kept = filter_kept_open(from->fds[0]);
	if (!f->kept || !*o->expression != !f->kept->expression_bytes)
		return -EINVAL;
	if (*o->expression) {
		f->expression = filter_expression_import(
			filter_kept_expression(f->kept),
			f->kept->expression_bytes);
		if (!f->expression)
			return -EINVAL;
	}
	if (*o->rules)
		f->builtin = filter_builtin_import(
			o->rules, f->tap, f->kept,
			from->fds + from->fd_count - FILTER_MAPS, r->room, why,
			why_bytes);
	return *o->rules && !f->builtin ? -EINVAL : 0;
}

struct filter *filter_import(const struct filter_options *o, const char *tap,
			     const struct filter_record *from, char *why,
			     size_t why_bytes)
{
	struct record r;
	const char *wrong = read_record(from, o, &r);
	struct filter *f = wrong ? NULL : filter_empty(o, tap);

	if (!f) {
		snprintf(why, why_bytes, "tap %s: filter: what was left of it %s",
			 tap, wrong ? wrong : "needs memory that is not there");
		return NULL;
	}
	if (!take_memory(f, &r, from, why, why_bytes)) {
		take_fds(f, &r, from->fds);
		return f;
	}
	filter_free(f);
	return NULL;
}
