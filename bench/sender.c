/* Sending, paced or as fast as it goes. See sender.h. */
#include "sender.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "frames.h"
#include "now.h"
#include "pace.h"
#include "peer.h"
#include "plan.h"
#include "ports.h"
#include "proc.h"

enum {
	/* How late the end may be noticed while the switch takes nothing. */
	BLOCK_TIMEOUT_MS = 100,
	/* What is on its way and does not come for so long is lost. */
	STILL_MS = 200,
	/* Of all ports together; more would be no use to the caches. */
	STAGED_BYTES_MAX = 1 << 26,
};

/* A port, and the frames that are made and not yet taken. */
struct outlet {
	const struct peer *peer;
	const struct plan_sender *sender;
	uint64_t next;			/* number of the first of them */
	unsigned int first, count;
	uint64_t refused;		/* one more than the number of the last */
	struct peer_frame *staged;
};

struct sending {
	const struct load *load;
	struct frames frames;
	struct shared *shared;
	struct sender_report *report;
	struct pace pace;
	unsigned int batch;
	uint64_t deadline_ns;
	uint64_t limit;			/* frames in all */
	struct outlet *blocked;		/* one that is full, or NULL */
	uint64_t received, still_since_ns, lost;	/* for the window */
	struct outlet *outlets;
	struct peer_frame *staged;
	uint8_t *bytes;
};

static bool is_full(int err)
{
	return err == -EAGAIN || err == -ENOBUFS;
}

static void stage(struct sending *s, struct outlet *o, unsigned int count,
		  uint64_t now)
{
	const uint64_t step = s->frames.plan->sender_count;
	const uint64_t index = (uint64_t)(o - s->outlets);
	const bool is_timed = load_is_timed(s->load);

	for (unsigned int i = 0; i < count; i++) {
		const uint64_t n = o->next + i;
		uint64_t due_ns = is_timed ? now : 0;

		if (s->pace.kind == PACE_RATE) {
			due_ns = pace_due(&s->pace, n * step + index);
			histogram_add(&s->report->late,
				      now > due_ns ? now - due_ns : 0);
		}
		o->staged[i].len = frames_write(&s->frames, o->sender, n, due_ns,
						is_timed ? now : 0,
						o->staged[i].bytes);
	}
	o->first = 0;
	o->count = count;
}

static void note_sent(struct sending *s, struct outlet *o, unsigned int count)
{
	struct sender_report *report = s->report;
	uint64_t idle = 0;

	for (unsigned int i = 0; s->load->idle_every && i < count; i++)
		idle += frames_is_idle(s->load, o->next + i);
	report->sent += count;
	report->idle_sent += idle;
	report->copies += (count - idle) * s->frames.plan->receivers;
	o->next += count;
	o->first += count;
	o->count -= count;
	atomic_store_explicit(&s->shared->sent, report->sent,
			      memory_order_relaxed);
}

static void note_refused(struct sending *s, struct outlet *o)
{
	s->blocked = o;
	if (o->refused != o->next + 1)
		s->report->refused++;
	o->refused = o->next + 1;
}

/* Offer what is staged. Returns how many were taken, or -errno. */
static int push(struct sending *s, struct outlet *o, bool wait)
{
	const unsigned int count = o->count;
	int n = peer_send(o->peer, o->staged + o->first, count, wait);

	if (n > 0)
		note_sent(s, o, (unsigned int)n);
	if (is_full(n) || (n > 0 && (unsigned int)n < count)) {
		note_refused(s, o);
		return n > 0 ? n : 0;
	}
	return n;
}

/* How many of the first @allowed frames of all are this port's to send now. */
static uint64_t share_of(const struct sending *s, const struct outlet *o,
			 uint64_t allowed)
{
	const uint64_t step = s->frames.plan->sender_count;
	const uint64_t index = (uint64_t)(o - s->outlets);
	const uint64_t all = allowed / step + (allowed % step > index);

	return all > o->next ? all - o->next : 0;
}

/* Returns how many were taken, or -errno. */
static int serve(struct sending *s, struct outlet *o, uint64_t now,
		 uint64_t allowed, uint64_t room)
{
	uint64_t count = share_of(s, o, allowed);
	const int err = peer_flush(o->peer);

	if (is_full(err))
		s->blocked = o;
	if (err)
		return is_full(err) ? 0 : err;
	if (count > s->batch)
		count = s->batch;
	if (count > room)
		count = room;
	if (!o->count && count)
		stage(s, o, (unsigned int)count, now);
	return o->count ? push(s, o, false) : 0;
}

/* Copies that may be sent on top of those on their way. What has not come after
 * a while will not. */
static uint64_t window_room(struct sending *s, uint64_t now)
{
	const uint64_t received = atomic_load_explicit(&s->shared->received,
						       memory_order_relaxed);
	uint64_t on_way = s->report->copies - s->lost;

	if (!s->load->window)
		return UINT64_MAX;
	on_way = on_way > received ? on_way - received : 0;
	if (received != s->received || on_way < s->load->window) {
		s->received = received;
		s->still_since_ns = now;
	} else if (now - s->still_since_ns > STILL_MS * NS_PER_MS) {
		s->lost += on_way;
		on_way = 0;
	}
	if (on_way >= s->load->window)
		return 0;
	return (s->load->window - on_way + s->frames.plan->receivers - 1) /
	       s->frames.plan->receivers;
}

/* One turn of all ports. Returns how many frames were taken, or -errno. */
static int64_t serve_all(struct sending *s, uint64_t now)
{
	uint64_t allowed = pace_allowed(&s->pace, now, s->report->sent);
	uint64_t room = window_room(s, now);
	int64_t taken = 0;

	if (allowed > s->limit)
		allowed = s->limit;
	s->blocked = NULL;
	for (unsigned int i = 0; i < s->frames.plan->sender_count; i++) {
		const int n = serve(s, &s->outlets[i], now, allowed, room);

		if (n < 0)
			return n;
		taken += n;
		room -= room == UINT64_MAX || (uint64_t)n > room ? 0 :
			(uint64_t)n;
	}
	return taken;
}

/* Nobody took anything. Returns 0 or -errno. */
static int wait_a_while(struct sending *s, uint64_t now)
{
	const uint64_t next = pace_next(&s->pace, s->report->sent);
	struct outlet *blocked = s->blocked;
	int n;

	if (blocked && s->load->refused_policy == REFUSED_BLOCK &&
	    blocked->count) {
		n = push(s, blocked, true);
		return n < 0 ? n : 0;
	}
	if (blocked || s->pace.kind == PACE_FULL || next <= now)
		sched_yield();
	else
		sleep_until_ns(next < s->deadline_ns ? next : s->deadline_ns);
	return 0;
}

static int loop(struct sending *s)
{
	uint64_t now;
	int64_t n = 0;

	while (n >= 0 && s->report->sent < s->limit &&
	       (now = now_ns()) < s->deadline_ns) {
		n = serve_all(s, now);
		if (n == 0)
			n = wait_a_while(s, now);
	}
	for (unsigned int i = 0; i < s->frames.plan->sender_count; i++)
		while (n >= 0 && is_full(peer_flush(s->outlets[i].peer)) &&
		       now_ns() < s->deadline_ns + BLOCK_TIMEOUT_MS * NS_PER_MS)
			sched_yield();
	return n < 0 ? (int)n : 0;
}

/*
 * By a schedule, what is due by the end is intended; what the switch takes a
 * little later has only been late.
 */
static void set_limits(struct sending *s)
{
	const struct load *load = s->load;
	const uint64_t grace_ns = load->limit_ns / 50;

	s->limit = load->count ? load->count : UINT64_MAX;
	pace_start(&s->pace, now_ns());
	s->report->start_ns = s->pace.start_ns;
	s->deadline_ns = s->pace.start_ns + load->limit_ns;
	if (s->pace.kind != PACE_RATE)
		return;
	s->report->intended = (uint64_t)((double)load->limit_ns /
					 s->pace.interval_ns + 0.5);
	if (s->limit < s->report->intended)
		s->report->intended = s->limit;
	s->limit = s->report->intended;
	s->deadline_ns += grace_ns > 5 * NS_PER_MS ? grace_ns : 5 * NS_PER_MS;
}

static int prepare(struct sending *s, const struct plan *plan,
		   const struct ports *ports)
{
	const size_t frame_bytes = (s->load->sizes.max_bytes + 63) & ~(size_t)63;
	const size_t each = STAGED_BYTES_MAX / (plan->sender_count * frame_bytes);
	size_t frames;

	s->batch = s->load->batch;
	if (each < s->batch)
		s->batch = each ? (unsigned int)each : 1;
	frames = (size_t)plan->sender_count * s->batch;
	s->outlets = calloc(plan->sender_count, sizeof(*s->outlets));
	s->staged = calloc(frames, sizeof(*s->staged));
	s->bytes = calloc(frames, frame_bytes);
	if (!s->outlets || !s->staged || !s->bytes)
		return -ENOMEM;
	for (size_t i = 0; i < frames; i++)
		s->staged[i].bytes = s->bytes + i * frame_bytes;
	for (unsigned int i = 0; i < plan->sender_count; i++) {
		const struct plan_sender *sender = &plan->senders[i];

		s->outlets[i] = (struct outlet){
			.peer = &ports->peer[sender->port],
			.sender = sender,
			.staged = s->staged + (size_t)i * s->batch,
		};
		peer_set_timeout(s->outlets[i].peer, BLOCK_TIMEOUT_MS);
	}
	return 0;
}

void sender_run(const struct load *load, const struct ports *ports,
		const struct plan *plan, struct shared *shared)
{
	struct sending s = {
		.load = load,
		.frames = { .load = load, .plan = plan, .ports = ports },
		.shared = shared,
		.report = &shared->report,
	};
	struct proc_usage usage;
	int err = prepare(&s, plan, ports);

	/* Sleep as long as asked for, not 50 us longer. */
	prctl(PR_SET_TIMERSLACK, 1UL);
	pace_init(&s.pace, load->frames_per_s, load->burst, load->pause_ns,
		  load->jitter_ns);
	if (!err) {
		set_limits(&s);
		err = loop(&s);
	}
	s.report->end_ns = now_ns();
	s.report->err = err;
	if (proc_read_usage(getpid(), &usage) == 0)
		s.report->cpu_ns = usage.cpu_ns;
	free(s.outlets);
	free(s.staged);
	free(s.bytes);
}
