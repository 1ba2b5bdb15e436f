/* There and back. See roundtrip.h. */
#include "roundtrip.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "now.h"
#include "pattern.h"
#include "peer.h"

enum {
	ANSWER_TIMEOUT_MS = 1000,
	SEND_TIMEOUT_MS = 100,
	LOOK_MS = 20,
	EVENTS = 64,
};

/* One that asks. */
struct pair {
	uint64_t seq;
	uint64_t asked_ns;		/* 0: nothing is on its way */
	uint64_t next_ns;		/* when to ask again */
};

struct asking {
	const struct traffic *t;
	struct roundtrip_result *result;
	struct shared *shared;
	struct pair *pairs;
	unsigned int count, on_way;
	int epoll_fd;
	uint64_t deadline_ns;
	uint8_t *frame;
};

static size_t frame_room(const struct traffic *t)
{
	return t->load->sizes.max_bytes + 1;
}

static int watch_ports(const struct traffic *t, unsigned int first)
{
	const int epoll_fd = epoll_create1(EPOLL_CLOEXEC);

	for (unsigned int i = first; epoll_fd >= 0 && i < t->ports->busy; i += 2) {
		struct epoll_event event = { .events = EPOLLIN, .data.u32 = i };

		if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, t->ports->peer[i].data_fd,
			      &event)) {
			close(epoll_fd);
			return -errno;
		}
	}
	return epoll_fd < 0 ? -errno : epoll_fd;
}

/* The process that answers ----------------------------------------------------- */

static void answer(const struct peer *peer, uint8_t *frame, size_t room)
{
	uint8_t asker[MAC_BYTES];
	struct pattern p;
	const ssize_t n = peer_recv_one(peer, frame, room, 0);

	if (n < 0 || (size_t)n >= room ||
	    pattern_read(frame, (size_t)n, &p) != PATTERN_GOOD ||
	    memcmp(frame, peer->mac, MAC_BYTES) || p.flow & PATTERN_ANSWER)
		return;
	memcpy(asker, frame + MAC_BYTES, MAC_BYTES);
	p.flow |= PATTERN_ANSWER;
	pattern_write(frame, (size_t)n, asker, peer->mac, TYPE_TRAFFIC, &p);
	peer_send_one(peer, frame, (size_t)n, true);
}

/* Until it is killed. */
static _Noreturn void answer_all(const struct traffic *t)
{
	const int epoll_fd = watch_ports(t, 1);
	struct epoll_event events[EVENTS];
	uint8_t *frame = malloc(frame_room(t));
	int n = 0;

	for (unsigned int i = 1; i < t->ports->busy; i += 2)
		peer_set_timeout(&t->ports->peer[i], SEND_TIMEOUT_MS);
	while (frame && epoll_fd >= 0 && (n >= 0 || errno == EINTR)) {
		n = epoll_wait(epoll_fd, events, EVENTS, -1);
		for (int i = 0; i < n; i++) {
			const struct peer *peer =
				&t->ports->peer[events[i].data.u32];

			do {
				answer(peer, frame, frame_room(t));
			} while (peer_has_frame(peer));
		}
	}
	_exit(1);
}

/* The process that asks -------------------------------------------------------- */

static int ask(struct asking *a, unsigned int index)
{
	struct pair *pair = &a->pairs[index];
	const struct peer *from = &a->t->ports->peer[2 * index];
	const uint64_t now = now_ns();
	const struct pattern p = { index, pair->seq, now, now };
	const size_t len = sizes_of(&a->t->load->sizes, pair->seq);
	int err;

	pattern_write(a->frame, len, a->t->ports->peer[2 * index + 1].mac,
		      from->mac, TYPE_TRAFFIC, &p);
	err = peer_send_one(from, a->frame, len, true);
	if (err == -EAGAIN || err == -ENOBUFS)
		return 0;
	if (err)
		return err;
	pair->asked_ns = now;
	a->on_way++;
	atomic_store(&a->shared->sent, ++a->result->sent);
	return 0;
}

static void next_question(struct asking *a, struct pair *pair, uint64_t now)
{
	const struct load *load = a->t->load;

	pair->asked_ns = 0;
	pair->seq++;
	pair->next_ns = now + load->pause_ns + (load->jitter_ns ?
			(uint64_t)random() % load->jitter_ns : 0);
	a->on_way--;
}

static int hear(struct asking *a, unsigned int port)
{
	struct pair *pair = &a->pairs[port / 2];
	struct pattern p;
	const ssize_t n = peer_recv_one(&a->t->ports->peer[port], a->frame,
					frame_room(a->t), 0);
	const uint64_t now = now_ns();

	if (n < 0)
		return n == -EAGAIN ? 0 : (int)n;
	switch ((size_t)n < frame_room(a->t) ?
		pattern_read(a->frame, (size_t)n, &p) : PATTERN_FOREIGN) {
	case PATTERN_CORRUPT:
		a->result->corrupt++;
		break;
	case PATTERN_GOOD:
		if (!pair->asked_ns || p.seq != pair->seq ||
		    p.flow != (port / 2 | PATTERN_ANSWER))
			break;
		histogram_add(&a->result->time, now - pair->asked_ns);
		atomic_store(&a->shared->received, ++a->result->answered);
		next_question(a, pair, now);
		break;
	case PATTERN_FOREIGN:
		a->result->foreign++;
		break;
	case PATTERN_ANNOUNCE:
		break;
	}
	return 0;
}

static bool may_ask(const struct asking *a, uint64_t now)
{
	return now < a->deadline_ns && (!a->t->load->count ||
					a->result->sent < a->t->load->count);
}

/* Ask where nothing is on its way. Sets when to look again. */
static int ask_all(struct asking *a, uint64_t now, uint64_t *next_ns)
{
	int err = 0;

	*next_ns = now + LOOK_MS * NS_PER_MS;
	for (unsigned int i = 0; !err && i < a->count; i++) {
		struct pair *pair = &a->pairs[i];

		if (pair->asked_ns && now > pair->asked_ns &&
		    now - pair->asked_ns > ANSWER_TIMEOUT_MS * NS_PER_MS) {
			a->result->lost++;
			next_question(a, pair, now);
		}
		if (pair->asked_ns || !may_ask(a, now))
			continue;
		if (now >= pair->next_ns)
			err = ask(a, i);
		else if (pair->next_ns < *next_ns)
			*next_ns = pair->next_ns;
	}
	return err;
}

static int loop(struct asking *a)
{
	struct epoll_event events[EVENTS];
	int err = 0;

	while (!err) {
		const uint64_t now = now_ns();
		uint64_t next_ns;
		struct timespec timeout = { 0 };
		int n;

		err = ask_all(a, now, &next_ns);
		if (err || (!a->on_way && !may_ask(a, now)))
			break;
		timeout.tv_nsec = (long)(next_ns - now);
		n = epoll_pwait2(a->epoll_fd, events, EVENTS, &timeout, NULL);
		for (int i = 0; !err && i < n; i++) {
			const unsigned int port = events[i].data.u32;

			do {
				err = hear(a, port);
			} while (!err &&
				 peer_has_frame(&a->t->ports->peer[port]));
		}
		progress_show(a->t->progress, now, a->shared);
		if (*a->t->interrupted)
			err = -EINTR;
	}
	return err;
}

static int ask_until_done(const struct traffic *t,
			  struct roundtrip_result *result, struct shared *shared)
{
	struct asking a = {
		.t = t, .result = result, .shared = shared,
		.count = t->ports->busy / 2,
		.epoll_fd = watch_ports(t, 0),
		.deadline_ns = now_ns() + t->load->limit_ns,
		.frame = malloc(frame_room(t)),
	};
	int err = a.epoll_fd < 0 ? a.epoll_fd : 0;

	prctl(PR_SET_TIMERSLACK, 1UL);
	a.pairs = calloc(a.count, sizeof(*a.pairs));
	if (!a.pairs || !a.frame)
		err = -ENOMEM;
	for (unsigned int i = 0; i < a.count; i++)
		peer_set_timeout(&t->ports->peer[2 * i], SEND_TIMEOUT_MS);
	if (!err)
		err = loop(&a);
	if (a.epoll_fd >= 0)
		close(a.epoll_fd);
	free(a.pairs);
	free(a.frame);
	return err;
}

static int measure(const struct traffic *t, struct roundtrip_result *result,
		   struct shared *shared)
{
	const uint64_t start_ns = now_ns();
	struct traffic_usages before, after;
	struct proc_usage other = { 0 };
	int fd, err = traffic_read_usages(t, &before);
	const pid_t child = err ? err : traffic_fork(&fd);

	if (child == 0)
		answer_all(t);
	if (child < 0)
		return child;
	err = ask_until_done(t, result, shared);
	result->elapsed_ns = now_ns() - start_ns;
	if (!err)
		err = proc_read_usage(child, &other);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	close(fd);
	if (!err)
		err = traffic_read_usages(t, &after);
	if (err)
		return err;
	result->sender_cpu_ns = after.own.cpu_ns - before.own.cpu_ns;
	result->receiver_cpu_ns = other.cpu_ns;
	result->machine_cpu_ns = after.machine_ns - before.machine_ns;
	result->usage = after.other;
	proc_subtract(&result->usage, &before.other);
	return 0;
}

int roundtrip_run(const struct traffic *t, struct roundtrip_result *result)
{
	struct shared *shared = calloc(1, sizeof(*shared));
	int err = -ENOMEM;

	memset(result, 0, sizeof(*result));
	if (shared)
		err = measure(t, result, shared);
	free(shared);
	return traffic_complain(t, err);
}
