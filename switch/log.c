#include "log.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

enum { BURST = 20, INTERVAL_MS = 100, SYSLOG = -1 };

static struct {
	const char *program;
	int messages, reports; /* descriptors, or SYSLOG */
	uint64_t budget_at_ms; /* up to when the budget has been given out */
	unsigned budget;
	uint64_t suppressed;
} state = {
	.program = "ringswitch",
	.messages = STDERR_FILENO,
	.reports = STDOUT_FILENO,
	.budget = BURST,
};

void log_init(const char *program)
{
	state.program = program;
}

void log_daemon(bool has_stdout, bool has_stderr)
{
	if (!has_stderr) {
		openlog(state.program, LOG_PID, LOG_DAEMON);
		state.messages = SYSLOG;
	}
	if (!has_stdout)
		state.reports = state.messages;
}

void log_prepare(void)
{
	openlog(state.program, LOG_PID | LOG_NDELAY, LOG_DAEMON);
}

/* A pipe that is writable at all takes a line of up to PIPE_BUF bytes. */
static void write_line(int to, int priority, const char *line, int length)
{
	struct pollfd ready = { .fd = to, .events = POLLOUT };

	if (to == SYSLOG)
		syslog(priority, "%.*s", length, line);
	else if (poll(&ready, 1, 0) != 1 || !(ready.revents & POLLOUT) ||
		 dprintf(to, "%.*s\n", length, line) < 0)
		state.suppressed++;
}

/* A message is a line, whatever somebody has put into a name. */
static void make_printable(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
}

static void write_message(int priority, const char *format, va_list args)
{
	char line[2048];
	int length = 0;

	if (state.messages != SYSLOG)
		length = snprintf(line, sizeof(line), "%s: ", state.program);
	vsnprintf(line + length, sizeof(line) - (size_t)length, format, args);
	make_printable(line);
	write_line(state.messages, priority, line, (int)strlen(line));
}

void log_info(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	write_message(LOG_INFO, format, args);
	va_end(args);
}

void log_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	write_message(LOG_ERR, format, args);
	va_end(args);
}

static void refill(uint64_t now_ms)
{
	uint64_t more = (now_ms - state.budget_at_ms) / INTERVAL_MS;

	state.budget_at_ms += more * INTERVAL_MS;
	state.budget = more > BURST - state.budget
			       ? BURST
			       : state.budget + (unsigned)more;
}

void log_guest(uint64_t now_ms, const char *format, ...)
{
	va_list args;

	refill(now_ms);
	if (!state.budget) {
		state.suppressed++;
		return;
	}
	state.budget--;
	if (state.suppressed) {
		uint64_t count = state.suppressed;

		state.suppressed = 0;
		log_info("%llu lines not shown",
			 (unsigned long long)count);
		if (state.suppressed) /* nor was this one */
			state.suppressed = count;
	}
	va_start(args, format);
	write_message(LOG_INFO, format, args);
	va_end(args);
}

void log_report(const char *text)
{
	while (*text) {
		int length = (int)strcspn(text, "\n");

		write_line(state.reports, LOG_INFO, text, length);
		text += length + (text[length] == '\n');
	}
}
