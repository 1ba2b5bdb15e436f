/*
 * What the loop has to do with that is no frame: timers, signals, the terminal,
 * network devices, the keeper. loop.c calls on_...() when it is time.
 */
#include "loop_events.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "clock.h"
#include "control.h"
#include "events.h"
#include "kept.h"
#include "log.h"
#include "metrics_http.h"
#include "notify.h"
#include "port_slow.h"
#include "port_tap.h"
#include "port_uml.h"
#include "stats.h"
#include "sw.h"

static void arm_poll(struct sw *sw, int fd, enum loop_op op)
{
	loop_arm_poll(sw, fd, POLLIN, op, 0, 0);
}

void loop_arm_second(struct sw *sw)
{
	if (sw->loop.second_armed)
		return;
	loop_arm_timeout(sw, &sw->loop.second, 1000, LOOP_SECOND);
	sw->loop.second_armed = true;
}

void loop_on_second(struct sw *sw)
{
	sw->loop.second_armed = false;
	if (events_second(sw))
		loop_arm_second(sw);
}

/* systemd hears from us twice in the time after which it takes us for dead. */
void loop_arm_watchdog(struct sw *sw)
{
	if (sw->loop.watchdog_ms)
		loop_arm_timeout(sw, &sw->loop.watchdog, sw->loop.watchdog_ms,
			    LOOP_WATCHDOG);
}

void loop_on_watchdog(struct sw *sw)
{
	notify(sw, "WATCHDOG=1");
	loop_arm_watchdog(sw);
}

/* HTTP clients have something to say, or have been silent for too long. */
void loop_on_metrics(struct sw *sw)
{
	if (!sw->metrics)
		return;
	metrics_run(sw);
	arm_poll(sw, metrics_fd(sw), LOOP_METRICS);
}

/* Whether there is something that has to be looked at again soon. */
static bool needs_tick(const struct sw *sw)
{
	return sw->ports.blocked_count || sw->ports.joining_count ||
	       sw->accept_paused || sw->ports_looking ||
	       sw->clients_retry || sw->ports.changed;
}

/* No timer runs when nothing waits: an idle switch sleeps. */
void loop_arm_timers(struct sw *sw)
{
	struct loop *loop = &sw->loop;

	if (!loop->tick_armed && needs_tick(sw)) {
		loop_arm_timeout(sw, &loop->tick, TICK_MS, LOOP_TICK);
		loop->tick_armed = true;
	}
	if (!loop->trim_armed && sw->warm) {
		loop_arm_timeout(sw, &loop->trim, TRIM_IDLE_MS, LOOP_TRIM);
		loop->trim_armed = true;
	}
}

/* Within a share of the time, and then in the next tick from where it ended. */
static void reattach_ports(struct sw *sw)
{
	uint64_t end_ns = clock_now_ns() + LOOK_SHARE_NS;

	sw->ports_looking = false;
	for (uint16_t i = 0; i < sw->ports.id_end; i++) {
		struct port *p = sw->ports.by_id[(sw->look_at + i) %
						 sw->ports.id_end];

		if (p->state != PORT_UP || !p->looking)
			continue;
		if (clock_now_ns() >= end_ns) {
			sw->look_at = p->id;
			sw->ports_looking = true;
			return;
		}
		p->looking = p->reattach(sw, p);
		sw->ports_looking |= p->looking;
	}
}

void loop_on_tick(struct sw *sw)
{
	sw->loop.tick_armed = false;
	ports_stall_blocked(&sw->ports, sw->now_ms);
	uml_expire_joining(sw);
	if (sw->accept_paused) {
		listeners_resume(sw);
		control_resume(sw);
	}
	if (sw->ports_looking)
		reattach_ports(sw);
	if (sw->clients_retry)
		control_tick(sw);
}

void loop_on_trim(struct sw *sw)
{
	sw->loop.trim_armed = false;
	sw->warm = false;
	for (uint16_t i = 0; i < sw->ports.id_end; i++) {
		struct port *p = sw->ports.by_id[i];

		if (p->state != PORT_UP || !p->pool)
			continue;
		if (sw->now_ms - p->last_recv_ms >= TRIM_IDLE_MS)
			pool_trim(p->pool);
		if (p->pool->warm)
			sw->warm = true;
	}
}

/* systemd(1) waits until it is said that the new rules are in force. */
static void reload(struct sw *sw)
{
	char why[2048];

	snprintf(why, sizeof(why), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
		 clock_now_ns() / 1000);
	notify(sw, why);
	tap_ports_reload(sw, NULL, why, sizeof(why));
	notify(sw, "READY=1");
}

void loop_on_signal(struct sw *sw)
{
	struct signalfd_siginfo info;

	while (read(sw->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGUSR1) {
			stats_report(sw);
		} else if (info.ssi_signo == SIGHUP && sw->reloads) {
			reload(sw);
		} else {
			log_info("ended by signal %u", info.ssi_signo);
			sw->stopping = true;
		}
	}
	arm_poll(sw, sw->signal_fd, LOOP_SIGNAL);
}

/*
 * A terminal that has been closed ends a switch in the foreground, as it did
 * with uml_switch. Anything typed is read and ignored. In the background of a
 * shell reading fails (SIGTTIN is ignored) and the typing is the shell's.
 */
void loop_on_stdin(struct sw *sw, int events)
{
	char ignored[256];
	ssize_t n = events > 0 && events & POLLHUP
			    ? 0
			    : read(STDIN_FILENO, ignored, sizeof(ignored));

	if (n == 0) {
		log_info("end of standard input: ending");
		sw->stopping = true;
	} else if (n > 0 || errno == EAGAIN || errno == EINTR) {
		arm_poll(sw, STDIN_FILENO, LOOP_STDIN);
	}
}

void loop_watch_keeper(struct sw *sw)
{
	if (kept_fd(sw->kept) < 0)
		return;
	loop_file_add(&sw->loop, kept_fd(sw->kept));
	arm_poll(sw, kept_fd(sw->kept), LOOP_KEEPER);
}

/* The keeper says nothing while we run: it has died. */
void loop_on_keeper(struct sw *sw)
{
	loop_file_remove(&sw->loop, kept_fd(sw->kept));
	if (kept_has_gone(sw->kept)) {
		sw->main_pid = getpid();
		log_error("the keeper has ended: nobody starts the switch again if it dies; start it anew to have a keeper");
	} else {
		loop_watch_keeper(sw);
	}
}

void loop_watch_links(struct sw *sw)
{
	loop_file_add(&sw->loop, sw->link_watch_fd);
	arm_poll(sw, sw->link_watch_fd, LOOP_LINK);
}

/* Signals, links of network devices, and the terminal. */
void loop_watch_surroundings(struct sw *sw)
{
	loop_file_add(&sw->loop, sw->signal_fd);
	arm_poll(sw, sw->signal_fd, LOOP_SIGNAL);
	if (sw->link_watch_fd >= 0)
		loop_watch_links(sw);
	if (sw->watch_stdin) {
		loop_file_add(&sw->loop, STDIN_FILENO);
		arm_poll(sw, STDIN_FILENO, LOOP_STDIN);
	}
}
