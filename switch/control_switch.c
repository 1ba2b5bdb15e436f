#include "client.h"
#include "control_commands.h"

#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "control.h"
#include "events.h"
#include "kept.h"
#include "log.h"
#include "sw.h"
#include "version.h"

void control_version(struct sw *sw, struct client *c, const json_t *arguments)
{
	struct utsname kernel;

	(void)arguments;
	uname(&kernel);
	client_return(
		c, json_pack("{s:s, s:s, s:i, s:i, s:i, s:s?, s:s, s:f, s:f, s:i}",
			     "program", "ringswitch", "release", version_text,
			     "protocol", 1, "pid", (int)sw->main_pid,
			     "process", (int)getpid(), "name",
			     sw->options->name, "kernel", kernel.release,
			     "started", (double)sw->started_wall_ns / 1e9,
			     "uptime",
			     (double)(sw->now_ms - sw->started_ms) / 1e3,
			     "starts", (int)kept_starts(sw->kept)));
}

static void add_word(void *words, const char *word)
{
	json_array_append_new(words, client_text(word));
}

void control_config_show(struct sw *sw, struct client *c,
			 const json_t *arguments)
{
	json_t *words = json_array();

	(void)arguments;
	add_word(words, "ringswitch");
	options_words(sw->options, add_word, words);
	client_return(c, json_pack("{s:o}", "words", words));
}

void control_restart(struct sw *sw, struct client *c, const json_t *arguments)
{
	(void)arguments;
	if (kept_fd(sw->kept) < 0) {
		client_refuse(c, "refused", sw->kept
			? "the keeper has ended: whoever started the switch must start it anew"
			: "there is no keeper (--no-keeper): whoever started the switch must start it anew");
		return;
	}
	log_info("starting anew, as the control client asks");
	sw->stopping = sw->restarting = true;
	client_return(c, json_object());
}

void control_stop(struct sw *sw, struct client *c, const json_t *arguments)
{
	(void)arguments;
	log_info("ended by the control client");
	sw->stopping = true;
	client_return(c, json_object());
}

/* The bits of "events", all of them if there is none; 0 with an answer. */
static uint32_t read_events(struct client *c, const json_t *names)
{
	uint32_t wanted = names ? 0 : EVENTS_ALL;
	size_t i;
	json_t *name;

	json_array_foreach (names, i, name) {
		int event = 0;

		while (event < EVENT_COUNT &&
		       strcmp(event_names[event], json_string_value(name)))
			event++;
		if (event == EVENT_COUNT) {
			client_refuse(c, "argument", "events: '%.32s' is none: port-up, port-down, port-set, mac-learned, mac-moved, drops, stall, stall-end, reload, listener-add, listener-del", json_string_value(name));
			return 0;
		}
		wanted |= 1u << event;
	}
	if (!wanted)
		client_refuse(c, "argument", "events: must name one at least");
	return wanted;
}

void control_monitor(struct sw *sw, struct client *c, const json_t *arguments)
{
	uint32_t wanted = read_events(c, json_object_get(arguments, "events"));
	json_t *names;

	if (!wanted)
		return;
	names = json_array();
	for (int event = 0; event < EVENT_COUNT; event++)
		if (wanted & 1u << event)
			json_array_append_new(names,
					      json_string(event_names[event]));
	client_return(c, json_pack("{s:o}", "events", names));
	events_join(sw, c, wanted);
}
