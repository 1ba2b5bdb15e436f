/*
 * ringswitch: start-up as a table of contents.
 *
 * Everything that can fail does so here, with one line and exit status 1,
 * before anybody is told that guests can attach.
 */
#include <errno.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/utsname.h>
#include <sysexits.h>
#include <unistd.h>

#include "audit.h"
#include "daemon.h"
#include "handover.h"
#include "keeper.h"
#include "kept.h"
#include "log.h"
#include "notify.h"
#include "opener.h"
#include "options.h"
#include "options_read.h"
#include "run_directory.h"
#include "sw.h"
#include "version.h"

static void raise_limit(__rlimit_resource_t resource)
{
	struct rlimit rl;

	if (getrlimit(resource, &rl))
		return;
	rl.rlim_cur = rl.rlim_max;
	setrlimit(resource, &rl);
}

/* What guests use up here they use up in the keeper as well, which needs some to
 * start a switch, and the next switch some to begin with. */
static void spare_descriptors(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl))
		return;
	rl.rlim_cur -= rl.rlim_cur / 4 < KEEPER_FILES ? rl.rlim_cur / 4
						      : KEEPER_FILES;
	setrlimit(RLIMIT_NOFILE, &rl);
}

static bool has_rules(const struct options *o)
{
	for (unsigned i = 0; i < o->port_count; i++)
		if (*o->ports[i].rules)
			return true;
	return false;
}

/* Signals are read from a descriptor, so that none ever interrupts a wait.
 * SIGHUP has rules read again, if there are any; or else ends a switch in the
 * foreground, whose terminal has gone. */
static int open_signals(bool daemon, bool reloads)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGTTIN, SIG_IGN);
	signal(SIGTTOU, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGUSR1);
	/* nohup(1) wants it ignored, and a blocked one is not. */
	if ((signal(SIGHUP, SIG_IGN) != SIG_IGN && !daemon) || reloads) {
		signal(SIGHUP, SIG_DFL);
		sigaddset(&set, SIGHUP);
	}
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -errno;
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

/* @kind is what an inherited listener has turned out to be. */
static void announce_one(const struct endpoint *e, enum endpoint_kind kind)
{
	printf(" %s %s '%s'",
	       kind == LISTEN_UML ? "unix" : endpoint_kinds[kind],
	       e->kind == PORT_TAP			      ? "device"
	       : e->kind == LISTEN_FD || e->kind == PORT_FD ? "descriptor"
							      : "socket",
	       e->argument);
}

static void announce(const struct sw *sw, const char *program)
{
	const struct options *o = sw->options;
	struct utsname kernel;

	uname(&kernel);
	log_info("version %s, Linux %s: io_uring with deferred task work, restricted%s; tap reads %s",
		 version_text, kernel.release,
		 sw->loop.fixed_files ? " to registered descriptors" : "",
		 sw->loop.multishot_read ? "multishot"
		 : o->without & WITHOUT_MULTISHOT_READ
			 ? "single (--without multishot-read)"
			 : "single (multishot needs 6.12)");
	if (o->no_room)
		log_info("the listener's path is too long for a control socket beside it: there is none (name one with --control)");
	if (options_wants(&o->control))
		log_info("control socket %s: see ringctl(8)", o->control.argument);
	/* The words of uml_switch, which scripts wait for. */
	if (o->hub)
		printf("%s will be a hub instead of a switch\n", program);
	printf("%s attached to", program);
	for (unsigned i = 0; i < o->listener_count; i++)
		announce_one(&o->listeners[i], sw->listeners[i].serves);
	for (unsigned i = 0; i < o->port_count; i++)
		announce_one(&o->ports[i], o->ports[i].kind);
	putchar('\n');
	fflush(stdout);
}

/* What a keeper has done already. */
static int prepare_place(struct daemon *daemon, struct options *o, char *why,
			 size_t why_bytes)
{
	int err = daemon_pidfile(daemon, o->pidfile, why, why_bytes);

	if (!err && o->directory)
		err = run_directory_make(o->directory, &o->made_directories,
					 why, why_bytes);
	return err;
}

/* What a switch of before has made, or else what we may make ourselves. */
static void find_empty_root(struct sw *sw)
{
	struct held *h = handover_take(sw, KEPT_NAMESPACES);
	struct privilege *p = &sw->privilege;
	char why[256];

	if (h && h->fd_count == 2) {
		p->user_ns = h->fds[0];
		p->mount_ns = h->fds[1];
	} else if (privilege_prepare(p, why, sizeof(why))) {
		log_error("no root directory of its own, which would be empty: %s", why);
	} else if (p->user_ns >= 0) {
		int fds[] = { p->user_ns, p->mount_ns };

		kept_keep(sw->kept, KEPT_NAMESPACES, 0, "namespaces", "", 0, fds, 2);
	}
	free(h);
}

/* Everything between going to the background and being ready. */
static int start(struct sw *sw, struct daemon *daemon, struct options *o,
		 char *why, size_t why_bytes)
{
	int err;

	/* Two descriptors a port, and locked memory for rings and buffers. */
	raise_limit(RLIMIT_NOFILE);
	raise_limit(RLIMIT_MEMLOCK);
	sw->reloads = has_rules(o) || getenv("NOTIFY_SOCKET");
	sw->signal_fd = open_signals(o->daemon, sw->reloads);
	if (sw->signal_fd < 0) {
		snprintf(why, why_bytes, "signals: %s", strerror(errno));
		return -errno;
	}
	err = kept_is_by_keeper() ? 0 : prepare_place(daemon, o, why, why_bytes);
	if (!err)
		err = handover_open(sw, why, why_bytes);
	if (sw->kept)
		daemon_kept(daemon, o->daemon, sw->again);
	notify_open(sw);
	if (!err)
		err = handover_options(sw, why, why_bytes);
	if (!err)
		err = privilege_init(&sw->privilege, o, why, why_bytes);
	if (!err && !kept_is_by_keeper() && o->directory)
		err = run_directory_give(o->directory, o->made_directories,
					 sw->privilege.uid);
	if (!err)
		find_empty_root(sw);
	socket_file_give_to(sw->privilege.uid);
	if (!err)
		err = opener_start(&sw->opener, o, &sw->privilege, why,
				   why_bytes);
	return err ? err : sw_init(sw, o, why, why_bytes);
}

/* Guests can attach: say so to who waits for it. */
static void ready(struct sw *sw, struct daemon *daemon, const char *program)
{
	if (sw->again)
		log_info("%s: %u port%s as they were",
			 kept_why(sw->kept) == KEEPER_CRASHED
				 ? "started again after a crash"
				 : "started anew",
			 sw->ports.up_count,
			 sw->ports.up_count == 1 ? "" : "s");
	else
		announce(sw, program);
	daemon_ready(daemon, sw->options->ready_fd);
	kept_ready(sw->kept);
	notify(sw, "READY=1\nSTATUS=Guests can attach.");
}

/* Nothing is closed: the next switch has it all. */
static void leave(struct sw *sw)
{
	loop_quiesce(sw);
	if (!handover_leave(sw))
		exit(EX_TEMPFAIL);
	log_error("cannot start anew: the keeper has gone");
}

/* Everything is open: give up what is needed for that, and let guests in; or
 * only say what is left then. Returns the exit status. */
static int serve(struct sw *sw, struct daemon *daemon, const char *program)
{
	char why[256];

	daemon_prepare(daemon);
	if (sw->kept)
		spare_descriptors();
	/* From here on the opener closes what has to be closed by name. */
	sw->running = true;
	if (sw->options->audit)
		return audit_run(&sw->loop, &sw->privilege);
	if (privilege_drop(&sw->privilege, why, sizeof(why))) {
		log_error("%s", why);
		return 1;
	}
	ready(sw, daemon, program);
	loop_run(sw);
	if (sw->restarting)
		leave(sw);
	notify(sw, "STOPPING=1");
	return 0;
}

static int run(struct options *o, const char *program)
{
	struct sw *sw = calloc(1, sizeof(*sw));
	struct daemon daemon = { .parent_fd = -1 };
	char why[2048] = "out of memory";
	bool kept;
	int err = -ENOMEM;

	if (!sw || (!kept_is_by_keeper() &&
		    daemon_start(&daemon, o->daemon, why, sizeof(why)))) {
		log_error("%s", why);
		free(sw);
		return 1;
	}
	sw->options = o;
	sw->main_pid = kept_is_by_keeper() ? getppid() : getpid();
	sw->link_watch_fd = sw->signal_fd = sw->notify_fd = -1;
	err = start(sw, &daemon, o, why, sizeof(why));
	if (err)
		log_error("%s", why);
	else
		err = serve(sw, &daemon, program);
	kept = sw->kept;
	/* As when it crashes: the keeper starts another, which has it all. */
	if (err && sw->again && kept_fd(sw->kept) >= 0)
		exit(1);
	sw_fini(sw);
	if (!kept)
		opener_remove_place(sw_opener(sw));
	opener_stop(sw->opener);
	free(sw);
	daemon_end(&daemon);
	if (o->directory)
		run_directory_remove(o->directory, o->made_directories);
	return err ? 1 : 0;
}

static bool wants_keeper(const struct options *o)
{
	return !o->no_keeper && !o->audit && !kept_is_by_keeper();
}

int main(int argc, char *argv[])
{
	const char *program = argc > 0 ? basename(argv[0]) : "ringswitch";
	struct options *o = calloc(1, sizeof(*o));
	int status = 1;

	daemon_standard_fds();
	log_init(program);
	if (o) {
		status = options_read(o, argc, argv, program);
		if (status < 0)
			status = wants_keeper(o) ? keeper_main(o, argv)
						 : run(o, program);
	} else {
		log_error("out of memory");
	}
	if (o)
		free(o->config);
	free(o);
	return status;
}
