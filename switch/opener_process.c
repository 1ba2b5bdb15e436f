#include "opener_process.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon.h"
#include "opener_child.h"
#include "opener_jobs.h"
#include "options.h"
#include "privilege.h"

enum { MEMORY_MS = 10 }; /* to wait until the kernel has some again */

struct self {
	int jobs_fd, joins_fd;
	struct opener_children children;
	struct opener_context context;
	struct opener_job job;
	struct opener_answer answer;
	char pidfile[2 * PATH_MAX];
};

/*
 * Whoever ends the switch by a signal to all of its group or unit does not mean
 * us: there are files to be removed, and then the channel ends. What has to wait
 * for the switch to read waits.
 */
static void set_signals(void)
{
	static const int ignored[] = { SIGINT,	SIGTERM, SIGHUP, SIGQUIT,
				       SIGUSR1, SIGUSR2, SIGPIPE };
	sigset_t none;

	for (unsigned i = 0; i < sizeof(ignored) / sizeof(*ignored); i++)
		signal(ignored[i], SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	signal(SIGALRM, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* All but the channels, and standard error: of a daemon, only if that is a file,
 * since somebody may wait for the end of a pipe. */
static void keep_descriptors(int one, int other, bool daemon)
{
	unsigned low = (unsigned)(one < other ? one : other);
	unsigned high = (unsigned)(one < other ? other : one);
	struct stat st;

	daemon_null(STDIN_FILENO);
	daemon_null(STDOUT_FILENO);
	if (daemon && (fstat(STDERR_FILENO, &st) || !S_ISREG(st.st_mode)))
		daemon_null(STDERR_FILENO);
	if (low > STDERR_FILENO + 1)
		close_range(STDERR_FILENO + 1, low - 1, 0);
	if (high > low + 1)
		close_range(low + 1, high - 1, 0);
	close_range(high + 1, ~0u, 0);
}

/* As it is now, in memory that is there: where there is none, the file would
 * stay. */
static void note_pidfile(struct self *s, const char *path)
{
	char cwd[PATH_MAX];

	if (!path)
		return;
	if (*path == '/' || !getcwd(cwd, sizeof(cwd)))
		snprintf(s->pidfile, sizeof(s->pidfile), "%s", path);
	else
		snprintf(s->pidfile, sizeof(s->pidfile), "%s/%s", cwd, path);
	s->context.pidfile = s->pidfile;
}

/* The switch reads its answers, or has gone. */
static int put(int fd, const void *message, size_t bytes,
	       const struct opener_fds *fds)
{
	struct pollfd room = { .fd = fd, .events = POLLOUT };
	int err;

	for (;;) {
		err = opener_wire_send(fd, message, bytes, fds);
		if (err == -EAGAIN)
			poll(&room, 1, -1);
		else if (err == -ENOBUFS || err == -ENOMEM)
			poll(NULL, 0, MEMORY_MS);
		else
			return err;
	}
}

/* --- jobs ----------------------------------------------------------------- */

/* False if there is none now. */
static bool take_join(struct self *s);

/* What has been said by the other channel before these comes first: there may
 * be files to be removed from a directory. */
static bool is_last(uint32_t what)
{
	return what == OPENER_END || what == OPENER_REMOVE_DIRECTORY ||
	       what == OPENER_REMOVE_PLACE;
}

static void do_job(struct self *s, const struct opener_fds *in)
{
	struct opener_fds out = { 0 };
	int err;

	if (is_last(s->job.what))
		while (take_join(s))
			;
	opener_do(&s->context, &s->job, in, &s->answer, &out);
	err = put(s->jobs_fd, &s->answer, sizeof(s->answer), &out);
	if (err && out.count) {
		/* Too many descriptors on their way, say (unix(7)). */
		snprintf(s->answer.why, sizeof(s->answer.why), "%s",
			 strerror(-err));
		s->answer.result = err;
		put(s->jobs_fd, &s->answer, sizeof(s->answer), NULL);
	}
	opener_fds_close(&out);
}

static bool take_job(struct self *s)
{
	struct opener_fds in;
	int err = opener_wire_receive(s->jobs_fd, &s->job, sizeof(s->job), &in);

	if (err)
		return err == -EAGAIN || err == -EMFILE;
	if (!opener_wire_check(&s->job, in.count))
		return false;
	do_job(s, &in);
	opener_fds_close(&in);
	return true;
}

/* --- guests --------------------------------------------------------------- */

static void answer_join(struct self *s, const struct opener_join *join,
			int control_fd)
{
	struct opener_joined answer;
	struct opener_fds out = { 0 };

	opener_do_join(join, control_fd, &answer, &out.fd[0]);
	out.count = out.fd[0] >= 0;
	put(s->joins_fd, &answer, sizeof(answer), &out);
	opener_fds_close(&out);
}

static uint32_t uid_of(int control_fd)
{
	struct ucred guest = { .uid = (uid_t)-1 };
	socklen_t bytes = sizeof(guest);

	getsockopt(control_fd, SOL_SOCKET, SO_PEERCRED, &guest, &bytes);
	return guest.uid;
}

/* A path is the guest's: it may be where nobody ever answers. */
static void join_apart(struct self *s, const struct opener_join *join,
		       int control_fd)
{
	struct opener_joined failed = { .gen = join->gen,
					.port = join->port };
	pid_t pid = opener_child_fork(&s->children, uid_of(control_fd),
				      OPENER_CHILDREN_OF_ONE,
				      OPENER_CHILD_JOIN_S);

	if (!pid) {
		answer_join(s, join, control_fd);
		_exit(0);
	}
	if (pid > 0)
		return;
	failed.result = -errno;
	put(s->joins_fd, &failed, sizeof(failed), NULL);
}

static bool take_join(struct self *s)
{
	struct opener_join join;
	struct opener_fds in;
	int err = opener_wire_receive(s->joins_fd, &join, sizeof(join), &in);

	if (err == -EMFILE)
		return true;
	if (err)
		return false;
	join.prefix[sizeof(join.prefix) - 1] = '\0';
	if (join.remove)
		opener_do_remove(join.prefix);
	else if (in.count != 1)
		err = -EPROTO;
	else if (join.addr.sun_path[0])
		join_apart(s, &join, in.fd[0]);
	else
		answer_join(s, &join, in.fd[0]);
	opener_fds_close(&in);
	return !err;
}

/* --- waiting -------------------------------------------------------------- */

/* The administrator's jobs go before guests, but neither shuts the other out. */
static void serve(struct self *s)
{
	struct pollfd what[] = {
		{ .fd = s->jobs_fd, .events = POLLIN },
		{ .fd = s->joins_fd, .events = POLLIN },
	};

	for (;;) {
		if (poll(what, 2, -1) < 0)
			continue;
		if (what[0].revents && !take_job(s))
			return;
		if (what[1].revents & POLLIN)
			take_join(s);
	}
}

_Noreturn void opener_process(int jobs_fd, int joins_fd,
			      const struct options *o,
			      const struct privilege *privilege)
{
	struct self *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		_exit(1);
	s->jobs_fd = jobs_fd;
	s->joins_fd = joins_fd;
	s->context.known = o;
	s->context.children = &s->children;
	prctl(PR_SET_NAME, "ringswitch-open");
	set_signals();
	note_pidfile(s, o->pidfile);
	keep_descriptors(jobs_fd, joins_fd, o->daemon);
	if (o->daemon && chdir("/"))
		_exit(1);
	err = privilege_drop_helper(privilege, s->answer.why,
				    sizeof(s->answer.why));
	s->answer.result = err;
	put(jobs_fd, &s->answer, sizeof(s->answer), NULL);
	if (!err)
		serve(s);
	_exit(err ? 1 : 0);
}
