/*
 * What the switch has to say: one line a message, to standard error, or to
 * syslog(3) once it is a daemon whose standard error is gone.
 *
 * The level, where lines go and the budget below are the only state outside
 * `struct sw`.
 */
#ifndef LOG_H
#define LOG_H

#include <stdint.h>
#include <stdio.h>

/* Lines begin with @program from now on. */
void log_init(const char *program);
/* From now on to syslog. */
void log_to_syslog(void);

void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * A message that a guest can cause: at most ten a second and twenty at once
 * are written, the number of the others is written when there is room again.
 */
void log_guest(uint64_t now_ms, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Write @text, whole lines, as information: to standard output, or syslog. */
void log_report(const char *text);

#endif
