#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "keeper_notify.h"
#include "keeper_orphan.h"
#include "keeper_process.h"
#include "log.h"
#include "options.h"

enum {
	EXIT_ANEW = 75,		 /* EX_TEMPFAIL: start me again */
	CHANNEL_BYTES = 4 << 20, /* of messages that are on their way */
	MESSAGES_AT_ONCE = 256,	 /* before looking at anything else */
	START_MS = 15000,	 /* to get ready, if there are guests */
};

static int send_welcome(struct keeper *k)
{
	const struct keeper_welcome welcome = { .starts = k->starts,
						.why = k->why };
	const struct keeper_header header = { .version = KEEPER_VERSION,
					      .type = KEEPER_WELCOME,
					      .bytes = sizeof(welcome) };

	return keeper_send(k->channel, &header, &welcome, &k->blame, 1);
}

static int make_channel(int ends[2])
{
	int bytes = CHANNEL_BYTES;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return -errno;
	for (int i = 0; i < 2; i++)
		if (setsockopt(ends[i], SOL_SOCKET, SO_SNDBUFFORCE, &bytes,
			       sizeof(bytes)))
			setsockopt(ends[i], SOL_SOCKET, SO_SNDBUF, &bytes,
				   sizeof(bytes));
	return 0;
}

static void say_kept(struct keeper *k, int err)
{
	/* Once: what is not in the file now will not be there later either. */
	if (!err || *k->state_trouble)
		return;
	snprintf(k->state_trouble, sizeof(k->state_trouble), "%s",
		 strerror(-err));
	log_error("the state file, or what is kept, is not complete: %s",
		  k->state_trouble);
}

int keeper_start_switch(struct keeper *k)
{
	const uint32_t nobody = KEEPER_NOBODY;
	int ends[2], err;

	err = make_channel(ends);
	if (err)
		return err;
	k->channel = ends[0];
	k->starts++;
	if (pwrite(k->blame, &nobody, sizeof(nobody), 0) < 0)
		err = -errno;
	if (!err)
		err = send_welcome(k);
	if (!err) {
		pid_t child = keeper_child_start(
			&k->how, ends[1], keeper_history_goes_back(&k->history));

		err = child < 0 ? child : 0;
		k->child = child < 0 ? 0 : child;
	}
	close(ends[1]);
	if (err) {
		close(k->channel);
		k->channel = -1;
		return err;
	}
	k->started_ms = k->fed_ms = clock_now_ms();
	k->kill_at_ms = k->was_ready ? k->started_ms + START_MS : 0;
	k->ready = k->wants_restart = k->stuck = k->has_killed = false;
	k->sending = true;
	keeper_store_begin(&k->store);
	return 0;
}

void keeper_pass_on(struct keeper *k, int sig)
{
	/* Blocked there until it is read, it waits; but one of another user,
	 * which we are already and it is not yet, does not even get it. */
	if (k->child && kill(k->child, sig) && errno == EPERM)
		k->pending |= 1u << sig;
}

static void pass_on_pending(struct keeper *k)
{
	unsigned pending = k->pending;

	k->pending = 0;
	for (int sig = 1; pending >> sig; sig++)
		if (pending >> sig & 1)
			keeper_pass_on(k, sig);
}

static void on_first_ready(struct keeper *k)
{
	k->was_ready = true;
	if (*k->state_trouble)
		log_error("%s; going on without a state file", k->state_trouble);
	keeper_child_release_inherited(k->options);
	daemon_ready(&k->daemon, k->options->ready_fd);
}

static void on_ready(struct keeper *k)
{
	if (k->ready)
		return;
	k->ready = true;
	k->fed_ms = clock_now_ms();
	if (!k->stopping)
		k->kill_at_ms = 0;
	say_kept(k, keeper_store_ready(&k->store));
	say_kept(k, keeper_orphan_note(k->state, k->child));
	if (!k->was_ready)
		on_first_ready(k);
	else if (k->why == KEEPER_CRASHED)
		log_info("the switch is back, %llu ms after its end",
			 (unsigned long long)(clock_now_ms() - k->died_ms));
	pass_on_pending(k);
}

static void on_notify(struct keeper *k, const struct keeper_message *m)
{
	const char *text = (const char *)m->record;

	if (strlen(text) != m->header.bytes || !keeper_notify_is_allowed(text))
		return;
	k->fed_ms = clock_now_ms();
	keeper_notify(text);
}

static void on_message(struct keeper *k, const struct keeper_message *m,
		       const int *fds, unsigned fd_count)
{
	switch (m->header.type) {
	case KEEPER_KEEP:
		say_kept(k, keeper_store_keep(&k->store, &m->header, m->record,
					      fds, fd_count));
		break;
	case KEEPER_FORGET:
		say_kept(k, keeper_store_forget(&k->store, m->header.key));
		break;
	case KEEPER_READY:
		on_ready(k);
		break;
	case KEEPER_NOTIFY:
		on_notify(k, m);
		break;
	case KEEPER_RESTART:
		k->wants_restart = true;
		break;
	}
}

static void hang_up(struct keeper *k)
{
	if (k->channel >= 0)
		close(k->channel);
	k->channel = -1;
	k->sending = false;
}

/* Read at most @most messages. */
static void listen_to(struct keeper *k, unsigned most)
{
	struct keeper_message message;
	int fds[KEEPER_FDS_MAX];

	for (; most; most--) {
		const char *why = NULL;
		unsigned count;
		int got = keeper_receive(k->channel, MSG_DONTWAIT, true,
					 &message, fds, &count, &why);

		if (got == -EPROTO) {
			log_guest(clock_now_ms(),
				  "what the switch tells its keeper is not understood: %s",
				  why);
		} else if (got > 0) {
			on_message(k, &message, fds, count);
		} else {
			if (got != -EAGAIN)
				hang_up(k);
			return;
		}
	}
}

void keeper_listen(struct keeper *k)
{
	listen_to(k, MESSAGES_AT_ONCE);
}

void keeper_send_held(struct keeper *k)
{
	bool progress = false;
	int more = keeper_store_send(&k->store, k->channel, &progress);

	/* There is room, and yet nothing goes: too many descriptors are on
	 * their way to it. */
	k->stuck = more == 1 && !progress;
	if (more != 1)
		k->sending = false;
	/* It would wait for the rest for ever; if it has not ended already. */
	if (more < 0 && k->child)
		kill(k->child, SIGKILL);
}

static uint32_t blamed(const struct keeper *k)
{
	uint32_t key;

	return pread(k->blame, &key, sizeof(key), 0) == sizeof(key)
		       ? key
		       : KEEPER_NOBODY;
}

/* No frame sends such a signal; one that hangs has been killed by us. */
static bool is_from_outside(const struct keeper *k, int status)
{
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL &&
	       !k->has_killed;
}

static const char *end_in_words(int status, char *text, size_t bytes)
{
	if (WIFSIGNALED(status))
		snprintf(text, bytes, "was killed by signal %d (%s)",
			 WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		snprintf(text, bytes, "has ended with status %d",
			 WEXITSTATUS(status));
	return text;
}

static void plan_restart(struct keeper *k)
{
	keeper_history_planned(&k->history, k->ready);
	k->why = KEEPER_PLANNED;
	k->start_at_ms = k->died_ms;
}

static void plan_after_crash(struct keeper *k, int status)
{
	uint32_t key = is_from_outside(k, status) ? KEEPER_NOBODY : blamed(k);
	uint32_t pause;
	const char *name = keeper_store_name(&k->store, key);
	char end[128], blame[96] = "";

	if (key != KEEPER_NOBODY)
		snprintf(blame, sizeof(blame), " while it handled a frame of %s",
			 *name ? name : "a port that has just come");
	pause = keeper_history_crash(&k->history, k->died_ms - k->started_ms,
				     k->ready, key, name);
	log_error("the switch %s%s%s: starting it again%s",
		  end_in_words(status, end, sizeof(end)),
		  k->ready ? "" : " before it was ready", blame,
		  pause ? " in a moment" : "");
	/* The next switch says so. */
	if (keeper_history_is_enough(&k->history))
		keeper_store_quarantine(&k->store, key);
	k->why = KEEPER_CRASHED;
	k->start_at_ms = k->died_ms + pause;
}

void keeper_end(struct keeper *k, int status)
{
	k->over = true;
	k->status = status;
}

void keeper_on_end(struct keeper *k, int status)
{
	bool exited = WIFEXITED(status), planned;
	char text[128];

	/* What it has said counts, but somebody may have inherited its mouth. */
	listen_to(k, 4 * KEEPER_KEYS);
	hang_up(k);
	k->child = 0;
	k->kill_at_ms = 0;
	k->died_ms = clock_now_ms();
	keeper_store_undo(&k->store);
	planned = exited &&
		  (k->wants_restart || WEXITSTATUS(status) == EXIT_ANEW);
	if (!exited && (k->stopping || !k->was_ready))
		log_error("the switch %s%s",
			  end_in_words(status, text, sizeof(text)),
			  k->was_ready ? "" : " before it was ready");
	if (k->stopping || !k->was_ready)
		keeper_end(k, exited ? WEXITSTATUS(status) : 1);
	else if (planned)
		plan_restart(k);
	else if (exited && !WEXITSTATUS(status) && k->ready)
		keeper_end(k, 0);
	else
		plan_after_crash(k, status);
}
