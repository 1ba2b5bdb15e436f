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
#include <string.h>
#include <sys/types.h>

#include "endpoint.h"
#include "limits.h"

/* Kernel features that can be done without; bits of options.without. */
enum {
	WITHOUT_MULTISHOT_READ = 1 << 0,
	WITHOUT_FIXED_FILES = 1 << 1,
};

/* The number of a descriptor to read instead of the file of --config, in the
 * environment of a switch that a keeper has started. */
#define OPTIONS_CONFIG_VARIABLE "RINGSWITCH_CONFIG"

struct options {
	struct endpoint listeners[LISTENERS_MAX];
	unsigned listener_count;
	bool no_listeners; /* not even the default one */
	struct endpoint ports[STATIC_PORTS_MAX];
	unsigned port_count;
	bool hub;
	bool daemon;
	const char *pidfile; /* NULL: none */
	int ready_fd;	     /* -1: none */
	uint32_t ageing_s;   /* 0: never */
	uint32_t mac_entries;
	uint32_t busy_poll_us; /* loop_wait.c */
	int mode;	     /* of sockets; -1: not said */
	gid_t group;	     /* of sockets, and of a user; (gid_t)-1: not said */
	uid_t user;	     /* to run as (privilege.h); (uid_t)-1: not said */
	bool audit;	     /* to say what we may do, instead of running */
	uid_t allow_uids[ALLOW_MAX];
	unsigned allow_uid_count;
	gid_t allow_gids[ALLOW_MAX];
	unsigned allow_gid_count;
	uint32_t ports_per_uid; /* 0: not said (admission.h) */
	unsigned without;
	bool help, version;
	const char *name;	       /* of this switch; NULL: none */
	const char *directory;	       /* of one that has a name, or NULL */
	unsigned made_directories;     /* on the way there */
	struct endpoint control, monitor; /* with argument "none": not */
	bool no_room;		       /* for a control socket beside the listener */
	const char *metrics;	       /* metrics_http.h; NULL: not */
	bool no_keeper;
	const char *state;	       /* NULL: options_state(); "none" */
	char *config;		       /* the text of --config, the caller's
					* to free; NULL: none */
	const char *config_unread;     /* the same as it was, in there too */
	size_t config_bytes;	       /* of it */
};

/*
 * Read @argv into @o, which keeps pointers into it, and the file of --config,
 * the only one that is opened here. Returns 0, or -EINVAL with one line without newline in @why (of @why_bytes). What has been inherited
 * (options_inherit) is added by the caller, then options_complete() called.
 */
int options_parse(int argc, char *const argv[], struct options *o, char *why,
		  size_t why_bytes);

/* Add @e, a listener or a port. Returns NULL, or what it would have to be, as
 * there is no room. */
const char *options_append(struct options *o, const struct endpoint *e);

/* Add an inherited descriptor, a listener or a port, under @name ("": none).
 * Returns 0, or -EINVAL with a line in @why. */
int options_inherit(struct options *o, enum endpoint_role role, int fd,
		    const char *name, char *why, size_t why_bytes);

/*
 * Fill in what was left open, and check what only the whole tells. @directory
 * is where a switch with a name has its sockets (run_directory.h), or NULL.
 * Returns 0, or -EINVAL with a line in @why.
 */
int options_complete(struct options *o, const char *directory, char *why,
		     size_t why_bytes);

/*
 * Where the state file is, if not said: in the switch's directory, or beside
 * the first of its listeners, or else beside its control socket. For what has
 * been completed. False if nowhere.
 */
bool options_state(const struct options *o, char *path, size_t bytes);

/* Whether @o wants this control socket. */
static inline bool options_wants(const struct endpoint *socket)
{
	return *socket->argument && strcmp(socket->argument, "none");
}

/*
 * Whether @e, which is not in @o, can be added to it; what was left open in it
 * is filled in. 0, or -EINVAL with a line in @why.
 */
int options_may_add(struct options *o, struct endpoint *e, char *why,
		    size_t why_bytes);

/*
 * A place for one more listener or port, as @e says: that of one that has been
 * removed and has no port in use (@used) any more, or a new one. NULL if there is none.
 */
struct endpoint *options_add(struct options *o, const struct endpoint *e,
			     bool (*used)(const void *context,
					  const struct endpoint *e),
			     const void *context);

/*
 * @o as a command line: calls @word for each word, the program's name not
 * included.
 */
void options_words(const struct options *o,
		   void (*word)(void *context, const char *word),
		   void *context);

/* The text of --help. */
void options_help(FILE *to, const char *program);

#endif
