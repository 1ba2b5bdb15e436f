#include "loop.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>

#include "clock.h"
#include "control.h"
#include "handover.h"
#include "kept.h"
#include "log.h"
#include "loop_events.h"
#include "observe.h"
#include "opener_join.h"
#include "port_io.h"
#include "port_slow.h"
#include "port_tap.h"
#include "stats.h"
#include "sw.h"

static_assert(sizeof(union loop_ref) == sizeof(uint64_t), "it is user_data");

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

/* Before a restart requests are taken back; that means nothing to the port. */
static bool taken_back(const struct sw *sw, const struct io_uring_cqe *cqe)
{
	return sw->quiescing && cqe->res == -ECANCELED &&
	       !(cqe->flags & IORING_CQE_F_BUFFER);
}

/*
 * A port that is to end would wait for ever for a request that could not be
 * cancelled: it is tried again, once all cancel requests have been answered.
 * Often there was just nothing left to be cancelled (ENOENT), and its completion
 * has come meanwhile. What is being done (EALREADY) ends by itself.
 */
static void on_cancelled(struct sw *sw, struct port *p, int res)
{
	p->cancels--;
	if (res < 0 && res != -EALREADY)
		p->cancel_failed = true;
	if (p->cancels || !p->cancel_failed)
		return;
	p->cancel_failed = false;
	if (p->state == PORT_CLOSING || sw->quiescing)
		loop_cancel(sw, p, ~0u);
}

static void on_port_event(struct sw *sw, union loop_ref ref,
			  const struct io_uring_cqe *cqe)
{
	struct port *p = ports_find(&sw->ports, ref.port, ref.gen);
	bool ended = !(cqe->flags & IORING_CQE_F_MORE);

	if (!p)
		return; /* cannot be: a port waits for its completions */
	/* If this crashes the switch, it is this guest's doing. */
	kept_blame(sw->kept, p->id);
	switch ((enum loop_op)ref.op) {
	case LOOP_RECV:
		if (ended)
			p->armed &= ~(unsigned)ARMED_RECV;
		if (!taken_back(sw, cqe))
			p->ops->on_recv(sw, p, cqe->res, cqe->flags);
		break;
	case LOOP_WRITABLE:
		p->armed &= ~(unsigned)ARMED_WRITABLE;
		if (!taken_back(sw, cqe))
			port_writable(&sw->ports, p);
		break;
	case LOOP_CONTROL:
		p->armed &= ~(unsigned)ARMED_CONTROL;
		if (!taken_back(sw, cqe))
			p->ops->on_control(sw, p, cqe->res);
		break;
	default:
		on_cancelled(sw, p, cqe->res);
	}
}

static void dispatch(struct sw *sw, const struct io_uring_cqe *cqe)
{
	union loop_ref ref = { .bits = cqe->user_data };

	kept_blame(sw->kept, KEEPER_NOBODY);
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
		loop_on_signal(sw);
		break;
	case LOOP_LINK:
		tap_ports_on_link(sw);
		loop_arm_poll(sw, sw->link_watch_fd, POLLIN, LOOP_LINK, 0, 0);
		break;
	case LOOP_STDIN:
		loop_on_stdin(sw, cqe->res);
		break;
	case LOOP_TICK:
		loop_on_tick(sw);
		break;
	case LOOP_TRIM:
		loop_on_trim(sw);
		break;
	case LOOP_SECOND:
		loop_on_second(sw);
		break;
	case LOOP_WATCHDOG:
		loop_on_watchdog(sw);
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
		loop_on_metrics(sw);
		break;
	case LOOP_OPENER:
		opener_on_joined(sw);
		break;
	case LOOP_KEEPER:
		loop_on_keeper(sw);
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
	kept_blame(sw->kept, KEEPER_NOBODY);
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
		loop_port_files_remove(sw, p);
		port_io_remove_file(sw, p);
		port_free(&sw->ports, p);
		listener_port_gone(sw, p->endpoint);
		control_poke(sw);
	}
}

/* Of a stream this may forward frames that have been read already. */
static void read_on(struct sw *sw, struct port *p)
{
	kept_blame(sw->kept, p->id);
	p->ops->arm_recv(sw, p);
	kept_blame(sw->kept, KEEPER_NOBODY);
}

/* Read on from ports that had run out of buffers. */
static void feed_starved(struct sw *sw)
{
	for (uint16_t i = sw->ports.starved_count; i > 0; i--) {
		struct port *p = sw->ports.starved[i - 1];

		if (port_fed(&sw->ports, (uint16_t)(i - 1)) &&
		    p->state == PORT_UP)
			read_on(sw, p);
	}
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

	loop_wait(sw);
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
		control_run(sw, loop_has_traffic(sw));
	opener_join_run(sw, loop_has_traffic(sw));
	if (sw->mirrors_changed)
		observe_find_mirrors(sw);
	sw->mirrors_changed = false;
	loop_close_failed(sw);
	free_closed(sw);
	if (sw->ports.changed)
		handover_round(sw);
	loop_arm_timers(sw);
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

static bool is_quiet(const struct sw *sw)
{
	for (uint16_t i = 0; i < sw->listener_count; i++)
		if (sw->listeners[i].accepting)
			return false;
	for (uint16_t i = 0; i < sw->ports.id_end; i++)
		if (sw->ports.by_id[i]->armed || sw->ports.by_id[i]->cancels)
			return false;
	return true;
}

void loop_quiesce(struct sw *sw)
{
	sw->quiescing = true;
	for (uint16_t i = 0; i < sw->listener_count; i++)
		if (sw->listeners[i].accepting)
			loop_cancel_accept(sw, i);
	for (uint16_t i = 0; i < sw->ports.id_end; i++)
		loop_cancel(sw, sw->ports.by_id[i], ~0u);
	while (!is_quiet(sw))
		one_round(sw);
}

void loop_run(struct sw *sw)
{
	sw->now_ms = clock_now_ms();
	for (uint16_t i = 0; i < sw->ports.id_end; i++)
		if (sw->ports.by_id[i]->state == PORT_UP)
			read_on(sw, sw->ports.by_id[i]);
	listeners_start(sw);
	control_start(sw);
	loop_on_metrics(sw);
	loop_arm_watchdog(sw);
	opener_arm(sw);
	loop_watch_surroundings(sw);
	loop_watch_keeper(sw);
	sw->running = true;
	while (!sw->stopping)
		one_round(sw);
	if (!sw->restarting)
		stats_report(sw);
}
