/* One guest's transmit path, paced or as fast as it goes. See sender.h. */
#include "sender.h"

#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "now.h"
#include "pattern.h"
#include "peer.h"
#include "proc.h"

/* Looking at the clock for every frame would cost some percent. */
enum { CLOCK_EVERY_FRAMES = 32 };
/* How late the end may be noticed while the switch takes nothing. */
enum { BLOCK_TIMEOUT_MS = 100 };

static bool is_full(int err)
{
	return err == -EAGAIN || err == -ENOBUFS;
}

/* Returns 0 once the kernel has taken the frame, or why it never did. */
static int send_patiently(const struct load *load, const struct peer *from,
			  const uint8_t *frame, uint64_t deadline_ns,
			  struct sender_report *report)
{
	int err = peer_send(from, frame, load->size_bytes);

	if (is_full(err))
		report->refused++;
	while (is_full(err) && now_ns() < deadline_ns) {
		if (load->refused_policy == REFUSED_YIELD) {
			sched_yield();
			err = peer_send(from, frame, load->size_bytes);
		} else {
			err = peer_send_waiting(from, frame, load->size_bytes);
		}
	}
	return err;
}

static uint64_t pause_ns(const struct load *load, uint64_t *random)
{
	/* xorshift64: the pauses shall not beat with the switch's timers. */
	*random ^= *random << 13;
	*random ^= *random >> 7;
	*random ^= *random << 17;
	return (load->pause_us * NS_PER_US) +
	       (load->jitter_us ? *random % (load->jitter_us * NS_PER_US) : 0);
}

static int send_one(const struct load *load, const struct peer *from,
		    const uint8_t dst[6], uint64_t deadline_ns,
		    struct sender_report *report)
{
	uint8_t frame[FRAME_MAX_BYTES];
	const uint64_t seq = report->sent;
	const bool broadcast = load->broadcast_every &&
			       seq % load->broadcast_every == 0;
	int err;

	pattern_write_header(frame, broadcast ? mac_broadcast : dst, from->mac,
			     TYPE_TRAFFIC);
	pattern_write_payload(frame, load->size_bytes, seq,
			      load->pause_us ? now_ns() : 0);
	err = send_patiently(load, from, frame, deadline_ns, report);
	if (!err)
		report->sent++;
	return err;
}

void sender_run(const struct load *load, const struct peer *from,
		const uint8_t dst[6], struct sender_report *report)
{
	const uint64_t count = load->count && load->count < PATTERN_MAX_FRAMES ?
			       load->count : PATTERN_MAX_FRAMES;
	struct proc_usage usage;
	uint64_t random = 88172645463325252ULL;
	uint64_t deadline_ns;
	int err = peer_set_timeouts(from, BLOCK_TIMEOUT_MS);

	/* Sleep as long as asked for, not 50 us longer. */
	prctl(PR_SET_TIMERSLACK, 1UL);
	*report = (struct sender_report){ .start_ns = now_ns() };
	deadline_ns = report->start_ns + load->limit_ns;
	while (!err && report->sent < count) {
		if (load->pause_us)
			sleep_until_ns(now_ns() + pause_ns(load, &random));
		if ((load->pause_us || report->sent % CLOCK_EVERY_FRAMES == 0) &&
		    now_ns() >= deadline_ns)
			break;
		err = send_one(load, from, dst, deadline_ns, report);
	}
	report->end_ns = now_ns();
	report->err = is_full(err) ? 0 : err;	/* full at the end is no error */
	if (proc_read_usage(getpid(), &usage) == 0)
		report->cpu_ns = usage.cpu_ns;
}
