/* Setting up the ports of a measurement and running it. See traffic.h. */
#include "traffic.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "now.h"
#include "receiver.h"

enum {
	PORT_SENDER,
	PORT_RECEIVER,
	PORT_FIRST_IDLE,
	ANNOUNCE_TIMEOUT_MS = 500,
	ANNOUNCE_TRIES = 4,
	ANNOUNCE_STRANGERS = 64,	/* other frames looked at per try */
};

struct traffic {
	struct traffic_setup setup;
	unsigned int port_count;	/* that are open */
	struct peer ports[];
};

static int complain(const struct traffic_end *end, const char *what, int err)
{
	fprintf(stderr, "ringbench: %s: %s: %s\n", end->path, what,
		strerror(-err));
	return err;
}

static bool wait_for_announcement(const struct peer *to,
				  const struct peer *from)
{
	uint8_t frame[FRAME_MAX_BYTES];

	for (int i = 0; i < ANNOUNCE_STRANGERS; i++) {
		const ssize_t n = peer_recv(to, frame, sizeof(frame));

		if (n < 0)
			return false;
		if (pattern_is_from(frame, (size_t)n, from->mac, TYPE_ANNOUNCE))
			return true;
	}
	return false;
}

/*
 * Let the switch learn where @from is, by a frame to @dst that @to sees come
 * out. The switch has looked at the frame then, so no pause is needed.
 */
static int announce(const struct peer *from, const struct peer *to,
		    const uint8_t dst[6])
{
	uint8_t frame[FRAME_MIN_BYTES];
	int err = peer_set_timeouts(to, ANNOUNCE_TIMEOUT_MS);

	pattern_write_header(frame, dst, from->mac, TYPE_ANNOUNCE);
	pattern_write_payload(frame, sizeof(frame), 0, 0);
	for (int i = 0; !err && i < ANNOUNCE_TRIES; i++) {
		err = peer_send(from, frame, sizeof(frame));
		if (!err && wait_for_announcement(to, from))
			return 0;
	}
	return err ? err : -ETIMEDOUT;
}

static int join(struct traffic *t, unsigned int index)
{
	const struct traffic_end *end = index == PORT_RECEIVER ?
					&t->setup.receiver : &t->setup.sender;
	int err = peer_open(&t->ports[index], end->path, end->kind, index);

	if (err)
		return complain(end, "cannot join the switch", err);
	t->port_count = index + 1;
	return 0;
}

static int announce_pair(const struct traffic *t)
{
	const struct peer *sender = &t->ports[PORT_SENDER];
	const struct peer *receiver = &t->ports[PORT_RECEIVER];
	int err = announce(receiver, sender, mac_broadcast);

	if (!err)
		err = announce(sender, receiver, receiver->mac);
	return err ? complain(&t->setup.sender, "no frame comes through", err) : 0;
}

static int join_idle(struct traffic *t, unsigned int index)
{
	const struct peer *receiver = &t->ports[PORT_RECEIVER];
	int err = join(t, index);

	if (err)
		return err;
	err = announce(&t->ports[index], receiver, receiver->mac);
	if (err)
		complain(&t->setup.sender, "no frame from an idle port", err);
	return err;
}

static int join_all(struct traffic *t)
{
	const unsigned int ports = PORT_FIRST_IDLE + t->setup.idle_ports;
	int err = join(t, PORT_SENDER);

	if (!err)
		err = join(t, PORT_RECEIVER);
	if (!err)
		err = announce_pair(t);
	for (unsigned int i = PORT_FIRST_IDLE; !err && i < ports; i++)
		err = join_idle(t, i);
	if (!err) {
		peer_drain(&t->ports[PORT_SENDER]);
		peer_drain(&t->ports[PORT_RECEIVER]);
	}
	return err;
}

struct traffic *traffic_new(const struct traffic_setup *setup)
{
	const size_t ports = PORT_FIRST_IDLE + (size_t)setup->idle_ports;
	struct traffic *t;

	t = calloc(1, sizeof(*t) + ports * sizeof(t->ports[0]));
	if (!t) {
		fputs("ringbench: cannot allocate the ports\n", stderr);
		return NULL;
	}
	t->setup = *setup;
	if (join_all(t)) {
		traffic_free(t);
		return NULL;
	}
	return t;
}

void traffic_free(struct traffic *t)
{
	if (!t)
		return;
	for (unsigned int i = 0; i < t->port_count; i++)
		peer_close(&t->ports[i]);
	free(t);
}

/* The sender's process: it reports through @report_fd and never returns. */
static _Noreturn void sender_main(const struct traffic *t,
				  const struct load *load, int report_fd)
{
	struct sender_report report;

	prctl(PR_SET_PDEATHSIG, (unsigned long)SIGKILL);
	sender_run(load, &t->ports[PORT_SENDER], t->ports[PORT_RECEIVER].mac,
		   &report);
	_exit(write(report_fd, &report, sizeof(report)) !=
	      (ssize_t)sizeof(report));
}

static int receive_while_sending(struct traffic *t, const struct load *load,
				 struct receiver *r,
				 struct sender_report *report)
{
	const struct peer *receiver = &t->ports[PORT_RECEIVER];
	int pipe_fds[2], err;
	pid_t child;

	if (pipe(pipe_fds))
		return -errno;
	child = fork();
	if (child == 0)
		sender_main(t, load, pipe_fds[1]);
	err = child < 0 ? -errno : 0;
	close(pipe_fds[1]);
	if (!err)
		err = receiver_run(r, receiver, load->size_bytes, pipe_fds[0]);
	if (!err && read(pipe_fds[0], report, sizeof(*report)) !=
		    (ssize_t)sizeof(*report))
		err = -EPIPE;
	close(pipe_fds[0]);
	if (child > 0) {
		if (err)
			kill(child, SIGKILL);
		waitpid(child, NULL, 0);
	}
	return err ? err : report->err;
}

static int read_switch_usage(const struct traffic *t, struct proc_usage *usage)
{
	int err;

	*usage = (struct proc_usage){ 0 };
	if (!t->setup.switch_pid)
		return 0;
	err = proc_read_usage(t->setup.switch_pid, usage);
	if (err)
		fprintf(stderr, "ringbench: process %d: cannot read its usage: %s\n",
			(int)t->setup.switch_pid, strerror(-err));
	return err;
}

static void subtract_usage(struct proc_usage *after,
			   const struct proc_usage *before)
{
	after->cpu_ns -= before->cpu_ns;
	after->voluntary_switches -= before->voluntary_switches;
	after->involuntary_switches -= before->involuntary_switches;
}

static int compare_u64(const void *left, const void *right)
{
	const uint64_t a = *(const uint64_t *)left;
	const uint64_t b = *(const uint64_t *)right;

	return (a > b) - (a < b);
}

static int receiver_init(struct receiver *r, const struct traffic *t,
			 const struct load *load)
{
	*r = (struct receiver){ 0 };
	if (t->setup.keep_latency) {
		r->latency_room = load->count;
		r->latency_ns = calloc(load->count, sizeof(*r->latency_ns));
		if (!r->latency_ns)
			return -ENOMEM;
	}
	return tally_init(&r->tally);
}

static void fill_result(struct traffic_result *result, struct receiver *r)
{
	const uint64_t end_ns = r->last_ns > result->sender.end_ns ?
				r->last_ns : result->sender.end_ns;

	result->elapsed_ns = end_ns - result->sender.start_ns;
	result->tally = r->tally;
	result->tally.seen = NULL;
	result->latency_ns = r->latency_ns;
	result->latency_count = r->tally.delivered < r->latency_room ?
				r->tally.delivered : r->latency_room;
	if (r->latency_ns)
		qsort(r->latency_ns, result->latency_count,
		      sizeof(*r->latency_ns), compare_u64);
	r->latency_ns = NULL;
}

int traffic_run(struct traffic *t, const struct load *load,
		struct traffic_result *result)
{
	struct proc_usage before, own_before = { 0 }, own_after = { 0 };
	struct receiver r;
	int err = receiver_init(&r, t, load);

	*result = (struct traffic_result){ 0 };
	if (!err)
		err = read_switch_usage(t, &before);
	if (!err)
		err = proc_read_usage(getpid(), &own_before);
	if (!err)
		err = receive_while_sending(t, load, &r, &result->sender);
	if (!err)
		err = proc_read_usage(getpid(), &own_after);
	if (!err)
		err = read_switch_usage(t, &result->usage);
	if (!err) {
		subtract_usage(&result->usage, &before);
		result->receiver_cpu_ns = own_after.cpu_ns - own_before.cpu_ns;
		fill_result(result, &r);
	} else {
		complain(&t->setup.sender, "measurement failed", err);
	}
	tally_fini(&r.tally);
	free(r.latency_ns);
	return err;
}
