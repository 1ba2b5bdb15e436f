/* Reading and judging frames. See receiver.h. */
#include "receiver.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "now.h"
#include "pattern.h"
#include "peer.h"
#include "plan.h"
#include "ports.h"
#include "progress.h"
#include "traffic.h"

enum {
	/*
	 * How long silence has to last before it means the end. It must outlast
	 * the time that a switch with a queue may not be scheduled on a busy
	 * host. Where nothing is missing, only duplicates can still come.
	 */
	QUIET_MS = 300,
	QUIET_WHEN_ALL_CAME_MS = 40,
	TICK_MS = 10,			/* of reading ports slowly */
	LOOK_MS = 20,			/* for the end */
	EVENTS = 64,
	/* Behind the longest frame, to see one that is longer. */
	SLACK_BYTES = 64,
};

struct receiving {
	struct receiver *r;
	const struct traffic *traffic;
	const struct load *load;
	const struct ports *ports;
	const struct plan *plan;
	struct shared *shared;
	int epoll_fd, sender_fd;
	bool sender_is_done;
	uint64_t sender_ns;		/* when the sender was seen to be gone */
	uint64_t tick_ns;
	double idle_due;		/* frames that each idle port may read */
	size_t frame_bytes;
	uint8_t *bytes;
};

int receiver_init(struct receiver *r, const struct plan *plan)
{
	*r = (struct receiver){ 0 };
	return tracker_init(&r->tracker, plan_tracks(plan));
}

void receiver_fini(struct receiver *r)
{
	tracker_fini(&r->tracker);
}

static void enter_good(struct receiving *g, unsigned int port,
		       const struct peer_frame *frame, const struct pattern *p,
		       uint64_t now)
{
	struct receiver *r = g->r;
	const bool is_for_idle = p->flow >= PLAN_TO_IDLE;
	const int64_t track = is_for_idle ? -1 :
			      plan_track(g->plan, p->flow, port);
	const uint64_t before = r->tracker.delivered;

	if (track < 0) {
		if (p->flow >= g->plan->flow_count && !is_for_idle)
			r->foreign++;
		else if (!(frame->bytes[0] & 1))
			r->stray++;
		return;
	}
	tracker_enter(&r->tracker, (size_t)track, p->seq);
	if (r->tracker.delivered == before)
		return;
	r->last_ns = now;
	r->bytes += frame->len;
	if (!p->due_ns)
		return;
	histogram_add(&r->latency, now > p->due_ns ? now - p->due_ns : 0);
	histogram_add(&r->transit, now > p->offered_ns ? now - p->offered_ns : 0);
}

static void enter(struct receiving *g, unsigned int port,
		  const struct peer_frame *frame, uint64_t now)
{
	const size_t len = frame->len <= g->frame_bytes ? frame->len :
			   g->frame_bytes;
	struct pattern p;

	switch (pattern_read(frame->bytes, len, &p)) {
	case PATTERN_GOOD:
		if (port < g->ports->busy)
			enter_good(g, port, frame, &p, now);
		else if (p.flow == PLAN_TO_IDLE + port - g->ports->busy)
			g->r->idle_delivered++;
		break;
	case PATTERN_CORRUPT:
		g->r->corrupt++;
		break;
	case PATTERN_FOREIGN:
		g->r->foreign++;
		break;
	case PATTERN_ANNOUNCE:
		break;
	}
}

/* Up to @count frames of @port. Returns how many, or -errno. */
static int read_port(struct receiving *g, unsigned int port, unsigned int count)
{
	struct peer_frame frames[PEER_BATCH_MAX];
	uint64_t now;
	int n;

	for (unsigned int i = 0; i < count; i++)
		frames[i] = (struct peer_frame){ g->bytes + i * g->frame_bytes,
						 g->frame_bytes };
	n = peer_recv(&g->ports->peer[port], frames, count);
	now = now_ns();
	for (int i = 0; i < n; i++)
		enter(g, port, &frames[i], now);
	atomic_store_explicit(&g->shared->received, g->r->tracker.delivered,
			      memory_order_relaxed);
	return n == -EAGAIN || n == -EINTR ? 0 : n;
}

/* Idle ports that read slowly: what is due since the last time. */
static int read_idle(struct receiving *g, uint64_t now)
{
	unsigned int count;

	g->idle_due += g->load->idle_read_per_s * (double)(now - g->tick_ns) /
		       NS_PER_S;
	g->tick_ns = now;
	count = g->idle_due < PEER_BATCH_MAX ? (unsigned int)g->idle_due :
		PEER_BATCH_MAX;
	g->idle_due -= count;
	for (unsigned int i = g->ports->busy; count && i < g->ports->count; i++) {
		const int n = read_port(g, i, count);

		if (n < 0)
			return n;
	}
	return 0;
}

static int watch(struct receiving *g, int fd, uint32_t number)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u32 = number };

	return epoll_ctl(g->epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static int watch_all(struct receiving *g)
{
	int err = 0;

	g->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (g->epoll_fd < 0)
		return -errno;
	/* The sender has the number behind the last port. */
	err = watch(g, g->sender_fd, g->ports->busy);
	for (unsigned int i = 0; !err && i < g->ports->busy; i++)
		err = watch(g, g->ports->peer[i].data_fd, i);
	return err;
}

static bool is_over(const struct receiving *g, uint64_t now)
{
	const bool all_came = g->r->tracker.delivered >=
			      g->shared->report.copies;
	const uint64_t last_ns = g->r->last_ns > g->sender_ns ? g->r->last_ns :
				 g->sender_ns;

	return g->sender_is_done && now > last_ns &&
	       now - last_ns > NS_PER_MS * (all_came ? QUIET_WHEN_ALL_CAME_MS :
					    QUIET_MS);
}

static int handle(struct receiving *g, uint32_t number)
{
	if (number < g->ports->busy) {
		int n;

		do {
			n = read_port(g, number, g->load->batch);
		} while (n > 0 && peer_has_frame(&g->ports->peer[number]));
		return n;
	}
	g->sender_is_done = true;
	g->sender_ns = now_ns();
	return epoll_ctl(g->epoll_fd, EPOLL_CTL_DEL, g->sender_fd, NULL) ?
	       -errno : 0;
}

static int loop(struct receiving *g)
{
	const bool reads_idle = g->load->idle_read_per_s > 0;
	struct epoll_event events[EVENTS];
	int err = 0;

	while (!err && !*g->traffic->interrupted) {
		const int n = epoll_wait(g->epoll_fd, events, EVENTS,
					 reads_idle ? TICK_MS : LOOK_MS);
		const uint64_t now = now_ns();

		for (int i = 0; err >= 0 && i < n; i++)
			err = handle(g, events[i].data.u32);
		err = err < 0 ? err : 0;
		if (!err && reads_idle && now - g->tick_ns > TICK_MS * NS_PER_MS)
			err = read_idle(g, now);
		progress_show(g->traffic->progress, now, g->shared);
		if (!err && is_over(g, now))
			return 0;
	}
	return err < 0 ? err : -EINTR;
}

int receiver_run(struct receiver *r, const struct traffic *traffic,
		 struct shared *shared, int sender_fd)
{
	const size_t longest = traffic->load->sizes.max_bytes + SLACK_BYTES;
	struct receiving g = {
		.r = r,
		.traffic = traffic,
		.load = traffic->load,
		.ports = traffic->ports,
		.plan = traffic->plan,
		.shared = shared,
		.sender_fd = sender_fd,
		.epoll_fd = -1,
		.tick_ns = now_ns(),
		.frame_bytes = longest & ~(size_t)(SLACK_BYTES - 1),
	};
	int err;

	g.bytes = malloc(g.frame_bytes * PEER_BATCH_MAX);
	err = g.bytes ? watch_all(&g) : -ENOMEM;
	if (!err)
		err = loop(&g);
	for (unsigned int i = 0; i < g.ports->busy; i++)
		r->overruns += peer_overruns(&g.ports->peer[i]);
	if (g.epoll_fd >= 0)
		close(g.epoll_fd);
	free(g.bytes);
	return err;
}
