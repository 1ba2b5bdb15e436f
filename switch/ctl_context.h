/*
 * What every command of ringctl has in hand: how to print, which switch, and
 * the connection to it. One for the program's life; the commands of a batch
 * share it, and with it the connection.
 */
#ifndef CTL_CONTEXT_H
#define CTL_CONTEXT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "ctl_client.h"

/* Exit codes, as those of iproute2. */
enum {
	CTL_OK = 0,
	CTL_SYNTAX = 1,	 /* the command line is wrong: nothing was asked */
	CTL_REFUSED = 2, /* the switch refused, or could not be reached */
};

/* Of ringctl itself. */
extern const char ctl_release[];

struct ctl {
	const char *name;   /* -n, or of the environment; NULL: not said */
	const char *socket; /* --socket; NULL: not said */
	bool json, pretty, colour, force;
	int timeout_ms; /* for an answer */
	const char *batch; /* the file that is worked off; NULL: none */
	unsigned line;	   /* in it */
	struct client client;
};

/*
 * One line on stderr, with FILE:LINE in front inside a batch. Return
 * CTL_SYNTAX and CTL_REFUSED, for the caller to return. Names from elsewhere
 * in @format's arguments need not be printable: the line is made so.
 */
int ctl_syntax(const struct ctl *ctl, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
int ctl_refused(const struct ctl *ctl, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Whether a command only reads: then the monitor socket will do. */
enum ctl_needs { CTL_READS, CTL_CHANGES };

/*
 * Ask the switch to @execute with @arguments (an object, which is taken; NULL:
 * none), on the connection there is, or a new one. Returns what the switch
 * returns, which is the caller's; or NULL, and has said why.
 */
json_t *ctl_ask(struct ctl *ctl, enum ctl_needs needs, const char *execute,
		json_t *arguments);

/*
 * The same, and print the answer: as JSON if asked for, otherwise by @show
 * (NULL: nothing to show). Returns the exit code.
 */
int ctl_do(struct ctl *ctl, enum ctl_needs needs, const char *execute,
	   json_t *arguments,
	   int (*show)(struct ctl *ctl, const json_t *answer));

/* Open a connection that one command has for itself. Returns 0, or an exit
 * code and has said why. */
int ctl_connect(struct ctl *ctl, enum ctl_needs needs, struct client *to);

/* One JSON value on stdout, and a newline: compact unless -p; ASCII only, so
 * that no name does anything to a terminal. */
void ctl_print_json(const struct ctl *ctl, const json_t *value);

/* For a member that has not the type it must have. Returns CTL_REFUSED. */
int ctl_strange(const struct ctl *ctl, const char *what);

#endif
