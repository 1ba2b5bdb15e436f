/*
 * What ringctl can be told: a table of objects, each with its commands, from
 * which words are found and help is made.
 */
#ifndef CTL_COMMANDS_H
#define CTL_COMMANDS_H

#include <stddef.h>

struct ctl;
struct words;

typedef int command_run(struct ctl *ctl, struct words *words);

struct command {
	const char *name; /* the first member: see words_match() */
	command_run *run; /* returns the exit code, having said what is wrong */
	const char *synopsis; /* behind the name */
	const char *help;     /* a line or more, each with its newline */
};

struct object {
	const char *name;
	const char *help; /* half a line */
	/* One without a name is the object itself: it has no other. */
	const struct command *commands;
	size_t count;
};

extern const struct object objects[];
extern const size_t object_count;

/* Carry out one command; no words are an error. Returns the exit code. */
int commands_run(struct ctl *ctl, struct words *words);

/* Help: for everything, an object, or one of its commands (NULL: all); as JSON
 * if @ctl says so. */
void commands_help(const struct ctl *ctl, const struct object *object,
		   const struct command *command);

/* Each of these is in the file of its object, ctl_OBJECT.c; mirror is with port,
 * version, restart and stop are in ctl_process.c. */
command_run port_show, port_add, port_del, port_set, port_up, port_down;
command_run listener_show, listener_add, listener_del;
command_run mac_show, mac_add, mac_del, mac_flush;
command_run mirror_show, mirror_add, mirror_del;
command_run stats_show, stats_words;
command_run filter_show, filter_load;
command_run config_show, config_lines;
command_run capture_run, monitor_run, top_run;
command_run version_run, restart_run, stop_run, help_run;

#endif
