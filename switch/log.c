#include "log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <syslog.h>

enum { BURST = 20, INTERVAL_MS = 100 };

static struct {
	const char *program;
	bool syslog;
	uint64_t budget_at_ms; /* up to when the budget has been given out */
	unsigned budget;
	uint64_t suppressed;
} state = { .program = "ringswitch", .budget = BURST };

void log_init(const char *program)
{
	state.program = program;
}

void log_to_syslog(void)
{
	openlog(state.program, LOG_PID, LOG_DAEMON);
	state.syslog = true;
}

static void write_line(int priority, const char *format, va_list args)
{
	char line[512];

	vsnprintf(line, sizeof(line), format, args);
	if (state.syslog)
		syslog(priority, "%s", line);
	else
		fprintf(stderr, "%s: %s\n", state.program, line);
}

void log_info(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	write_line(LOG_INFO, format, args);
	va_end(args);
}

void log_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	write_line(LOG_ERR, format, args);
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
	if (state.suppressed)
		log_info("%llu messages like the following not shown",
			 (unsigned long long)state.suppressed);
	state.suppressed = 0;
	va_start(args, format);
	write_line(LOG_INFO, format, args);
	va_end(args);
}

void log_report(const char *text)
{
	if (!state.syslog) {
		fputs(text, stdout);
		fflush(stdout);
		return;
	}
	while (*text) {
		int length = (int)strcspn(text, "\n");

		syslog(LOG_INFO, "%.*s", length, text);
		text += length + (text[length] == '\n');
	}
}
