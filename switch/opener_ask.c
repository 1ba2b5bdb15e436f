/*
 * The jobs that are asked for and waited for, one function each; what the
 * switch and the opener say to each other meanwhile is in opener.c.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "endpoint.h"
#include "log.h"
#include "opener.h"
#include "opener_inside.h"
#include "opener_jobs.h"
#include "socket_file.h"

/*
 * A job on its way: what is asked, with which descriptors, and what came of it.
 * Some 20 KiB, which is not for the stack of who is called by others.
 */
struct errand {
	struct opener_job job;
	struct opener_answer answer;
	struct opener_fds in, out;
};

static struct errand *errand_new(enum opener_what what)
{
	struct errand *x = calloc(1, sizeof(*x));

	if (x)
		x->job.what = what;
	return x;
}

static void add_fd(struct errand *x, int fd)
{
	x->in.fd[x->in.count++] = fd;
}

/* Returns 0 or -errno of the job itself; x->answer.why is a line about it. */
static int run(struct opener *op, struct errand *x)
{
	const struct opener_context ourselves = { 0 };
	int err = 0;

	if (op)
		err = opener_ask(op, &x->job, &x->in, &x->answer, &x->out);
	else
		opener_do(&ourselves, &x->job, &x->in, &x->answer, &x->out);
	return err ? err : x->answer.result;
}

/* The end of it; @err goes through, with its line. */
static int done(struct errand *x, int err, char *why, size_t why_bytes)
{
	if (!x) {
		snprintf(why, why_bytes, "out of memory");
		return -ENOMEM;
	}
	if (err < 0 && why)
		snprintf(why, why_bytes, "%s", x->answer.why);
	free(x);
	return err;
}

/* The same for a job whose answer is one descriptor. */
static int fd_of(struct opener *op, struct errand *x, char *why,
		 size_t why_bytes)
{
	int err = x ? run(op, x) : 0;

	if (x && !err)
		err = x->out.fd[0];
	return done(x, err, why, why_bytes);
}

void opener_finish(struct opener *op)
{
	struct errand *x = opener_is_gone(op) ? NULL : errand_new(OPENER_END);

	if (x)
		run(op, x);
	free(x);
}

int opener_listen(struct opener *op, const struct endpoint *e,
		  struct socket_file *file, char made[OPENER_MADE_BYTES],
		  char *why, size_t why_bytes)
{
	struct errand *x = errand_new(OPENER_LISTEN);
	int err = 0;

	*made = '\0';
	if (x) {
		x->job.endpoint = *e;
		err = run(op, x);
	}
	if (x && !err) {
		*file = x->answer.file;
		file->fd = x->out.fd[0];
		memcpy(made, x->answer.made, OPENER_MADE_BYTES);
		made[OPENER_MADE_BYTES - 1] = '\0';
	}
	return done(x, err, why, why_bytes);
}

void opener_close_file(struct opener *op, struct socket_file *file)
{
	struct errand *x;
	int err;

	if (file->fd < 0)
		return;
	close(file->fd);
	file->fd = -1;
	if (!*file->path)
		return;
	x = errand_new(OPENER_REMOVE_FILE);
	if (x) {
		x->job.file = *file;
		err = run(op, x);
	} else {
		err = -ENOMEM;
	}
	if (err && err != -ENOENT)
		log_error("%s: cannot be removed: %s", file->path,
			  strerror(-err));
	done(x, err, NULL, 0);
}

int opener_remove_directory(struct opener *op, const char *path)
{
	struct errand *x = errand_new(OPENER_REMOVE_DIRECTORY);
	int err = 0;

	if (x) {
		snprintf(x->job.file.path, sizeof(x->job.file.path), "%s",
			 path);
		err = run(op, x);
	}
	return done(x, err, NULL, 0);
}

void opener_remove_place(struct opener *op)
{
	struct errand *x = op ? errand_new(OPENER_REMOVE_PLACE) : NULL;

	if (x)
		run(op, x);
	free(x);
}

int opener_connect(struct opener *op, const struct endpoint *e)
{
	struct errand *x = errand_new(OPENER_CONNECT);

	if (x)
		x->job.endpoint = *e;
	return fd_of(op, x, NULL, 0);
}

int opener_dgram(struct opener *op, const struct endpoint *e,
		 struct socket_file *file, int *watch_fd, char *why,
		 size_t why_bytes)
{
	struct errand *x = errand_new(OPENER_DGRAM);
	int err = 0;

	if (x) {
		x->job.endpoint = *e;
		err = run(op, x);
	}
	if (x && !err) {
		*file = x->answer.file;
		file->fd = x->out.fd[0];
		*watch_fd = x->out.fd[1];
	}
	return done(x, err, why, why_bytes);
}

int opener_dgram_look(struct opener *op, const struct endpoint *e, int fd,
		      int watch_fd, bool anyway, int *unwatched)
{
	struct errand *x = errand_new(OPENER_DGRAM_LOOK);
	int err = 0;

	*unwatched = 0;
	if (x) {
		x->job.endpoint = *e;
		x->job.has_watch = watch_fd >= 0;
		x->job.anyway = anyway;
		add_fd(x, fd);
		if (watch_fd >= 0)
			add_fd(x, watch_fd);
		err = run(op, x);
		*unwatched = x->answer.second;
	}
	return done(x, err, NULL, 0);
}

int opener_tap(struct opener *op, const struct endpoint *e, bool again,
	       struct tap_state *state, struct filter_record *filter, char *why,
	       size_t why_bytes)
{
	struct errand *x = errand_new(OPENER_TAP);
	int fd = 0;

	if (x) {
		x->job.endpoint = *e;
		x->job.again = again;
		if (again)
			x->job.filter = *filter;
		for (unsigned i = 0; again && i < filter->fd_count; i++)
			add_fd(x, filter->fds[i]);
		fd = run(op, x);
	}
	if (x && !fd) {
		fd = x->out.fd[0];
		*state = x->answer.tap;
		*filter = x->answer.filter;
		for (unsigned i = 1; i < x->out.count; i++)
			filter->fds[i - 1] = x->out.fd[i];
		filter->fd_count = x->out.count - 1;
	}
	return done(x, fd, why, why_bytes);
}

void opener_tap_bare(struct opener *op, int tap_fd)
{
	struct errand *x = errand_new(OPENER_TAP_BARE);
	int err = 0;

	if (x) {
		add_fd(x, tap_fd);
		err = run(op, x);
	}
	done(x, err, NULL, 0);
}

int opener_rules(struct opener *op, const char *path, char *why,
		 size_t why_bytes)
{
	struct errand *x = errand_new(OPENER_RULES);

	if (x)
		snprintf(x->job.endpoint.rules, sizeof(x->job.endpoint.rules),
			 "%s", path);
	return fd_of(op, x, why, why_bytes);
}

int opener_compile(struct opener *op, const char *text)
{
	struct errand *x = errand_new(OPENER_COMPILE);

	if (x)
		snprintf(x->job.endpoint.accept_to_guests,
			 sizeof(x->job.endpoint.accept_to_guests), "%s", text);
	return fd_of(op, x, NULL, 0);
}

int opener_parse(struct opener *op, enum endpoint_role role, const char *text,
		 struct endpoint *e, char *why, size_t why_bytes)
{
	struct errand *x = errand_new(OPENER_PARSE);
	int err = 0;

	if (x) {
		x->job.role = role;
		snprintf(x->job.text, sizeof(x->job.text), "%s", text);
		err = run(op, x);
		*e = x->answer.endpoint;
	}
	return done(x, err, why, why_bytes);
}
