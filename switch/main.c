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
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "../tap/filter_expression.h"
#include "activation.h"
#include "clock.h"
#include "control.h"
#include "daemon.h"
#include "events.h"
#include "log.h"
#include "mac.h"
#include "metrics_http.h"
#include "metrics_options.h"
#include "observe.h"
#include "options.h"
#include "port_open.h"
#include "restart.h"
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
	sw->forward.macs = mac_new(sw->options->mac_entries, PORTS_MAX,
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

static int sw_init(struct sw *sw, struct options *o, char *why,
		   size_t why_bytes)
{
	uint64_t watchdog_us = 0;
	int err;

	sw->options = o;
	sw->now_ms = sw->started_ms = clock_now_ms();
	sw->started_wall_ns = clock_wall_ns();
	err = ports_init(&sw->ports);
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
	for (unsigned i = 0; i < o->port_count; i++) {
		err = port_open(sw, &o->ports[i], why, why_bytes);
		if (err)
			return err;
	}
	return open_sockets(sw, why, why_bytes);
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
	log_info("version %s, Linux %s: io_uring with deferred task work; tap reads %s",
		 version_text, kernel.release,
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
	err = daemon_pidfile(daemon, o->pidfile, why, why_bytes);
	if (!err && o->directory)
		err = run_directory_make(o->directory, &o->made_directories,
					 why, why_bytes);
	return err ? err : sw_init(sw, o, why, why_bytes);
}

static int run(struct options *o, const char *program)
{
	bool again = restart_is_one(), restarting;
	struct sw *sw = calloc(1, sizeof(*sw));
	struct daemon daemon;
	char why[2048] = "out of memory";
	int err = -ENOMEM;

	if (!sw || daemon_start(&daemon, o->daemon, again, why, sizeof(why))) {
		log_error("%s", why);
		free(sw);
		return 1;
	}
	sw->link_watch_fd = sw->signal_fd = -1;
	sw->again = again;
	err = start(sw, &daemon, o, why, sizeof(why));
	if (err) {
		log_error("%s", why);
	} else {
		announce(sw, program);
		daemon_ready(&daemon, o->ready_fd);
		sd_notify(0, "READY=1\nSTATUS=Guests can attach.");
		loop_run(sw);
		/* Starting anew is none of its business. */
		if (!sw->restarting)
			sd_notify(0, "STOPPING=1");
	}
	restarting = sw->restarting;
	sw_fini(sw);
	free(sw);
	daemon_end(&daemon);
	if (o->directory)
		run_directory_remove(o->directory, o->made_directories);
	if (restarting)
		restart(o);
	return err || restarting ? 1 : 0;
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
	if (fcntl(fd, F_GETFD) >= 0 && fd != ready_fd)
		return 0;
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

	restart_remember();
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
	    check_metrics(o, why, sizeof(why)) ||
	    check_descriptors(o, why, sizeof(why)) ||
	    check_expressions(o, why, sizeof(why)) ||
	    make_absolute(o, why, sizeof(why))) {
		log_error("%s", why);
		return 2;
	}
	if (o->ready_fd >= 0 && fcntl(o->ready_fd, F_GETFD) < 0) {
		log_error("--ready-fd '%d': must be an open descriptor",
			  o->ready_fd);
		return 2;
	}
	return -1;
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
			status = run(o, program);
	} else {
		log_error("out of memory");
	}
	if (o)
		free(o->config);
	free(o);
	return status;
}
