/*
 * What ringtap's commands end with: exit statuses as iproute2's, and one line
 * for what went wrong.
 */
#ifndef RINGTAP_SAY_H
#define RINGTAP_SAY_H

#include <stdbool.h>

enum status {
	DONE,
	WRONG,	 /* the command line is */
	REFUSED, /* it is right, and cannot be done */
};

/* A line on standard error, whatever it quotes. Returns @status. */
enum status complain(enum status status, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Whether @word is @whole or its beginning. */
bool is_short_for(const char *word, const char *whole);

#endif
