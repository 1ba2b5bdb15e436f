/*
 * The command line. Pure: words in, a structure or one line of complaint out.
 *
 * Every option may be written with one dash or two, so that uml_switch's own
 * words (-unix, -tap, -hub, -daemon) are not a special case.
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "endpoint.h"
#include "limits.h"

/* Kernel features that can be done without; bits of options.without. */
enum {
	WITHOUT_MULTISHOT_READ = 1 << 0,
};

struct options {
	struct endpoint listeners[LISTENERS_MAX];
	unsigned listener_count;
	struct endpoint ports[STATIC_PORTS_MAX];
	unsigned port_count;
	bool hub;
	bool daemon;
	const char *pidfile; /* NULL: none */
	int ready_fd;	     /* -1: none */
	uint32_t ageing_s;   /* 0: never */
	uint32_t mac_entries;
	int mode;	     /* of sockets; -1: not said */
	gid_t group;	     /* of sockets; (gid_t)-1: not said */
	uid_t allow_uids[ALLOW_MAX];
	unsigned allow_uid_count;
	gid_t allow_gids[ALLOW_MAX];
	unsigned allow_gid_count;
	unsigned without;
	bool help, version;
};

/*
 * Read @argv into @o, which keeps pointers into it. Returns 0, or -EINVAL with
 * one line without newline in @why (of @why_bytes). What has been inherited
 * (options_inherit) is added by the caller, then options_complete() called.
 */
int options_parse(int argc, char *const argv[], struct options *o, char *why,
		  size_t why_bytes);

/* Add an inherited descriptor, a listener or a port, under @name ("": none).
 * Returns 0, or -EINVAL with a line in @why. */
int options_inherit(struct options *o, enum endpoint_role role, int fd,
		    const char *name, char *why, size_t why_bytes);

/*
 * Fill in what was left open, and check what only the whole tells. Returns 0,
 * or -EINVAL with a line in @why.
 */
int options_complete(struct options *o, char *why, size_t why_bytes);

/* The text of --help. */
void options_help(FILE *to, const char *program);

#endif
