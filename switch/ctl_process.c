/*
 * The switch as a process: restart, stop, version. Scripts go on behind the
 * first two, so they return when it is true: the new switch answers, or the
 * old one is gone.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "ctl_commands.h"
#include "ctl_context.h"
#include "ctl_json.h"
#include "ctl_text.h"
#include "ctl_words.h"

static int show_version(struct ctl *ctl, const json_t *answer)
{
	char program[64], release[64], name[64], kernel[128], since[64];
	char process[48] = "";
	double seconds = js_number(answer, "started");
	time_t started = seconds > 0 && seconds < 1e11 ? (time_t)seconds : 0;
	struct tm parts = { 0 };

	if (!json_is_object(answer))
		return ctl_strange(ctl, "version");
	if (js_integer(answer, "process") != js_integer(answer, "pid"))
		snprintf(process, sizeof(process),
			 " (switching: %" JSON_INTEGER_FORMAT ")",
			 js_integer(answer, "process"));
	text_printable(js_text(answer, "program"), program, sizeof(program));
	text_printable(js_text(answer, "release"), release, sizeof(release));
	text_printable(js_text(answer, "name"), name, sizeof(name));
	text_printable(js_text(answer, "kernel"), kernel, sizeof(kernel));
	localtime_r(&started, &parts);
	strftime(since, sizeof(since), "%Y-%m-%d %H:%M:%S", &parts);
	printf("%s %s%s%s, protocol %" JSON_INTEGER_FORMAT
	       ", pid %" JSON_INTEGER_FORMAT "%s, kernel %s, since %s\n",
	       program, release, *name ? ", name " : "", name,
	       js_integer(answer, "protocol"), js_integer(answer, "pid"),
	       process, kernel, since);
	return CTL_OK;
}

int version_run(struct ctl *ctl, struct words *words)
{
	if (words_end(ctl, words))
		return CTL_SYNTAX;
	if (!ctl->json)
		printf("ringctl %s\n", ctl_release);
	return ctl_do(ctl, CTL_READS, "version", NULL, show_version);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Wait until the switch has closed the connection. */
static bool wait_closed(struct client *c, int64_t until_ms)
{
	int64_t left;
	size_t bytes;
	char *line;
	int got;

	do {
		left = until_ms - now_ms();
		got = client_line(c, left > 0 ? (int)left : 0, &line, &bytes);
	} while (got == 1);
	return got == 0;
}

/* A descriptor of the switch's main process, if @version names the one that has
 * made the socket: in another PID namespace numbers mean nothing, or somebody
 * else. -1: none. */
static int open_process(const struct client *c, const json_t *version)
{
	json_int_t pid = js_integer(version, "pid");
	json_int_t process = js_integer(version, "process");
	struct ucred peer;
	socklen_t bytes = sizeof(peer);

	if (getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) ||
	    peer.pid <= 0 || peer.pid != (process ? process : pid))
		return -1;
	return (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
}

/* Wait until the process ends; not much longer than @ms. */
static bool wait_ended(int process, int64_t ms)
{
	struct pollfd p = { .fd = process, .events = POLLIN };

	return poll(&p, 1, ms > 0 ? (int)ms : 0) == 1;
}

/* Between two attempts to reach a switch that starts. */
enum { RETRY_MS = 10 };

/* Ask the switch to @execute, which ends all connections. Returns what it
 * returned, and its process, as open_process(); or NULL, and has said why. */
static json_t *ask_to(struct ctl *ctl, const char *execute, int *process)
{
	json_t *version = ctl_ask(ctl, CTL_CHANGES, "version", NULL);
	json_t *answer;

	if (!version)
		return NULL;
	*process = open_process(&ctl->client, version);
	json_decref(version);
	answer = ctl_ask(ctl, CTL_CHANGES, execute, NULL);
	if (!answer && *process >= 0)
		close(*process);
	return answer;
}

/* It has happened, or not, and @why: print what is to be printed. */
static int conclude(struct ctl *ctl, json_t *answer, int process,
		    const char *why)
{
	if (ctl->json)
		ctl_print_json(ctl, answer);
	json_decref(answer);
	if (process >= 0)
		close(process);
	return why ? ctl_refused(ctl, "%s", why) : CTL_OK;
}

int stop_run(struct ctl *ctl, struct words *words)
{
	const char *why = NULL;
	json_t *answer;
	int64_t until_ms;
	int process;

	if (words_end(ctl, words))
		return CTL_SYNTAX;
	answer = ask_to(ctl, "stop", &process);
	if (!answer)
		return CTL_REFUSED;
	until_ms = now_ms() + ctl->timeout_ms;
	if (!wait_closed(&ctl->client, until_ms) ||
	    (process >= 0 && !wait_ended(process, until_ms - now_ms())))
		why = "the switch is still ending (--timeout SECONDS)";
	client_close(&ctl->client);
	return conclude(ctl, answer, process, why);
}

/* Whether somebody answers at @path. Not by ctl_ask(), which complains. */
static bool answers_at(const char *path, int64_t until_ms)
{
	json_t *request = json_pack("{s:s}", "execute", "version");
	bool answers = false;
	struct client c;
	size_t bytes;
	char *line;

	if (!client_open(&c, path)) {
		int64_t left = until_ms - now_ms();

		answers = !client_send(&c, request) &&
			  client_line(&c, left > 0 ? (int)left : 0, &line,
				      &bytes) == 1;
		client_close(&c);
	}
	json_decref(request);
	return answers;
}

int restart_run(struct ctl *ctl, struct words *words)
{
	char path[sizeof(ctl->client.at.sun_path)];
	const char *why = NULL;
	json_t *answer;
	int64_t until_ms;
	int process;

	if (words_end(ctl, words))
		return CTL_SYNTAX;
	answer = ask_to(ctl, "restart", &process);
	if (!answer)
		return CTL_REFUSED;
	until_ms = now_ms() + ctl->timeout_ms;
	strcpy(path, ctl->client.at.sun_path);
	if (!wait_closed(&ctl->client, until_ms))
		why = "the switch is still ending (--timeout SECONDS)";
	client_close(&ctl->client);
	/* The main process is the same all the while. */
	while (!why && !answers_at(path, until_ms))
		if (wait_ended(process, RETRY_MS))
			why = "the switch has not started again: see its log";
		else if (now_ms() > until_ms)
			why = "the switch does not answer yet (--timeout SECONDS)";
	return conclude(ctl, answer, process, why);
}
