#include "keeper.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "keeper_notify.h"
#include "keeper_process.h"
#include "log.h"
#include "options.h"
#include "run_directory.h"
#include "state_file.h"

enum {
	STOP_MS = 10000, /* that a switch may take to end */
	STUCK_MS = 1,	 /* to wait if descriptors are on their way */
};

/* Orphans come to us where we are process 1. */
static void reap(struct keeper *k)
{
	int status;
	pid_t pid;

	while ((pid = (pid_t)TEMP_FAILURE_RETRY(waitpid(-1, &status,
							 WNOHANG))) > 0)
		if (pid == k->child)
			keeper_on_end(k, status);
}

static void on_signal(struct keeper *k, int sig)
{
	if (sig == SIGCHLD) {
		reap(k);
		return;
	}
	if (sig == SIGTERM || sig == SIGINT) {
		k->stopping = true;
		k->kill_at_ms = clock_now_ms() + STOP_MS;
	}
	if (k->child)
		keeper_pass_on(k, sig);
	else if (k->stopping)
		keeper_end(k, 0);
	else
		k->pending |= 1u << sig;
}

static void read_signals(struct keeper *k)
{
	struct signalfd_siginfo info;

	while (!k->over && read(k->signals, &info, sizeof(info)) == sizeof(info))
		on_signal(k, (int)info.ssi_signo);
}

/* A switch that is alive says so; while there is none, we do. */
static void feed_watchdog(struct keeper *k, uint64_t now_ms)
{
	uint64_t since_ms = now_ms - k->looked_ms;

	k->looked_ms = now_ms;
	if (!k->was_ready || !k->watchdog_ms)
		return;
	/* It is we who have not been running. */
	if (since_ms >= k->watchdog_ms / 2)
		k->fed_ms = now_ms;
	if (!k->child || !k->ready) {
		if (now_ms - k->fed_ms >= k->watchdog_ms / 2) {
			keeper_notify("WATCHDOG=1");
			k->fed_ms = now_ms;
		}
	} else if (now_ms - k->fed_ms >= k->watchdog_ms * 3 / 4) {
		log_error("the switch has not been heard of for %llu ms",
			  (unsigned long long)(now_ms - k->fed_ms));
		k->has_killed = !kill(k->child, SIGKILL);
		keeper_notify("WATCHDOG=1");
		k->fed_ms = now_ms;
	}
}

/* Not being able to (no memory, no processes) is a crash like others. */
static void start_again(struct keeper *k)
{
	int err = keeper_start_switch(k);
	uint32_t pause;

	if (!err)
		return;
	pause = keeper_history_crash(&k->history, 0, true, KEEPER_NOBODY, "");
	log_error("cannot start the switch again: %s: the next try in %u ms",
		  strerror(-err), pause);
	k->start_at_ms = clock_now_ms() + pause;
}

static void look_at_clock(struct keeper *k)
{
	uint64_t now_ms = clock_now_ms();

	if (k->child && k->kill_at_ms && now_ms >= k->kill_at_ms) {
		log_error("the switch does not %s: killing it",
			  k->stopping ? "end" : "get ready");
		k->has_killed = !kill(k->child, SIGKILL);
		k->kill_at_ms = 0;
	}
	feed_watchdog(k, now_ms);
	if (!k->child && !k->over && now_ms >= k->start_at_ms)
		start_again(k);
}

static void sooner(uint64_t *than, uint64_t when)
{
	if (when < *than)
		*than = when;
}

/* How long there is nothing to do but listen, in ms; -1: for ever. */
static int patience(const struct keeper *k)
{
	uint64_t now_ms = clock_now_ms(), next = UINT64_MAX;

	if (!k->child)
		sooner(&next, k->start_at_ms);
	if (k->kill_at_ms)
		sooner(&next, k->kill_at_ms);
	if (k->stuck)
		sooner(&next, now_ms + STUCK_MS);
	if (k->was_ready && k->watchdog_ms)
		sooner(&next, now_ms + k->watchdog_ms / 4 + 1);
	if (next == UINT64_MAX)
		return -1;
	return next > now_ms ? (int)(next - now_ms) : 0;
}

static void run(struct keeper *k)
{
	while (!k->over) {
		struct pollfd fds[] = {
			{ .fd = k->signals, .events = POLLIN },
			{ .fd = k->channel, .events = POLLIN },
		};

		if (k->sending && !k->stuck)
			fds[1].events |= POLLOUT;
		poll(fds, 2, patience(k));
		if (fds[1].revents & ~POLLOUT)
			keeper_listen(k);
		if (k->sending && (k->stuck || fds[1].revents & POLLOUT))
			keeper_send_held(k);
		read_signals(k);
		look_at_clock(k);
	}
}

static int start_first(struct keeper *k, char *why, size_t why_bytes)
{
	int err = keeper_start_switch(k);

	if (err) {
		snprintf(why, why_bytes, "cannot start the switch: %s",
			 strerror(-err));
		return err;
	}
	/* It has what it needs; we need nothing but it. */
	err = privilege_drop_helper(&k->privilege, why, why_bytes);
	if (err)
		k->has_killed = !kill(k->child, SIGKILL);
	return err;
}

static void fini(struct keeper *k)
{
	keeper_store_clear(&k->store);
	state_file_close(k->state, k->was_ready && !k->status);
	privilege_close(&k->privilege);
	keeper_child_fini(&k->how);
	daemon_end(&k->daemon);
	if (k->options->directory)
		run_directory_remove(k->options->directory,
				     k->options->made_directories);
}

int keeper_main(struct options *o, char *argv[])
{
	struct keeper *k = calloc(1, sizeof(*k));
	char why[2048] = "out of memory";
	int status = 1;

	if (!k) {
		log_error("%s", why);
		return 1;
	}
	k->options = o;
	k->channel = k->signals = k->blame = -1;
	k->daemon.parent_fd = -1;
	k->privilege.user_ns = k->privilege.mount_ns = -1;
	k->how.itself_fd = k->how.directory_fd = k->how.config_fd = -1;
	if (keeper_prepare(k, argv, why, sizeof(why)) ||
	    start_first(k, why, sizeof(why))) {
		log_error("%s", why);
	} else {
		run(k);
		status = k->status;
	}
	fini(k);
	free(k);
	return status;
}
