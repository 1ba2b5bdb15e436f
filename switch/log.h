/*
 * What the switch has to say: one line a message, to standard error, or to
 * syslog(3) once it is a daemon whose standard error is gone.
 *
 * Nothing here waits: a line for a pipe or terminal that takes none now is left
 * out, and counted.
 *
 * Where lines go and the budget below are the only state outside `struct sw`.
 */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>
#include <stdint.h>

/* Lines begin with @program from now on. */
void log_init(const char *program);
/* Connect to syslog now: later we may not. */
void log_prepare(void);
/*
 * The process is a daemon. Without @has_stderr messages go to syslog from now
 * on; without @has_stdout reports go where messages go.
 */
void log_daemon(bool has_stdout, bool has_stderr);

void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * A message that a guest can cause: at most ten a second and twenty at once
 * are written, the number of the others is written when there is room again.
 */
void log_guest(uint64_t now_ms, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Write @text, whole lines, to standard output or as log_daemon() says. */
void log_report(const char *text);

#endif
