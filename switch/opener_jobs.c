#include "opener_jobs.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../tap/tap_give.h"
#include "expression_job.h"
#include "clock.h"
#include "opener_child.h"
#include "options.h"
#include "run_directory.h"
#include "vde_directory.h"

/* Which listeners' guests have data sockets, and what those are called. */
static void sweep(const struct endpoint *e, const char *path)
{
	char prefix[SOCKET_PATH_BYTES];
	int length = (int)strlen(path), written;

	if (e->kind != LISTEN_UML && e->kind != LISTEN_VDE)
		return;
	if (e->kind == LISTEN_VDE)
		length = (int)(strrchr(path, '/') - path);
	written = snprintf(prefix, sizeof(prefix), "%.*s%c", length, path,
			   e->kind == LISTEN_VDE ? '/' : '.');
	if (*path == '/' && (size_t)written < sizeof(prefix))
		vde_directory_sweep(prefix);
}

static int listen_vde(const struct endpoint *e, struct opener_answer *answer)
{
	char path[SOCKET_PATH_BYTES], *made = NULL;
	int err = vde_directory_open(e, &made, answer->why,
				     sizeof(answer->why));

	if (made)
		snprintf(answer->made, sizeof(answer->made), "%s", made);
	free(made);
	if (err)
		return err;
	/* endpoint.c has made sure that it fits. */
	snprintf(path, sizeof(path), "%.*s/ctl",
		 (int)(sizeof(path) - sizeof("/ctl")), e->argument);
	return socket_file_open(&answer->file, path, SOCK_STREAM,
				e->mode < 0 ? VDE_MODE_DEFAULT : e->mode,
				e->group, answer->why, sizeof(answer->why));
}

/* A directory that we have made goes, if nothing can be made in it. */
static void do_listen(const struct endpoint *e, struct opener_answer *answer,
		      struct opener_fds *out)
{
	int type = e->kind == LISTEN_BESS ? SOCK_SEQPACKET : SOCK_STREAM;

	if (e->kind == LISTEN_VDE)
		answer->result = listen_vde(e, answer);
	else
		answer->result = socket_file_open(&answer->file, e->argument,
						  type, endpoint_mode(e),
						  e->group, answer->why,
						  sizeof(answer->why));
	if (answer->result) {
		if (*answer->made)
			rmdir(answer->made);
		answer->made[0] = '\0';
		return;
	}
	out->fd[out->count++] = answer->file.fd;
	/* None is anybody's else, since the listener is ours now. */
	sweep(e, answer->file.path);
}

/* A descriptor, or -errno. */
static void answer_with(int fd, struct opener_answer *answer,
			struct opener_fds *out)
{
	answer->result = fd < 0 ? fd : 0;
	if (fd >= 0)
		out->fd[out->count++] = fd;
}

static int do_connect(const struct endpoint *e)
{
	int type = e->kind == PORT_CONNECT_BESS ? SOCK_SEQPACKET : SOCK_STREAM;
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -errno;
	memcpy(addr.sun_path, e->argument, sizeof(addr.sun_path));
	socket_refuse_descriptors(fd);
	if (!connect(fd, (const void *)&addr, sizeof(addr)))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

static int watch_directory(int inotify_fd, const char *remote)
{
	char copy[SOCKET_PATH_BYTES];

	snprintf(copy, sizeof(copy), "%s", remote);
	return inotify_add_watch(inotify_fd, dirname(copy),
				 IN_CREATE | IN_MOVED_TO | IN_ONLYDIR) < 0
		       ? -errno
		       : 0;
}

static int watch_open(const char *remote, char *why, size_t why_bytes)
{
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	int err;

	if (fd < 0) {
		err = -errno;
		snprintf(why, why_bytes, "inotify: %s%s", strerror(-err),
			 err == -EMFILE ? " (raise sysctl fs.inotify.max_user_instances)"
					: "");
		return err;
	}
	err = watch_directory(fd, remote);
	if (err) {
		snprintf(why, why_bytes, "remote=%s: its directory: %s", remote,
			 strerror(-err));
		close(fd);
		return err;
	}
	return fd;
}

static void do_dgram(const struct endpoint *e, struct opener_answer *answer,
		     struct opener_fds *out)
{
	int watch = watch_open(e->remote, answer->why, sizeof(answer->why));

	answer->result = watch;
	if (watch < 0)
		return;
	answer->result = socket_file_open(&answer->file, e->argument,
					  SOCK_DGRAM, endpoint_mode(e),
					  e->group, answer->why,
					  sizeof(answer->why));
	if (answer->result) {
		close(watch);
		return;
	}
	out->fd[out->count++] = answer->file.fd;
	out->fd[out->count++] = watch;
}

/* Both directions, or else to nobody and from anybody. */
static int connect_datagrams(int fd, const char *remote)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int err;

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", remote);
	if (!connect(fd, (const void *)&addr, sizeof(addr)))
		return 0;
	err = -errno;
	addr.sun_family = AF_UNSPEC;
	connect(fd, (const void *)&addr, sizeof(addr.sun_family));
	return err;
}

static void do_dgram_look(const struct opener_job *job,
			  const struct opener_fds *in,
			  struct opener_answer *answer)
{
	if (job->has_watch)
		answer->second = watch_directory(in->fd[1],
						 job->endpoint.remote);
	if (!answer->second || job->anyway)
		answer->result = connect_datagrams(in->fd[0],
						   job->endpoint.remote);
}

/* A switch that starts may read what its user may; later only what had been
 * named then. */
static bool is_known(const struct options *known, const char *path)
{
	for (unsigned i = 0; known && i < known->port_count; i++)
		if (!strcmp(known->ports[i].rules, path))
			return *path;
	return !known;
}

static void do_rules(const struct options *known, const char *path,
		     struct opener_answer *answer, struct opener_fds *out)
{
	int fd;

	if (!is_known(known, path)) {
		snprintf(answer->why, sizeof(answer->why),
			 "%s: was no rule file when the switch was started",
			 path);
		answer->result = -EACCES;
		return;
	}
	/* Opening a pipe must not wait for its other side. */
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0) {
		out->fd[out->count++] = fd;
		return;
	}
	answer->result = -errno;
	snprintf(answer->why, sizeof(answer->why), "%s", strerror(errno));
}

/* Programs can be loaded by a switch that starts only; and what is wrong with
 * a file shows some of it. */
static bool may_filter(const struct options *known,
		       const struct opener_job *job,
		       struct opener_answer *answer)
{
	const struct endpoint *e = &job->endpoint;

	if (!known || job->again || (!*e->rules && !*e->filter))
		return true;
	snprintf(answer->why, sizeof(answer->why),
		 "tap %s: %s: needs privileges, which a switch that runs has no more: name it when the switch is started",
		 e->argument, *e->rules ? "rules" : "filter");
	answer->result = -EPERM;
	return false;
}

static void do_tap(const struct options *known, const struct opener_job *job,
		   const struct opener_fds *in, struct opener_answer *answer,
		   struct opener_fds *out)
{
	const struct endpoint *e = &job->endpoint;
	const struct tap_wish wish = {
		.name = e->argument,
		.mtu = e->mtu,
		.filter = { .object = e->filter,
			    .rules = e->rules,
			    .expression = e->accept_to_guests },
		.tries = known ? 1 : RESTART_TRIES,
	};
	int fd;

	if (!may_filter(known, job, answer))
		return;
	if (job->again) {
		answer->filter = job->filter;
		/* They are used up, and ours are the caller's. */
		for (unsigned i = 0; i < in->count; i++)
			answer->filter.fds[i] = fcntl(in->fd[i],
						      F_DUPFD_CLOEXEC, 0);
	}
	fd = tap_give(&wish, job->again, &answer->tap, &answer->filter,
		      answer->why, sizeof(answer->why));
	answer_with(fd, answer, out);
	for (unsigned i = 0; fd >= 0 && i < answer->filter.fd_count; i++)
		out->fd[out->count++] = answer->filter.fds[i];
}

/* One message holds any program: a stream could be read before its end. */
static int do_compile(struct opener_children *children, const char *text)
{
	const uint32_t nobody = UINT32_MAX; /* no user has that id */
	int ends[2], err;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
		       0, ends))
		return -errno;
	pid = opener_child_fork(children, nobody, EXPRESSION_JOBS_MAX,
				OPENER_CHILD_COMPILE_S);
	if (!pid) {
		expression_job_compile(text, ends[1]);
		_exit(0);
	}
	err = -errno;
	close(ends[1]);
	if (pid > 0)
		return ends[0];
	close(ends[0]);
	return err;
}

/* Sockets and nothing else, whatever the switch says. */
static int do_remove(const struct socket_file *file)
{
	struct stat st;

	if (lstat(file->path, &st) || !S_ISSOCK(st.st_mode))
		return 0;
	return socket_file_remove(file);
}

/* A pid file is ours while the switch has it open, and it has. */
static void remove_place(const struct opener_context *context)
{
	const struct options *o = context->known;

	if (!o)
		return;
	if (context->pidfile)
		unlink(context->pidfile);
	if (o->directory)
		run_directory_remove(o->directory, o->made_directories);
}

void opener_do(const struct opener_context *context,
	       const struct opener_job *job, const struct opener_fds *in,
	       struct opener_answer *answer, struct opener_fds *out)
{
	*answer = (struct opener_answer){ .number = job->number };
	answer->file.fd = -1;
	/* Whoever asks at run time does not wait for others. */
	answer->file.at_once = context->known;
	out->count = 0;
	switch ((enum opener_what)job->what) {
	case OPENER_LISTEN:
		do_listen(&job->endpoint, answer, out);
		break;
	case OPENER_REMOVE_FILE:
		answer->result = do_remove(&job->file);
		break;
	case OPENER_REMOVE_DIRECTORY:
		answer->result = rmdir(job->file.path) ? -errno : 0;
		break;
	case OPENER_REMOVE_PLACE:
		remove_place(context);
		break;
	case OPENER_CONNECT:
		answer_with(do_connect(&job->endpoint), answer, out);
		break;
	case OPENER_DGRAM:
		do_dgram(&job->endpoint, answer, out);
		break;
	case OPENER_DGRAM_LOOK:
		do_dgram_look(job, in, answer);
		break;
	case OPENER_TAP:
		do_tap(context->known, job, in, answer, out);
		break;
	case OPENER_TAP_BARE:
		tap_give_bare(in->fd[0]);
		break;
	case OPENER_RULES:
		do_rules(context->known, job->endpoint.rules, answer, out);
		break;
	case OPENER_COMPILE:
		answer_with(do_compile(context->children,
				       job->endpoint.accept_to_guests),
			    answer, out);
		break;
	case OPENER_PARSE:
		answer->result = endpoint_parse((enum endpoint_role)job->role,
						job->text, &answer->endpoint,
						answer->why,
						sizeof(answer->why));
		break;
	case OPENER_END:
	case OPENER_WHAT_COUNT:
		break;
	}
}
