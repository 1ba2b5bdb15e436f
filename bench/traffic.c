/* Running a measurement. See traffic.h. */
#include "traffic.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "now.h"
#include "sender.h"

pid_t traffic_fork(int *fd)
{
	int pipe_fds[2];
	pid_t child;

	if (pipe(pipe_fds))
		return -errno;
	child = fork();
	if (child == 0) {
		/* The other end stays open, and closes with us. */
		prctl(PR_SET_PDEATHSIG, (unsigned long)SIGKILL);
		close(pipe_fds[0]);
		return 0;
	}
	if (child < 0)
		child = -errno;
	close(pipe_fds[1]);
	if (child < 0)
		close(pipe_fds[0]);
	else
		*fd = pipe_fds[0];
	return child;
}

static int receive_while_sending(const struct traffic *t, struct shared *shared,
				 struct receiver *r)
{
	int sender_fd, err;
	const pid_t child = traffic_fork(&sender_fd);

	if (child == 0) {
		sender_run(t->load, t->ports, t->plan, shared);
		_exit(0);
	}
	if (child < 0)
		return child;
	err = receiver_run(r, t, shared, sender_fd);
	close(sender_fd);
	if (err)
		kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	if (!err && !shared->report.end_ns)
		err = -ECHILD;
	return err ? err : shared->report.err;
}

int traffic_read_usages(const struct traffic *t, struct traffic_usages *usages)
{
	int err = proc_read_usage(getpid(), &usages->own);

	usages->other = (struct proc_usage){ 0 };
	if (!err)
		err = proc_read_machine(&usages->machine_ns);
	if (err || !t->switch_pid)
		return err;
	err = proc_read_family(t->switch_pid, &usages->other);
	if (!err)
		return 0;
	progress_clear(t->progress);
	fprintf(stderr, "ringbench: process %d: cannot read its usage: %s\n",
		(int)t->switch_pid, err == -ENOENT ? "there is none" :
		strerror(-err));
	return -ESRCH;
}

static void count_flows(const struct tracker *tracker,
			const struct plan *plan, struct traffic_result *result)
{
	result->flow_min = UINT64_MAX;
	for (unsigned int i = 0; i < tracker->count; i++) {
		const uint64_t delivered = tracker->track[i].delivered;

		/* That of the sender itself, where it sends to everybody. */
		if (plan_tracks(plan) != plan->flow_count && i == 0)
			continue;
		if (delivered < result->flow_min)
			result->flow_min = delivered;
		if (delivered > result->flow_max)
			result->flow_max = delivered;
	}
}

static void fill_result(const struct traffic *t, const struct shared *shared,
			const struct traffic_usages *before, const struct traffic_usages *after,
			struct traffic_result *result)
{
	const uint64_t last_ns = result->receiver.last_ns;

	result->sender = shared->report;
	result->elapsed_ns = (last_ns > shared->report.end_ns ? last_ns :
			      shared->report.end_ns) - shared->report.start_ns;
	result->receiver_cpu_ns = after->own.cpu_ns - before->own.cpu_ns;
	result->machine_cpu_ns = after->machine_ns - before->machine_ns;
	result->usage = after->other;
	proc_subtract(&result->usage, &before->other);
	count_flows(&result->receiver.tracker, t->plan, result);
}

static int measure(const struct traffic *t, struct shared *shared,
		   struct traffic_result *result)
{
	struct traffic_usages before, after;
	int err = receiver_init(&result->receiver, t->plan);

	if (!err)
		err = traffic_read_usages(t, &before);
	if (!err)
		err = receive_while_sending(t, shared, &result->receiver);
	if (!err)
		err = traffic_read_usages(t, &after);
	if (!err)
		fill_result(t, shared, &before, &after, result);
	receiver_fini(&result->receiver);
	return err;
}

int traffic_complain(const struct traffic *t, int err)
{
	const struct peer_end *near = &t->ports->setup.near;

	progress_clear(t->progress);
	if (err && err != -EINTR && err != -ESRCH)
		fprintf(stderr, "ringbench: %s:%s: measurement failed: %s\n",
			peer_kind_name[t->ports->peer[0].kind],
			near->path ? near->path : "floor",
			err == -ECHILD ? "the sending process has died" :
			peer_why(t->ports->peer[0].kind, err));
	return err;
}

int traffic_run(const struct traffic *t, struct traffic_result *result)
{
	struct shared *shared = mmap(NULL, sizeof(*shared),
				     PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int err = -ENOMEM;

	memset(result, 0, sizeof(*result));
	if (shared != MAP_FAILED) {
		err = measure(t, shared, result);
		munmap(shared, sizeof(*shared));
	}
	return traffic_complain(t, err);
}
