#include "ctl_commands.h"

#include <stdio.h>
#include <string.h>

#include "ctl_context.h"
#include "ctl_words.h"

#define COMMANDS(list) .commands = list, .count = sizeof(list) / sizeof(*(list))

static const struct command port_commands[] = {
	{ "show", port_show, "[[dev] PORT]", "all ports, or all about one\n" },
	{ "add", port_add, "KIND:WHAT[,key=value...]",
	  "as --port of ringswitch; prints the name of the port\n" },
	{ "del", port_del, "[dev] PORT", "a guest's connection is closed\n" },
	{ "set", port_set, "[dev] PORT KEY VALUE...",
	  "name NAME             what it is called\n"
	  "queue N               frames that may wait for it\n"
	  "isolated on|off       nothing passes between isolated ports\n"
	  "learning on|off       whether source addresses are learned there\n"
	  "flood on|off          whether unicast to unknown addresses goes there\n"
	  "locked on|off         only addresses that are known there may send\n"
	  "mac-limit N           at most N addresses; 0: no limit\n"
	  "no-spoof on|off       no source address that is another port's, or none\n"
	  "storm-broadcast N     at most N broadcasts a second from it; 0: no limit\n"
	  "storm-multicast N     the same for multicast\n"
	  "storm-unknown N       the same for unicast to unknown addresses\n"
	  "mirror PORT|none      a copy of all its frames goes to PORT\n" },
	{ "up", port_up, "[dev] PORT", "frames pass again\n" },
	{ "down", port_down, "[dev] PORT", "as if it were not there\n" },
};

static const struct command listener_commands[] = {
	{ "show", listener_show, "[KIND:PATH]", "where guests attach\n" },
	{ "add", listener_add, "KIND:PATH[,key=value...]",
	  "as --listen of ringswitch\n" },
	{ "del", listener_del, "KIND:PATH",
	  "guests that are attached stay\n" },
};

static const struct command mac_commands[] = {
	{ "show", mac_show, "[[dev] PORT]", "which address is where\n" },
	{ "add", mac_add, "ADDRESS [dev] PORT [static]",
	  "stays there, does not age, goes with its port\n" },
	{ "del", mac_del, "ADDRESS", "learned or static\n" },
	{ "flush", mac_flush, "[[dev] PORT]", "forget what was learned\n" },
};

static const struct command mirror_commands[] = {
	{ "show", mirror_show, "", "which ports are copied where\n" },
	{ "add", mirror_add, "[dev] PORT [to] TARGET",
	  "a copy of all frames of PORT goes to TARGET\n" },
	{ "del", mirror_del, "[dev] PORT", "no more\n" },
};

static const struct command stats_commands[] = {
	{ "show", stats_show, "[[dev] PORT] [-w [SECONDS]] [--count N]",
	  "counters, drops by reason, latency of one PORT\n"
	  "-w, --watch [SECONDS] rates, every SECONDS (1)\n"
	  "--count N             so many times, then end\n" },
	{ "words", stats_words, "[[dev] PORT]",
	  "name:value words on one line, for RRD pollers\n" },
};

static const struct command filter_commands[] = {
	{ "show", filter_show, "[[dev] PORT]",
	  "rules in force with counters, what was dropped last\n" },
	{ "load", filter_load, "[[dev] PORT]",
	  "read the files of rules= again\n" },
};

static const struct command capture_commands[] = {
	{ "", capture_run, "[dev] PORT|all [EXPRESSION] [OPTION]...",
	  "EXPRESSION as of tcpdump. A line a frame, or with -w pcapng.\n"
	  "-w FILE               write pcapng; -: to stdout\n"
	  "-j                    one JSON object a frame\n"
	  "-c N                  end after N frames\n"
	  "-s BYTES              of each frame; default all\n"
	  "-Q in|out|both        as the switch sees it; default both\n"
	  "-B KIB                of buffer in the switch; default 4096\n"
	  "--no-drops            without frames that the switch dropped\n" },
};

static const struct command monitor_commands[] = {
	{ "", monitor_run, "[EVENT...]",
	  "tell what happens, a line an event. EVENT is the beginning of a name:\n"
	  "port listener mac drops stall reload; default: all\n" },
};

static const struct command top_commands[] = {
	{ "", top_run, "[-d SECONDS]", "ports by rate, until q is pressed\n" },
};

static const struct command config_commands[] = {
	{ "show", config_show, "",
	  "what runs, as a command line for a shell\n" },
	{ "lines", config_lines, "",
	  "the same, one option a line, for ringswitch --config FILE\n" },
};

static const struct command restart_commands[] = {
	{ "", restart_run, "",
	  "with its running configuration; returns when the new one answers. Guests\n"
	  "have to attach again: those of UML's eth0=daemon never do\n" },
};

static const struct command stop_commands[] = {
	{ "", stop_run, "", "in good order; returns when it has ended\n" },
};

static const struct command version_commands[] = {
	{ "", version_run, "", "of ringctl, and of the switch\n" },
};

static const struct command help_commands[] = {
	{ "", help_run, "[OBJECT [COMMAND]]", "this, or more about one\n" },
};

const struct object objects[] = {
	{ "port", "ports: the guests, taps and connections", COMMANDS(port_commands) },
	{ "listener", "sockets at which guests attach", COMMANDS(listener_commands) },
	{ "mac", "the table of addresses", COMMANDS(mac_commands) },
	{ "mirror", "copies of one port's frames for another port", COMMANDS(mirror_commands) },
	{ "stats", "counters and rates", COMMANDS(stats_commands) },
	{ "filter", "what may cross a tap", COMMANDS(filter_commands) },
	{ "capture", "frames, as pcapng or a line each", COMMANDS(capture_commands) },
	{ "monitor", "events as they happen", COMMANDS(monitor_commands) },
	{ "top", "a live view of the ports", COMMANDS(top_commands) },
	{ "config", "the running configuration", COMMANDS(config_commands) },
	{ "restart", "start the switch anew", COMMANDS(restart_commands) },
	{ "stop", "end the switch", COMMANDS(stop_commands) },
	{ "version", "of ringctl and the switch", COMMANDS(version_commands) },
	{ "help", "of an object or a command", COMMANDS(help_commands) },
};
const size_t object_count = sizeof(objects) / sizeof(*objects);

static bool asks_for_help(const struct words *w)
{
	static const char *const words[] = { "help", "-h", "-help", "--help" };

	for (size_t i = 0; w->count && i < sizeof(words) / sizeof(*words); i++)
		if (!strcmp(*w->at, words[i]))
			return true;
	return false;
}

static const struct object *find_object(const struct ctl *ctl,
					const char *word)
{
	int at = words_match(ctl, "object", word, objects, sizeof(*objects),
			     object_count);

	return at < 0 ? NULL : &objects[at];
}

static const struct command *find_command(const struct ctl *ctl,
					  const struct object *o,
					  const char *word)
{
	char what[64];
	int at;

	snprintf(what, sizeof(what), "%s command", o->name);
	at = words_match(ctl, what, word, o->commands, sizeof(*o->commands),
			 o->count);
	return at < 0 ? NULL : &o->commands[at];
}

/* Help if that is the next word, otherwise the command itself. */
static int run_or_help(struct ctl *ctl, const struct object *object,
		       const struct command *command, struct words *words)
{
	if (!asks_for_help(words))
		return command->run(ctl, words);
	commands_help(ctl, object, command);
	return CTL_OK;
}

int commands_run(struct ctl *ctl, struct words *words)
{
	const char *word = words_next(words);
	const struct object *object;
	const struct command *command;

	if (!word)
		return ctl_syntax(ctl, "no object is named (ringctl help)");
	object = find_object(ctl, word);
	if (!object)
		return CTL_SYNTAX;
	command = object->commands; /* show, or the only one */
	if (!*command->name || !words->count ||
	    (**words->at == '-' && !asks_for_help(words)))
		return run_or_help(ctl, object, command, words);
	if (asks_for_help(words)) {
		commands_help(ctl, object, NULL);
		return CTL_OK;
	}
	command = find_command(ctl, object, words_next(words));
	return command ? run_or_help(ctl, object, command, words) : CTL_SYNTAX;
}

int help_run(struct ctl *ctl, struct words *words)
{
	const char *word = words_next(words);
	const struct object *object = NULL;
	const struct command *command = NULL;

	if (word && !(object = find_object(ctl, word)))
		return CTL_SYNTAX;
	word = words_next(words);
	if (word && !(command = find_command(ctl, object, word)))
		return CTL_SYNTAX;
	if (words_end(ctl, words))
		return CTL_SYNTAX;
	commands_help(ctl, object, command);
	return CTL_OK;
}
