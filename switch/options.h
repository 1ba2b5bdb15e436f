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

#include "limits.h"

/* Kernel features that can be done without; bits of options.without. */
enum {
	WITHOUT_MULTISHOT_READ = 1 << 0,
};

struct options {
	const char *unix_path;
	const char *taps[TAPS_MAX];
	unsigned tap_count;
	bool hub;
	bool daemon;
	const char *pidfile; /* NULL: none */
	int ready_fd;	     /* -1: none */
	uint32_t ageing_s;   /* 0: never */
	uint32_t mac_entries;
	int mode;	     /* of the socket; -1: by umask */
	gid_t group;	     /* of the socket; (gid_t)-1: unchanged */
	uid_t allow_uids[ALLOW_MAX];
	unsigned allow_uid_count;
	gid_t allow_gids[ALLOW_MAX];
	unsigned allow_gid_count;
	unsigned without;
	bool help, version;
};

/*
 * Read @argv into @o, which keeps pointers into it. Returns 0, or -EINVAL with
 * one line without newline in @why (of @why_bytes).
 */
int options_parse(int argc, char *const argv[], struct options *o, char *why,
		  size_t why_bytes);

/* The text of --help. */
void options_help(FILE *to, const char *program);

#endif
