/* Sending the frames of a file. See replay.h. */
#include "replay.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "now.h"
#include "peer.h"
#include "result.h"

enum {
	NUMBER_BYTES = 4,	/* at the end of each frame */
	BATCHES_MAX = 1 << 17,
	/* How long a switch may be kept from running. */
	STILL_MS = 200,
	/* How often a packet socket is looked at; a window lasts for longer. */
	LOOK_US = 50,
};

struct frames {
	uint8_t *bytes;
	size_t size_bytes, count;
};

/* What the two processes have in common. */
struct replay_shared {
	_Atomic uint64_t received;
	_Atomic bool sender_is_done;
	int sender_err;
	struct replay_result result;	/* the sender's part of it */
};

static int complain(const char *path, const char *what, int err)
{
	fprintf(stderr, "ringbench: %s: %s: %s\n", path, what, strerror(-err));
	return err;
}

static uint8_t *frame_at(const struct frames *f, uint64_t number)
{
	return f->bytes + number % f->count * f->size_bytes;
}

static int send_frame(const struct peer *from, const struct frames *f,
		      uint64_t number, bool wait)
{
	return peer_send_one(from, frame_at(f, number), f->size_bytes, wait);
}

static int frames_read(struct frames *f, const char *path, size_t size_bytes)
{
	FILE *file = fopen(path, "re");
	long size = -1;

	*f = (struct frames){ .size_bytes = size_bytes };
	if (!file)
		return complain(path, "cannot be opened", -errno);
	if (fseek(file, 0, SEEK_END) == 0)
		size = ftell(file);
	rewind(file);
	f->count = size > 0 ? (size_t)size / size_bytes : 0;
	if (f->count && (size_t)size % size_bytes == 0)
		f->bytes = malloc((size_t)size);
	if (f->bytes && fread(f->bytes, size_bytes, f->count, file) != f->count) {
		free(f->bytes);
		f->bytes = NULL;
	}
	fclose(file);
	return f->bytes ? 0 : complain(path, "not whole frames of this size",
				       -EINVAL);
}

static bool is_one_of(const struct frames *f, const uint8_t *frame, size_t len)
{
	uint64_t number = 0;

	if (len != f->size_bytes)
		return false;
	for (size_t i = len - NUMBER_BYTES; i < len; i++)
		number = number << 8 | frame[i];
	return number < f->count && !memcmp(frame, frame_at(f, number), len);
}

/* Without a receiver -------------------------------------------------------- */

static int send_batch(const struct peer *from, const struct frames *f,
		      struct replay_result *result)
{
	for (int i = 0; i < REPLAY_BATCH; i++) {
		const int err = send_frame(from, f, result->sent, false);

		if (err == -ENOBUFS || err == -EAGAIN)
			result->refused++;
		else if (err)
			return err;
		result->sent++;
	}
	return 0;
}

static int compare_u64(const void *left, const void *right)
{
	const uint64_t a = *(const uint64_t *)left;
	const uint64_t b = *(const uint64_t *)right;

	return (a > b) - (a < b);
}

static int send_alone(const struct replay_setup *setup, const struct peer *from,
		      const struct frames *f, struct replay_result *result)
{
	uint64_t *batch_ns = calloc(BATCHES_MAX, sizeof(*batch_ns));
	const uint64_t start_ns = now_ns();
	uint64_t last_ns = start_ns;
	size_t batches = 0;
	int err = batch_ns ? 0 : -ENOMEM;

	while (!err && batches < BATCHES_MAX &&
	       last_ns - start_ns < setup->limit_ns) {
		const uint64_t before_ns = last_ns;

		err = send_batch(from, f, result);
		last_ns = now_ns();
		batch_ns[batches++] = last_ns - before_ns;
	}
	result->elapsed_ns = last_ns - start_ns;
	if (batches) {
		qsort(batch_ns, batches, sizeof(*batch_ns), compare_u64);
		result->batch_ns = batch_ns[batches / 2];
	}
	free(batch_ns);
	return err;
}

/* With a receiver ----------------------------------------------------------- */

/*
 * Wait until at most @ahead frames are on their way. What has not come after a
 * while will not: @lost is how many of these there are.
 */
static void wait_for_receiver(const struct replay_shared *s, uint64_t sent,
			      uint64_t ahead, uint64_t *lost)
{
	uint64_t received = s->received;
	uint64_t since_ns = 0;

	while (sent - *lost > received && sent - *lost - received > ahead) {
		sched_yield();
		if (s->received != received) {
			received = s->received;
			since_ns = 0;
		} else if (!since_ns) {
			since_ns = now_ns();
		} else if (now_ns() - since_ns > STILL_MS * 1000 * NS_PER_US) {
			*lost = sent - received;
		}
	}
}

static int send_with_window(const struct replay_setup *setup,
			    const struct peer *from, const struct frames *f,
			    struct replay_shared *s)
{
	struct replay_result *result = &s->result;
	const uint64_t start_ns = now_ns();
	uint64_t lost = 0;
	int err = 0;

	while (!err && now_ns() - start_ns < setup->limit_ns) {
		wait_for_receiver(s, result->sent, setup->window - 1, &lost);
		err = send_frame(from, f, result->sent, false);
		if (!err)
			result->sent++;
		else
			result->refused++;
		if (err == -EAGAIN || err == -ENOBUFS) {
			sched_yield();
			err = 0;
		}
	}
	result->elapsed_ns = now_ns() - start_ns;
	wait_for_receiver(s, result->sent, 0, &lost);
	return err;
}

/* The sender's process, which never returns. */
static _Noreturn void sender_main(const struct replay_setup *setup,
				  const struct peer *from,
				  const struct frames *f, struct replay_shared *s)
{
	struct proc_usage usage;

	prctl(PR_SET_PDEATHSIG, (unsigned long)SIGKILL);
	s->sender_err = send_with_window(setup, from, f, s);
	if (proc_read_usage(getpid(), &usage) == 0)
		s->result.sender_cpu_ns = usage.cpu_ns;
	s->sender_is_done = true;
	_exit(0);
}

/* The next frame, or -EAGAIN after a while. */
static ssize_t receive_one(const struct peer *to, uint8_t *frame, size_t size)
{
	ssize_t n;

	if (to->kind != PEER_PACKET)
		return peer_recv_one(to, frame, size, STILL_MS);
	n = peer_recv_one(to, frame, size, 0);
	if (n == -EAGAIN)
		sleep_until_ns(now_ns() + LOOK_US * NS_PER_US);
	return n;
}

static int receive(const struct peer *to, const struct frames *f,
		   struct replay_shared *s, struct replay_result *result)
{
	uint8_t frame[FRAME_MAX_BYTES];
	int err = 0;

	/* Sleep as long as asked for, not 50 us longer. */
	prctl(PR_SET_TIMERSLACK, 1UL);
	while (!err) {
		const bool is_last_look = s->sender_is_done;
		const ssize_t n = receive_one(to, frame, sizeof(frame));

		if (n == -EAGAIN && is_last_look)
			break;
		if (n >= 0 && is_one_of(f, frame, (size_t)n))
			s->received = ++result->delivered;
		else if (n >= 0)
			result->corrupt++;
		else if (n != -EAGAIN && n != -EINTR)
			err = (int)n;
	}
	return err;
}

/* Let the switch learn where the frames go to: the first one, from there. */
static int announce(const struct peer *to, const struct frames *f)
{
	uint8_t *frame = malloc(f->size_bytes);
	int err;

	if (!frame)
		return -ENOMEM;
	memcpy(frame, f->bytes, f->size_bytes);
	memcpy(frame, f->bytes + MAC_BYTES, MAC_BYTES);
	memcpy(frame + MAC_BYTES, f->bytes, MAC_BYTES);
	err = peer_send_one(to, frame, f->size_bytes, true);
	free(frame);
	return err;
}

static int send_to_receiver(const struct replay_setup *setup,
			    const struct peer *from, const struct peer *to,
			    const struct frames *f,
			    struct replay_result *result)
{
	struct replay_shared *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t child;
	int err;

	if (s == MAP_FAILED)
		return -errno;
	err = announce(to, f);
	child = err ? -1 : fork();
	if (child == 0)
		sender_main(setup, from, f, s);
	if (child > 0) {
		err = receive(to, f, s, result);
		if (err)
			kill(child, SIGKILL);
		waitpid(child, NULL, 0);
	} else if (!err) {
		err = -errno;
	}
	result->sent = s->result.sent;
	result->refused = s->result.refused;
	result->elapsed_ns = s->result.elapsed_ns;
	result->sender_cpu_ns = s->result.sender_cpu_ns;
	if (!err)
		err = s->sender_err;
	munmap(s, sizeof(*s));
	return err;
}

/* --------------------------------------------------------------------------- */

/* All its processes. */
static int cpu_of(pid_t pid, struct proc_usage *usage)
{
	*usage = (struct proc_usage){ 0 };
	return pid ? proc_read_family(pid, usage) : 0;
}

static int measure(const struct replay_setup *setup, const struct peer *from,
		   const struct peer *to, const struct frames *f,
		   struct replay_result *result)
{
	struct proc_usage before, own_before, own_after;
	int err = cpu_of(setup->switch_pid, &before);

	if (!err)
		err = cpu_of(getpid(), &own_before);
	if (!err)
		err = to ? send_to_receiver(setup, from, to, f, result)
			 : send_alone(setup, from, f, result);
	if (!err)
		err = cpu_of(getpid(), &own_after);
	if (!err && !to)
		result->sender_cpu_ns = own_after.cpu_ns - own_before.cpu_ns;
	if (!err)
		err = cpu_of(setup->switch_pid, &result->usage);
	result->usage.cpu_ns -= before.cpu_ns;
	return err;
}

static int open_end(struct peer *peer, const struct peer_end *end,
		    unsigned int index)
{
	int err = peer_open(peer, end, index);

	if (err)
		fprintf(stderr, "ringbench: %s: cannot attach: %s\n", end->path,
			peer_why(end->kind, err));
	return err;
}

int replay_run(const struct replay_setup *setup, struct replay_result *result)
{
	const bool has_receiver = setup->receiver.path != NULL;
	struct peer from, to;
	struct frames f;
	int err = frames_read(&f, setup->frames_path, setup->size_bytes);

	*result = (struct replay_result){ 0 };
	if (err)
		return err;
	err = open_end(&from, &setup->sender, 0);
	if (err)
		goto free_frames;
	if (has_receiver)
		err = open_end(&to, &setup->receiver, 1);
	if (err)
		goto close_from;
	err = measure(setup, &from, has_receiver ? &to : NULL, &f, result);
	if (err)
		complain(setup->sender.path, "measurement failed", err);
	if (has_receiver)
		peer_close(&to);
close_from:
	peer_close(&from);
free_frames:
	free(f.bytes);
	return err;
}

json_t *replay_report(const struct replay_setup *setup,
		      const struct replay_result *result)
{
	json_t *to = json_pack("{s:s, s:s}", "mode", "replay", "client",
			       peer_kind_name[setup->sender.kind]);

	result_number(to, "size_bytes", setup->size_bytes);
	result_ratio(to, "elapsed_s", (double)result->elapsed_ns, NS_PER_S);
	result_number(to, "sent", result->sent);
	result_number(to, "refused", result->refused);
	result_ratio(to, "sender_cpu_ns_per_frame",
		     (double)result->sender_cpu_ns, (double)result->sent);
	if (!setup->receiver.path) {
		result_ratio(to, "ns_per_frame", (double)result->batch_ns,
			     REPLAY_BATCH);
		return to;
	}
	json_object_set_new(to, "receiver", json_string(
				    peer_kind_name[setup->receiver.kind]));
	result_number(to, "delivered", result->delivered);
	result_number(to, "corrupt", result->corrupt);
	result_ratio(to, "loss", (double)result->sent - (double)result->delivered,
		     (double)result->sent);
	result_ratio(to, "frames_per_s", (double)result->delivered * NS_PER_S,
		     (double)result->elapsed_ns);
	if (setup->switch_pid)
		result_ratio(to, "switch_cpu_ns_per_frame",
			     (double)result->usage.cpu_ns,
			     (double)result->delivered);
	return to;
}
