/*
 * The object capture. What the switch sends is a pcapng file; it is written on
 * block by block as it comes, so that what is there is good whatever happens
 * to us, or shown as lines.
 *
 * Ending in good order: tell the switch that we want no more, take what it has
 * buffered and its statistics, and say how much was lost. SIGINT and SIGTERM
 * begin that; a second one, or ten seconds without an end, ends us at once.
 */
#include "ctl_capture.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ctl_commands.h"
#include "ctl_context.h"
#include "ctl_frame_line.h"
#include "ctl_pcapng.h"
#include "ctl_stream.h"

struct capture {
	struct ctl *ctl;
	const struct capture_options *options;
	struct client client;
	struct seen seen;
	int out;       /* pcapng goes there; -1: lines to stdout */
	bool ending;   /* we have said that we want no more */
	bool discard;  /* nobody reads: only the counts are wanted */
	int error;     /* of writing, an errno */
	uint8_t *bytes;
	size_t used;
};

enum { ROOM = BLOCK_MAX + 65536, END_LIMIT_S = 10 };

/* A handler has no other way to what it is about. Signals are the process's,
 * so there is one pipe for them. */
static int stop_pipe[2] = { -1, -1 };

static void on_signal(int signal)
{
	int saved = errno;

	if (signal == SIGALRM)
		_exit(CTL_REFUSED);
	if (write(stop_pipe[1], "", 1) < 0)
		_exit(CTL_REFUSED);
	alarm(END_LIMIT_S);
	errno = saved;
}

static int catch_signals(void)
{
	struct sigaction once = { .sa_handler = on_signal,
				  .sa_flags = (int)SA_RESETHAND };
	struct sigaction hangup;

	if (stop_pipe[0] < 0 && pipe2(stop_pipe, O_CLOEXEC | O_NONBLOCK))
		return -errno;
	sigaction(SIGINT, &once, NULL);
	sigaction(SIGTERM, &once, NULL);
	sigaction(SIGALRM, &once, NULL);
	/* Not under nohup(1). */
	sigaction(SIGHUP, NULL, &hangup);
	if (hangup.sa_handler != SIG_IGN)
		sigaction(SIGHUP, &once, NULL);
	signal(SIGPIPE, SIG_IGN);
	return 0;
}

/* For what comes behind us in a batch. */
static void leave_signals(void)
{
	static const int caught[] = { SIGINT, SIGTERM, SIGALRM, SIGPIPE };

	for (size_t i = 0; i < sizeof(caught) / sizeof(*caught); i++)
		signal(caught[i], SIG_DFL);
}

static bool is_told_to_stop(void)
{
	char byte;

	return read(stop_pipe[0], &byte, 1) == 1;
}

static void end(struct capture *c)
{
	if (!c->ending)
		shutdown(c->client.fd, SHUT_WR);
	c->ending = true;
	alarm(END_LIMIT_S);
}

static void write_failed(struct capture *c, int error)
{
	c->discard = true;
	if (error != EPIPE)
		c->error = error;
	end(c);
}

static void write_all(struct capture *c, const uint8_t *at, size_t bytes)
{
	while (bytes && !c->discard) {
		ssize_t n = write(c->out, at, bytes);

		if (n < 0 && errno != EINTR)
			write_failed(c, errno);
		if (n > 0) {
			at += n;
			bytes -= (size_t)n;
		}
	}
}

/* Take in a block. Whether it is to be written: no frames behind the last. */
static bool is_wanted(struct capture *c, const uint8_t *at, size_t bytes)
{
	uint64_t limit = c->options->frames;
	struct seen_frame frame;
	enum seen_kind kind = seen_add(&c->seen, at, bytes, &frame);

	if (kind == SEEN_BAD)
		c->error = EBADMSG;
	if (kind != SEEN_FRAME)
		return kind != SEEN_BAD;
	if (limit && c->seen.frames > limit)
		return false;
	if (c->out < 0 && !c->discard)
		frame_line_print(c->ctl, &frame);
	if (c->seen.frames == limit)
		end(c);
	return true;
}

/* Hand on the whole blocks there are, and keep the beginning of the next.
 * Neighbours are written together. */
static void hand_on(struct capture *c)
{
	size_t at = 0, from = 0;
	int64_t bytes;

	while (!c->error && (bytes = seen_block(c->bytes + at, c->used - at))) {
		if (bytes < 0) {
			c->error = EBADMSG;
			break;
		}
		if (!is_wanted(c, c->bytes + at, (size_t)bytes)) {
			if (c->out >= 0)
				write_all(c, c->bytes + from, at - from);
			from = at + (size_t)bytes;
		}
		at += (size_t)bytes;
	}
	if (c->out >= 0)
		write_all(c, c->bytes + from, at - from);
	else if (fflush(stdout))
		write_failed(c, errno);
	memmove(c->bytes, c->bytes + at, c->used - at);
	c->used -= at;
}

static void run(struct capture *c)
{
	ssize_t n = 1;

	while (n > 0 && !c->error) {
		int out = c->discard ? -1 : c->out < 0 ? STDOUT_FILENO : c->out;

		if (!stream_wait(&c->client, out, stop_pipe[0]))
			write_failed(c, EPIPE);
		if (is_told_to_stop()) {
			end(c);
			continue;
		}
		n = client_read(&c->client, c->bytes + c->used,
				ROOM - c->used);
		if (n > 0)
			c->used += (size_t)n;
		hand_on(c);
	}
	alarm(0);
}

static int finish(struct capture *c)
{
	uint64_t frames = c->seen.frames;

	if (c->options->frames && frames > c->options->frames)
		frames = c->options->frames;
	if (c->error == EBADMSG)
		return ctl_refused(c->ctl, "what the switch sends is no pcapng");
	if (c->error)
		return ctl_refused(c->ctl, "cannot write %s: %s",
				   c->options->file ? c->options->file : "to stdout",
				   strerror(c->error));
	fflush(stdout);
	fprintf(stderr, "%" PRIu64 " frame%s captured, %" PRIu64 " lost%s\n",
		frames, frames == 1 ? "" : "s", c->seen.dropped,
		c->seen.dropped ? " (no room in the switch's buffer: -B KIB)"
				: "");
	/* Without an interface there is nothing to count. */
	if (!c->seen.counted && (!c->ending || c->seen.count))
		return ctl_refused(c->ctl, "the switch has gone before the end of the capture");
	return CTL_OK;
}

/* Where pcapng goes, in @c->out. */
static int open_output(struct capture *c)
{
	const char *file = c->options->file;
	bool terminal = isatty(STDOUT_FILENO);

	c->out = -1;
	if (!file)
		return CTL_OK;
	if (!strcmp(file, "-")) {
		if (terminal)
			return ctl_syntax(c->ctl, "-w -: not to a terminal: name a file, or a pipe behind it");
		c->out = STDOUT_FILENO;
		return CTL_OK;
	}
	c->out = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	return c->out < 0 ? ctl_refused(c->ctl, "cannot open %s: %s", file,
					strerror(errno))
			  : CTL_OK;
}

/* The switch is asked first: a file is not emptied for what it refuses. */
static int start(struct capture *c)
{
	json_t *answer = stream_ask(c->ctl, CTL_CHANGES, "capture",
				    capture_arguments(c->options), &c->client);
	int code, err;

	if (!answer)
		return CTL_REFUSED;
	json_decref(answer);
	code = open_output(c);
	if (code)
		return code;
	err = catch_signals();
	return err ? ctl_refused(c->ctl, "cannot make a pipe: %s",
				 strerror(-err))
		   : CTL_OK;
}

int capture_run(struct ctl *ctl, struct words *words)
{
	struct capture_options options;
	struct capture c = { .ctl = ctl, .options = &options,
			     .client = CLIENT_CLOSED, .out = -1 };
	int code = capture_options_parse(ctl, words, &options);

	if (code)
		return code;
	c.bytes = malloc(ROOM);
	code = c.bytes ? start(&c) : ctl_refused(ctl, "out of memory");
	if (!code) {
		run(&c);
		code = finish(&c);
		leave_signals();
	}
	if (c.out > STDOUT_FILENO)
		close(c.out);
	client_close(&c.client);
	seen_fini(&c.seen);
	free(c.bytes);
	return code;
}
