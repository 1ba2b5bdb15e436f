#include "loop.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "clock.h"
#include "control.h"
#include "events.h"
#include "log.h"
#include "mac.h"
#include "metrics_http.h"
#include "observe.h"
#include "port_slow.h"
#include "port_tap.h"
#include "port_uml.h"
#include "stats.h"
#include "sw.h"

static_assert(sizeof(union loop_ref) == sizeof(uint64_t), "it is user_data");

/* liburing 2.3 (Debian 12) does not know it. Value: linux/io_uring.h, 6.12. */
#define FEAT_MIN_TIMEOUT (1u << 15)

static void explain(int err, char *why, size_t why_bytes)
{
	const char *remedy = "";

	if (err == -EPERM)
		remedy = " (forbidden here: see sysctl kernel.io_uring_disabled, or the container's seccomp profile)";
	else if (err == -ENOSYS || err == -EINVAL)
		remedy = " (needs Linux 6.1 or newer with io_uring)";
	else if (err == -ENOMEM)
		remedy = " (raise the limit of locked memory: ulimit -l)";
	snprintf(why, why_bytes, "io_uring: %s%s", strerror(-err), remedy);
}

/*
 * Multishot reads exist since 6.7, but on taps they came seconds late at first;
 * 6.12 retries as it should, and is recognised by the feature that it added.
 */
static bool has_multishot_read(struct loop *loop)
{
	struct io_uring_probe *probe = io_uring_get_probe_ring(&loop->ring);
	bool has = probe && LOOP_OP_READ_MULTISHOT <= probe->last_op &&
		   loop->ring.features & FEAT_MIN_TIMEOUT;

	io_uring_free_probe(probe);
	return has;
}

int loop_init(struct loop *loop, unsigned without, char *why, size_t why_bytes)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_SINGLE_ISSUER |
			 IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL |
			 IORING_SETUP_CQSIZE,
		.cq_entries = RING_CQ_ENTRIES,
	};
	int err;

	memset(loop, 0, sizeof(*loop));
	for (int tries = 0; tries < RESTART_TRIES; tries++) {
		err = io_uring_queue_init_params(RING_SQ_ENTRIES, &loop->ring,
						 &params);
		if (err != -ENOMEM)
			break;
		clock_pause();
	}
	if (err) {
		explain(err, why, why_bytes);
		return err;
	}
	loop->open = true;
	/* Saves looking the descriptor up in every round; not vital. */
	io_uring_register_ring_fd(&loop->ring);
	loop->multishot_read = !(without & WITHOUT_MULTISHOT_READ) &&
			       has_multishot_read(loop);
	return 0;
}

void loop_fini(struct loop *loop)
{
	if (loop->open)
		io_uring_queue_exit(&loop->ring);
	loop->open = false;
}

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

static void on_second(struct sw *sw)
{
	sw->loop.second_armed = false;
	if (events_second(sw))
		loop_arm_second(sw);
}

/* systemd hears from us twice in the time after which it takes us for dead. */
static void arm_watchdog(struct sw *sw)
{
	if (sw->loop.watchdog_ms)
		loop_arm_timeout(sw, &sw->loop.watchdog, sw->loop.watchdog_ms,
			    LOOP_WATCHDOG);
}

static void on_watchdog(struct sw *sw)
{
	sd_notify(0, "WATCHDOG=1");
	arm_watchdog(sw);
}

/* HTTP clients have something to say, or have been silent for too long. */
static void on_metrics(struct sw *sw)
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
	       sw->accept_paused || sw->ports_looking || sw->clients_retry;
}

/* No timer runs when nothing waits: an idle switch sleeps. */
static void arm_timers(struct sw *sw)
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

static void reattach_ports(struct sw *sw)
{
	sw->ports_looking = false;
	for (uint16_t i = 0; i < sw->ports.id_end; i++) {
		struct port *p = sw->ports.by_id[i];

		if (p->state != PORT_UP || !p->looking)
			continue;
		p->looking = p->reattach(sw, p);
		sw->ports_looking |= p->looking;
	}
}

static void on_tick(struct sw *sw)
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

static void on_trim(struct sw *sw)
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

	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
		   clock_now_ns() / 1000);
	tap_ports_reload(sw, NULL, why, sizeof(why));
	sd_notify(0, "READY=1");
}

static void on_signal(struct sw *sw)
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
static void on_stdin(struct sw *sw, int events)
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

static void close_port(struct sw *sw, struct port *p, const char *why)
{
	if (p->state == PORT_UP) {
		log_guest(sw->now_ms, "port %s: closed: %s", p->name, why);
		mac_flush_port(sw->forward.macs, p->id);
	} else if (endpoint_role(p->endpoint->kind) == ENDPOINT_LISTENER) {
		log_guest(sw->now_ms,
			  "%s:%s: connection of pid %u uid %u refused: %s",
			  endpoint_kinds[p->endpoint->kind],
			  p->endpoint->argument, p->peer_pid, p->peer_uid, why);
	}
	port_detach(&sw->ports, p);
	loop_cancel(sw, p, ~0u);
}

void loop_close_failed(struct sw *sw)
{
	for (uint16_t i = 0; i < sw->ports.id_end && sw->ports.failed_count; i++) {
		struct port *p = sw->ports.by_id[i];

		if (p->failed)
			close_port(sw, p, p->failed);
	}
}

static void on_port_event(struct sw *sw, union loop_ref ref,
			  const struct io_uring_cqe *cqe)
{
	struct port *p = ports_find(&sw->ports, ref.port, ref.gen);
	bool ended = !(cqe->flags & IORING_CQE_F_MORE);

	if (!p)
		return; /* cannot be: a port waits for its completions */
	switch ((enum loop_op)ref.op) {
	case LOOP_RECV:
		if (ended)
			p->armed &= ~(unsigned)ARMED_RECV;
		p->ops->on_recv(sw, p, cqe->res, cqe->flags);
		break;
	case LOOP_WRITABLE:
		p->armed &= ~(unsigned)ARMED_WRITABLE;
		port_writable(&sw->ports, p);
		break;
	case LOOP_CONTROL:
		p->armed &= ~(unsigned)ARMED_CONTROL;
		p->ops->on_control(sw, p, cqe->res);
		break;
	default:
		p->cancels--;
	}
}

static void dispatch(struct sw *sw, const struct io_uring_cqe *cqe)
{
	union loop_ref ref = { .bits = cqe->user_data };

	switch ((enum loop_op)ref.op) {
	case LOOP_RECV:
	case LOOP_WRITABLE:
	case LOOP_CONTROL:
	case LOOP_CANCEL:
		on_port_event(sw, ref, cqe);
		break;
	case LOOP_ACCEPT:
		listener_on_accept(sw, ref.port, ref.gen, cqe->res,
				   cqe->flags & IORING_CQE_F_MORE);
		break;
	case LOOP_SIGNAL:
		on_signal(sw);
		break;
	case LOOP_LINK:
		tap_ports_on_link(sw);
		arm_poll(sw, sw->link_watch_fd, LOOP_LINK);
		break;
	case LOOP_STDIN:
		on_stdin(sw, cqe->res);
		break;
	case LOOP_TICK:
		on_tick(sw);
		break;
	case LOOP_TRIM:
		on_trim(sw);
		break;
	case LOOP_SECOND:
		on_second(sw);
		break;
	case LOOP_WATCHDOG:
		on_watchdog(sw);
		break;
	case LOOP_DOOR:
		control_on_door(sw, ref.port);
		break;
	case LOOP_CLIENT_IN:
		control_on_input(sw, ref.port, ref.gen, cqe->res);
		break;
	case LOOP_CLIENT_OUT:
		control_on_output(sw, ref.port, ref.gen, cqe->res);
		break;
	case LOOP_COMPILED:
		control_on_compiled(sw, ref.port, ref.gen);
		break;
	case LOOP_METRICS:
		on_metrics(sw);
		break;
	}
}

static void drain(struct sw *sw)
{
	struct io_uring_cqe *cqe;
	unsigned head, seen = 0;

	io_uring_for_each_cqe(&sw->loop.ring, head, cqe) {
		dispatch(sw, cqe);
		seen++;
	}
	io_uring_cq_advance(&sw->loop.ring, seen);
	sw->loop.counters.completions += seen;
}

static void free_closed(struct sw *sw)
{
	for (uint16_t i = sw->ports.closing_count; i > 0; i--) {
		struct port *p = sw->ports.closing[i - 1];

		if (p->armed || p->cancels)
			continue;
		if (p->pool && !p->pool->free)
			loop_unregister_pool(sw, p);
		port_free(&sw->ports, p);
		listener_port_gone(sw, p->endpoint);
		control_poke(sw);
	}
}

/* Read on from ports that had run out of buffers. */
static void feed_starved(struct sw *sw)
{
	for (uint16_t i = sw->ports.starved_count; i > 0; i--) {
		struct port *p = sw->ports.starved[i - 1];

		if (port_fed(&sw->ports, (uint16_t)(i - 1)) &&
		    p->state == PORT_UP)
			p->ops->arm_recv(sw, p);
	}
}

/* Whether frames come in, now or a moment ago. */
static bool has_traffic(const struct sw *sw)
{
	return sw->now_ms - sw->loop.traffic_ms <= TRAFFIC_MS;
}

/* Hand in what there is, and wait for something to happen, unless there is
 * something to do meanwhile. */
static void submit(struct sw *sw)
{
	struct io_uring *ring = &sw->loop.ring;
	uint64_t wait_ns = control_wait_ns(sw, has_traffic(sw));
	struct __kernel_timespec wait = {
		.tv_sec = (long long)(wait_ns / 1000000000),
		.tv_nsec = (long long)(wait_ns % 1000000000),
	};
	struct io_uring_cqe *cqe;
	int n = wait_ns == UINT64_MAX ? io_uring_submit_and_wait(ring, 1)
		: wait_ns	      ? io_uring_submit_and_wait_timeout(
						ring, &cqe, 1, &wait, NULL)
				      : io_uring_submit_and_get_events(ring);

	/* EBUSY, EAGAIN: the kernel wants completions read first. */
	assert(n >= 0 || n == -EINTR || n == -EBUSY || n == -EAGAIN ||
	       n == -ETIME);
	if (n > 0)
		sw->loop.counters.submissions += (unsigned)n;
}

/* A round has brought @frames. */
static void count_round(struct sw *sw, uint64_t frames)
{
	struct loop_counters *c = &sw->loop.counters;

	c->rounds++;
	if (frames)
		sw->loop.traffic_ms = sw->now_ms;
	if (frames > c->frames_max)
		c->frames_max = frames;
}

static void one_round(struct sw *sw)
{
	uint64_t frames = sw->forward.frames;

	submit(sw);
	sw->forward.round_ns = clock_now_ns();
	sw->now_ms = sw->forward.round_ns / 1000000;
	drain(sw);
	do {
		ports_flush(&sw->ports, sw, sw->now_ms);
		feed_starved(sw);
		/* Feeding a stream may have forwarded what had been read. */
	} while (sw->ports.dirty_count);
	count_round(sw, sw->forward.frames - frames);
	if (sw->control)
		control_run(sw, has_traffic(sw));
	if (sw->mirrors_changed)
		observe_find_mirrors(sw);
	sw->mirrors_changed = false;
	loop_close_failed(sw);
	free_closed(sw);
	arm_timers(sw);
}

void loop_close_ports(struct sw *sw)
{
	for (uint16_t i = 0; i < sw->ports.id_end; i++) {
		struct port *p = sw->ports.by_id[i];

		if (p->state != PORT_JOINING && p->state != PORT_UP)
			continue;
		if (p->state == PORT_UP)
			mac_flush_port(sw->forward.macs, p->id);
		port_detach(&sw->ports, p);
		loop_cancel(sw, p, ~0u);
	}
	free_closed(sw);
	while (sw->ports.closing_count)
		one_round(sw);
}

void loop_run(struct sw *sw)
{
	sw->now_ms = clock_now_ms();
	for (uint16_t i = 0; i < sw->ports.id_end; i++)
		sw->ports.by_id[i]->ops->arm_recv(sw, sw->ports.by_id[i]);
	listeners_start(sw);
	control_start(sw);
	on_metrics(sw);
	arm_watchdog(sw);
	sw->running = true;
	arm_poll(sw, sw->signal_fd, LOOP_SIGNAL);
	if (sw->link_watch_fd >= 0)
		arm_poll(sw, sw->link_watch_fd, LOOP_LINK);
	if (sw->watch_stdin)
		arm_poll(sw, STDIN_FILENO, LOOP_STDIN);
	while (!sw->stopping)
		one_round(sw);
	stats_report(sw);
}
