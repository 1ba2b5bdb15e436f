#include <assert.h>
#include <errno.h>
#include <liburing.h>
#include <sched.h>

#include "clock.h"
#include "control.h"
#include "loop.h"
#include "opener_join.h"
#include "sw.h"

bool loop_has_traffic(const struct sw *sw)
{
	return sw->now_ms - sw->loop.traffic_ms <= TRAFFIC_MS;
}

/* EBUSY, EAGAIN: the kernel wants completions read first. */
static void count(struct sw *sw, int n)
{
	assert(n >= 0 || n == -EINTR || n == -EBUSY || n == -EAGAIN ||
	       n == -ETIME);
	if (n > 0)
		sw->loop.counters.submissions += (unsigned)n;
}

/* Whether the kernel has something for us, or needs us to finish it. */
static bool something_happened(const struct io_uring *ring)
{
	return io_uring_cq_ready(ring) ||
	       IO_URING_READ_ONCE(*ring->sq.kflags) &
		       (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW);
}

/*
 * Waking a processor that sleeps takes far longer than forwarding a frame: look
 * for the next one for a while, and let everybody else on this processor have it
 * meanwhile. Returns whether there is something to be done.
 */
static bool busy_poll(struct sw *sw)
{
	struct io_uring *ring = &sw->loop.ring;
	uint64_t end = clock_now_ns() + sw->loop.busy_poll_us * 1000ull;

	if (io_uring_sq_ready(ring))
		count(sw, io_uring_submit(ring));
	do {
		if (something_happened(ring)) {
			io_uring_get_events(ring);
			if (io_uring_cq_ready(ring))
				return true;
		}
		sched_yield();
	} while (clock_now_ns() < end);
	return false;
}

void loop_wait(struct sw *sw)
{
	struct io_uring *ring = &sw->loop.ring;
	uint64_t control_ns = control_wait_ns(sw, loop_has_traffic(sw));
	uint64_t join_ns = opener_join_wait_ns(sw, loop_has_traffic(sw));
	uint64_t wait_ns = control_ns < join_ns ? control_ns : join_ns;
	struct __kernel_timespec wait = {
		.tv_sec = (long long)(wait_ns / 1000000000),
		.tv_nsec = (long long)(wait_ns % 1000000000),
	};
	struct io_uring_cqe *cqe;

	if (wait_ns == UINT64_MAX && sw->loop.busy_poll_us &&
	    loop_has_traffic(sw) && busy_poll(sw))
		return;
	count(sw, wait_ns == UINT64_MAX
			  ? io_uring_submit_and_wait(ring, 1)
		  : wait_ns ? io_uring_submit_and_wait_timeout(ring, &cqe, 1,
							       &wait, NULL)
			    : io_uring_submit_and_get_events(ring));
}
