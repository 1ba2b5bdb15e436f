/*
 * ringswitch: start-up as a table of contents.
 *
 * Everything that can fail does so here, with one line and exit status 1,
 * before anybody is told that guests can attach.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/utsname.h>
#include <sysexits.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "../tap/filter_expression.h"
#include "activation.h"
#include "audit.h"
#include "clock.h"
#include "control.h"
#include "daemon.h"
#include "events.h"
#include "handover.h"
#include "handover_parts.h"
#include "keeper.h"
#include "kept.h"
#include "log.h"
#include "mac.h"
#include "metrics_http.h"
#include "metrics_options.h"
#include "notify.h"
#include "observe.h"
#include "opener.h"
#include "options.h"
#include "port_open.h"
#include "port_tap.h"
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

static int make_mac_table(struct sw *sw)
{
	uint8_t key[16];

	if (getrandom(key, sizeof(key), 0) != sizeof(key))
		return -EIO;
	sw->forward.macs = mac_new_in(shared_macs(sw->handover->shared),
				      sw->options->mac_entries, PORTS_MAX,
				      sw->options->ageing_s, key);
	return sw->forward.macs ? 0 : -ENOMEM;
}

static int serve_metrics(struct sw *sw, char *why, size_t why_bytes)
{
	struct metrics_options where;

	if (!sw->options->metrics)
		return 0;
	if (metrics_options_parse(sw->options->metrics, &where, why, why_bytes))
		return -EINVAL;
	return metrics_open(sw, &where, why, why_bytes);
}

/* Everything by which people talk to us. */
static int open_sockets(struct sw *sw, char *why, size_t why_bytes)
{
	int err = listeners_open(sw, why, why_bytes);

	if (!err)
		err = control_open(sw, why, why_bytes);
	return err ? err : serve_metrics(sw, why, why_bytes);
}

static bool has_port(const struct sw *sw, const struct endpoint *e)
{
	for (uint16_t i = 0; i < sw->ports.id_end; i++)
		if (sw->ports.by_id[i]->endpoint == e &&
		    sw->ports.by_id[i]->state == PORT_UP)
			return true;
	return false;
}

/* What is there of a port that could not be opened. */
static void fail_port(struct sw *sw, const struct endpoint *e)
{
	for (uint16_t i = 0; i < sw->ports.id_end; i++)
		if (sw->ports.by_id[i]->endpoint == e &&
		    sw->ports.by_id[i]->state == PORT_JOINING)
			port_fail(&sw->ports, sw->ports.by_id[i],
				  "it cannot be opened");
}

/* What guests had before, and what the options say that is not there yet. */
static int open_ports(struct sw *sw, char *why, size_t why_bytes)
{
	const struct options *o = sw->options;
	char ignored[128];
	int err = 0;

	handover_ports(sw);
	for (unsigned i = 0; !err && i < o->port_count; i++) {
		if (o->ports[i].removed || has_port(sw, &o->ports[i]))
			continue;
		err = port_open(sw, &o->ports[i], why, why_bytes);
		if (!err || !sw->again)
			continue;
		/* The guests of all others are not to wait for it. */
		log_error("%s: going on without it", why);
		fail_port(sw, &o->ports[i]);
		err = 0;
	}
	/* For taps that come later, when no socket can be opened any more. */
	if (!err)
		tap_ports_watch(sw, ignored, sizeof(ignored));
	return err;
}

static int sw_init(struct sw *sw, struct options *o, char *why,
		   size_t why_bytes)
{
	uint64_t watchdog_us = 0;
	int err;

	sw->now_ms = sw->started_ms = clock_now_ms();
	sw->started_wall_ns = sw->handover->shared->started_wall_ns;
	err = ports_init(&sw->ports);
	sw->ports.memory = &sw->handover->shared->ports;
	observe_start(sw);
	if (err || events_open(sw)) {
		snprintf(why, why_bytes, "out of memory");
		return -ENOMEM;
	}
	sw->forward.ports = &sw->ports;
	sw->forward.hub = o->hub;
	err = make_mac_table(sw);
	if (err) {
		snprintf(why, why_bytes, "MAC table: %s", strerror(-err));
		return err;
	}
	sw->watch_stdin = !o->daemon && isatty(STDIN_FILENO);
	err = loop_init(&sw->loop, o->without, why, why_bytes);
	if (err)
		return err;
	if (sd_watchdog_enabled(0, &watchdog_us) > 0)
		sw->loop.watchdog_ms = watchdog_us / 2000;
	err = open_ports(sw, why, why_bytes);
	if (!err)
		err = open_sockets(sw, why, why_bytes);
	if (!err)
		handover_done(sw);
	return err;
}

/* Accepts a half-built one. */
static void sw_fini(struct sw *sw)
{
	metrics_close(sw);
	control_close(sw);
	loop_close_ports(sw);
	listeners_close(sw);
	loop_fini(&sw->loop);
	if (sw->link_watch_fd >= 0)
		close(sw->link_watch_fd);
	if (sw->signal_fd >= 0)
		close(sw->signal_fd);
	ports_fini(&sw->ports);
	mac_free(sw->forward.macs);
	events_close(sw);
	free(sw->control);
	notify_close(sw);
	handover_free(sw);
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
		    daemon_start(&daemon, o->daemon, 0, why,
				 sizeof(why)))) {
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

/* A daemon goes to "/", and connects to some again later. */
static int make_absolute(struct options *o, char *why, size_t why_bytes)
{
	char cwd[4096], wanted[256];

	if (!o->daemon || !getcwd(cwd, sizeof(cwd)))
		return 0;
	for (unsigned i = 0; i < o->port_count; i++) {
		struct endpoint *e = &o->ports[i];

		if (!endpoint_make_absolute(e, cwd, wanted, sizeof(wanted)))
			continue;
		snprintf(why, why_bytes, "--port %s:%s: must be %s",
			 endpoint_kinds[e->kind], e->argument, wanted);
		return -EINVAL;
	}
	return 0;
}

static int check_descriptor(const struct endpoint *e, int ready_fd, char *why,
			    size_t why_bytes)
{
	int fd = atoi(e->argument);

	if (e->kind != LISTEN_FD && e->kind != PORT_FD)
		return 0;
	if (fcntl(fd, F_GETFD) >= 0 && fd != ready_fd) {
		if (fd < LOOP_FILES_MAX)
			return 0;
		snprintf(why, why_bytes, "--%s fd:%d: must be below %d",
			 e->kind == LISTEN_FD ? "listen" : "port", fd,
			 LOOP_FILES_MAX);
		return -EBADF;
	}
	snprintf(why, why_bytes, "--%s fd:%d: %s",
		 e->kind == LISTEN_FD ? "listen" : "port", fd,
		 fd == ready_fd ? "is what --ready-fd names"
				: "is not open: was it inherited?");
	return -EBADF;
}

static int check_metrics(const struct options *o, char *why, size_t why_bytes)
{
	struct metrics_options where;
	char wanted[512];

	if (!o->metrics ||
	    !metrics_options_parse(o->metrics, &where, wanted, sizeof(wanted)))
		return 0;
	snprintf(why, why_bytes, "%s", wanted);
	return -EINVAL;
}

/* What the command line alone shows to be wrong. */
static int check_expressions(const struct options *o, char *why,
			     size_t why_bytes)
{
	for (unsigned i = 0; i < o->port_count; i++) {
		const struct endpoint *e = &o->ports[i];
		struct filter_expression *compiled;
		char reason[256];

		if (!*e->accept_to_guests)
			continue;
		compiled = filter_expression_new(e->accept_to_guests, reason,
						 sizeof(reason));
		if (!compiled) {
			snprintf(why, why_bytes,
				 "tap %s: accept-to-guests '%s': %s (see pcap-filter(7))",
				 e->argument, e->accept_to_guests, reason);
			return -EINVAL;
		}
		filter_expression_free(compiled);
	}
	return 0;
}

/* Before we open anything ourselves, which would get their numbers. */
static int check_descriptors(const struct options *o, char *why,
			     size_t why_bytes)
{
	int err = 0;

	for (unsigned i = 0; !err && i < o->listener_count; i++)
		err = check_descriptor(&o->listeners[i], o->ready_fd, why,
				       why_bytes);
	for (unsigned i = 0; !err && i < o->port_count; i++)
		err = check_descriptor(&o->ports[i], o->ready_fd, why,
				       why_bytes);
	return err;
}

/* What a keeper has checked for all switches that it starts. Addresses may have
 * to be looked up for it, for which guests are not to wait. */
static int check(const struct options *o, char *why, size_t why_bytes)
{
	int err = check_metrics(o, why, why_bytes);

	if (!err)
		err = check_descriptors(o, why, why_bytes);
	return err ? err : check_expressions(o, why, why_bytes);
}

static int find_directory(struct options *o, char *why, size_t why_bytes)
{
	static char directory[SOCKET_PATH_BYTES - sizeof("/control")];

	if (!o->name)
		return 0;
	o->directory = directory;
	return run_directory(o->name, directory, sizeof(directory), why,
			     why_bytes);
}

/* Returns -1 to go on, or the exit status. */
static int read_options(struct options *o, int argc, char *argv[],
			const char *program)
{
	char why[2048];

	if (options_parse(argc, argv, o, why, sizeof(why))) {
		log_error("%s", why);
		return 2;
	}
	if (o->help) {
		options_help(stdout, program);
		return 0;
	}
	if (o->version) {
		printf("ringswitch %s\n", version_text);
		return 0;
	}
	if (activation_read(o, why, sizeof(why)) ||
	    find_directory(o, why, sizeof(why)) ||
	    options_complete(o, o->directory, why, sizeof(why)) ||
	    (!kept_is_by_keeper() && check(o, why, sizeof(why))) ||
	    make_absolute(o, why, sizeof(why))) {
		log_error("%s", why);
		return 2;
	}
	if (!kept_is_by_keeper() && o->ready_fd >= 0 &&
	    fcntl(o->ready_fd, F_GETFD) < 0) {
		log_error("--ready-fd '%d': must be an open descriptor",
			  o->ready_fd);
		return 2;
	}
	return -1;
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
		status = read_options(o, argc, argv, program);
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
