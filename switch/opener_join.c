#include "opener_join.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "clock.h"
#include "kept.h"
#include "limits.h"
#include "log.h"
#include "loop.h"
#include "opener_inside.h"
#include "opener_jobs.h"
#include "port_uml.h"
#include "sw.h"

int opener_join(struct sw *sw, const struct port *p,
		const struct opener_join *join)
{
	struct opener *op = sw->opener;
	struct opener_fds control = { .count = 1, .fd = { p->control_fd } };
	int err;

	if (!op || opener_is_gone(op))
		return -ENOTCONN;
	if (op->joining >= JOINS_ASKED_MAX)
		return -EAGAIN;
	err = opener_wire_send(op->joins_fd, join, sizeof(*join), &control);
	if (!err)
		op->joining++;
	return err == -EPIPE ? -ENOTCONN : err;
}

void opener_join_count(struct sw *sw, unsigned waiting)
{
	if (sw->opener)
		sw->opener->joining = waiting;
}

static void arm(struct sw *sw)
{
	loop_arm_poll(sw, sw->opener->joins_fd, POLLIN, LOOP_OPENER, 0, 0);
}

void opener_arm(struct sw *sw)
{
	if (!sw->opener)
		return;
	loop_file_add(&sw->loop, sw->opener->joins_fd);
	arm(sw);
}

void opener_on_joined(struct sw *sw)
{
	sw->opener->readable = true;
}

static void no_descriptor(struct opener *op, struct opener_joined *answer)
{
	if (answer->own.sun_path[0])
		opener_remove_data_file(op, answer->own.sun_path);
	answer->result = -EMFILE;
}

/* The next switch has another. One that has just begun waits for somebody to
 * look after it: an opener that ends again and again helps nobody. */
static void start_anew(struct sw *sw)
{
	if (kept_fd(sw->kept) < 0 ||
	    sw->now_ms - sw->started_ms < OPENER_LIVES_MS)
		return;
	log_info("starting anew, to have another");
	sw->stopping = sw->restarting = true;
}

static void take_one(struct sw *sw)
{
	struct opener *op = sw->opener;
	struct opener_joined answer;
	struct opener_fds fds;
	int err = opener_wire_receive(op->joins_fd, &answer, sizeof(answer),
				      &fds);

	/* We may have no more of them. */
	if (err == -EMFILE)
		no_descriptor(op, &answer);
	if (!err || err == -EMFILE) {
		op->joining -= op->joining > 0;
		uml_joined(sw, &answer, fds.count ? fds.fd[0] : -1);
		return;
	}
	op->readable = false;
	/* Whatever it was, others come after it. */
	if (err == -EAGAIN || !opener_is_gone(op))
		arm(sw);
	else
		start_anew(sw);
}

void opener_join_run(struct sw *sw, bool traffic)
{
	struct opener *op = sw->opener;
	uint64_t now_ns, end_ns;

	if (!op || !op->readable)
		return;
	now_ns = clock_now_ns();
	if (traffic && now_ns < op->not_before_ns)
		return;
	take_one(sw);
	end_ns = clock_now_ns();
	op->not_before_ns = end_ns + JOIN_SHARE * (end_ns - now_ns);
}

uint64_t opener_join_wait_ns(const struct sw *sw, bool traffic)
{
	const struct opener *op = sw->opener;
	uint64_t now_ns;

	if (!op || !op->readable)
		return UINT64_MAX;
	if (!traffic)
		return 0;
	now_ns = clock_now_ns();
	return now_ns < op->not_before_ns ? op->not_before_ns - now_ns : 0;
}

void opener_remove_data_file(struct opener *op, const char *path)
{
	struct opener_join job = { .remove = true };
	struct pollfd room = { .events = POLLOUT };

	if (!op) {
		opener_do_remove(path);
		return;
	}
	snprintf(job.prefix, sizeof(job.prefix), "%s", path);
	room.fd = op->joins_fd;
	while (!opener_is_gone(op) &&
	       opener_wire_send(op->joins_fd, &job, sizeof(job), NULL) ==
		       -EAGAIN)
		if (poll(&room, 1, OPENER_WAIT_MS) <= 0)
			return;
}
