#include "opener.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "opener_inside.h"
#include "opener_process.h"

/* --- its life ------------------------------------------------------------- */

/* It has its own copy of everything that the switch has now; and must not keep
 * its ends open. */
static int fork_it(struct opener *op, const struct options *o,
		   const struct privilege *privilege, int jobs_end,
		   int joins_end)
{
	op->pid = fork();
	if (op->pid < 0)
		return -errno;
	if (!op->pid)
		opener_process(jobs_end, joins_end, o, privilege);
	return 0;
}

static int make_channels(int jobs[2], int joins[2])
{
	const int type = SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK;

	if (socketpair(AF_UNIX, type, 0, jobs))
		return -errno;
	if (!socketpair(AF_UNIX, type, 0, joins))
		return 0;
	close(jobs[0]);
	close(jobs[1]);
	return -errno;
}

static void say_gone(struct opener *op)
{
	if (!op->gone)
		log_error("the process that opens things for the switch (pid %d) has ended: nobody joins as uml or vde any more, and nothing is added, until the switch is started again (ringctl restart)",
			  op->pid);
	op->gone = true;
}

bool opener_is_gone(struct opener *op)
{
	struct pollfd state = { .fd = op->joins_fd };

	if (!op->gone && poll(&state, 1, 0) == 1 &&
	    state.revents & (POLLHUP | POLLERR))
		say_gone(op);
	return op->gone;
}

/* The answer to job @number, within @wait_ms. */
static int await(struct opener *op, uint32_t number, int wait_ms,
		 struct opener_answer *answer, struct opener_fds *out)
{
	uint64_t end_ms = clock_now_ms() + (uint64_t)wait_ms;

	for (;;) {
		struct pollfd state = { .fd = op->jobs_fd, .events = POLLIN };
		uint64_t now_ms = clock_now_ms();
		int err = opener_wire_receive(op->jobs_fd, answer,
					      sizeof(*answer), out);

		if (!err && answer->number == number)
			return 0;
		opener_fds_close(out); /* of one that was not waited for */
		if (err == -EAGAIN && now_ms >= end_ms)
			return -ETIMEDOUT;
		if (err == -EAGAIN)
			poll(&state, 1, (int)(end_ms - now_ms));
		else if (err)
			return err;
	}
}

static void abandon(struct opener *op)
{
	close(op->jobs_fd);
	close(op->joins_fd);
	free(op);
}

/* Leaves what is open to abandon(). */
static int begin(struct opener *op, const struct options *o,
		 const struct privilege *privilege)
{
	int jobs[2], joins[2];
	int err = make_channels(jobs, joins);

	if (err)
		return err;
	op->jobs_fd = jobs[0];
	op->joins_fd = joins[0];
	err = fork_it(op, o, privilege, jobs[1], joins[1]);
	close(jobs[1]);
	close(joins[1]);
	return err;
}

/* Its first words: whether it has given up its privileges. */
static int hear(struct opener *op, char *why, size_t why_bytes)
{
	struct opener_answer *answer = malloc(sizeof(*answer));
	struct opener_fds none = { 0 };
	int err = answer ? await(op, 0, OPENER_START_MS, answer, &none)
			 : -ENOMEM;

	snprintf(why, why_bytes, "the process that opens things: %s",
		 strerror(-err));
	if (!err && answer->result) {
		err = answer->result;
		snprintf(why, why_bytes, "%s", answer->why);
	}
	free(answer);
	return err;
}

int opener_start(struct opener **opener, const struct options *o,
		 const struct privilege *privilege, char *why,
		 size_t why_bytes)
{
	struct opener *op = calloc(1, sizeof(*op));
	int err = -ENOMEM;

	if (op) {
		op->jobs_fd = op->joins_fd = -1;
		err = begin(op, o, privilege);
	}
	if (err)
		snprintf(why, why_bytes,
			 "cannot start the process that opens things: %s",
			 strerror(-err));
	else
		err = hear(op, why, why_bytes);
	if (!err)
		*opener = op;
	else if (op)
		abandon(op);
	return err;
}

pid_t opener_pid(const struct opener *op)
{
	return op ? op->pid : 0;
}

/* --- asking --------------------------------------------------------------- */

/* Nothing has come of a job, for @err. Returns it as those who ask are told. */
static int complain(struct opener *op, int err, char *why)
{
	const char *who = "the process that opens things for the switch";

	if (err == -EPIPE || err == -EPROTO) {
		say_gone(op);
		snprintf(why, OPENER_WHY_BYTES,
			 "%s has ended: start the switch again (ringctl restart)",
			 who);
		return -ENOTCONN;
	}
	if (err == -ETIMEDOUT || err == -EAGAIN) {
		snprintf(why, OPENER_WHY_BYTES,
			 "%s does not answer: try again later", who);
		return -ETIMEDOUT;
	}
	snprintf(why, OPENER_WHY_BYTES, "%s%s", strerror(-err),
		 err == -EMFILE ? " (raise the limit: ulimit -n)" : "");
	return err;
}

/* One that has not answered in time is left alone until it has. */
static int send_job(struct opener *op, const struct opener_job *job,
		    const struct opener_fds *in, struct opener_answer *answer,
		    struct opener_fds *out)
{
	int err = op->late ? await(op, op->number, 0, answer, out) : 0;

	if (err)
		return err;
	if (op->late)
		opener_fds_close(out);
	op->late = false;
	return opener_wire_send(op->jobs_fd, job, sizeof(*job), in);
}

int opener_ask(struct opener *op, struct opener_job *job,
	       const struct opener_fds *in, struct opener_answer *answer,
	       struct opener_fds *out)
{
	int err = opener_is_gone(op) ? -EPIPE : 0;

	job->number = op->number + 1;
	if (!err)
		err = send_job(op, job, in, answer, out);
	if (!err) {
		op->number++;
		err = await(op, op->number, OPENER_WAIT_MS, answer, out);
		op->late = err == -ETIMEDOUT;
	}
	return err ? complain(op, err, answer->why) : 0;
}

void opener_stop(struct opener *op)
{
	struct pollfd end;

	if (!op)
		return;
	opener_finish(op);
	/* It ends when the channel does: its end is ours to see. */
	shutdown(op->jobs_fd, SHUT_WR);
	end = (struct pollfd){ .fd = op->joins_fd };
	if (!op->late && poll(&end, 1, OPENER_WAIT_MS) == 1)
		waitpid(op->pid, NULL, 0);
	abandon(op);
}
