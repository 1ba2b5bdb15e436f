/* The object monitor: events, a line each, for as long as somebody reads. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ctl_commands.h"
#include "ctl_context.h"
#include "ctl_json.h"
#include "ctl_stream.h"
#include "ctl_table.h"
#include "ctl_text.h"
#include "ctl_words.h"

static const struct event {
	const char *name;
} events[] = {
	{ "port-up" }, { "port-down" }, { "port-set" }, { "mac-learned" },
	{ "mac-moved" }, { "drops" }, { "stall" }, { "stall-end" },
	{ "reload" }, { "listener-add" }, { "listener-del" }, { "lost" },
};
enum { EVENTS = sizeof(events) / sizeof(*events) };

static bool is_selected(const struct words *words, const char *event)
{
	for (int i = 0; i < words->count; i++)
		if (!strncmp(event, words->at[i], strlen(words->at[i])))
			return true;
	return !words->count || !strcmp(words->at[0], "all");
}

static bool is_beginning(const char *word)
{
	for (size_t i = 0; i < EVENTS; i++)
		if (*word && !strncmp(events[i].name, word, strlen(word)))
			return true;
	return false;
}

/* The events that were asked for; NULL, and said so, if one is unknown. With
 * no words the switch is not told: it may have more than we know of. */
static json_t *wanted(const struct ctl *ctl, const struct words *words)
{
	json_t *names = json_array();

	for (int i = 0; i < words->count; i++)
		if (!is_beginning(words->at[i]) &&
		    strcmp(words->at[i], "all")) {
			/* Which is not there, and this says so. */
			words_match(ctl, "event", words->at[i], events,
				    sizeof(*events), EVENTS);
			json_decref(names);
			return NULL;
		}
	for (size_t i = 0; i < EVENTS; i++)
		if (is_selected(words, events[i].name))
			json_array_append_new(names, json_string(events[i].name));
	return names;
}

static enum colour colour_of(const char *event)
{
	if (!strcmp(event, "port-up") || !strcmp(event, "stall-end"))
		return GOOD;
	if (!strcmp(event, "port-down") || !strcmp(event, "stall"))
		return BAD;
	if (!strcmp(event, "drops") || !strcmp(event, "lost"))
		return WARN;
	return PLAIN;
}

static void print_member(const char *key, const json_t *value)
{
	char what[64], shown[1024];

	if (!strcmp(key, "version") || !strcmp(key, "event") ||
	    !strcmp(key, "time"))
		return;
	text_printable(key, what, sizeof(what));
	js_show(value, shown, sizeof(shown));
	printf(" %s %s", what, *shown ? shown : "none");
}

static void print_event(const struct ctl *ctl, json_t *event)
{
	const char *name = js_text(event, "event"), *key, *inner;
	enum colour colour = colour_of(name);
	char when[32], shown[1024];
	json_t *value, *part;

	text_time(js_number(event, "time"), when, sizeof(when));
	text_printable(name, shown, sizeof(shown));
	printf("%s %s%-12s%s", when, table_colour(ctl, colour), shown,
	       table_plain(ctl, colour));
	json_object_foreach(event, key, value) {
		if (json_is_object(value))
			json_object_foreach(value, inner, part)
				print_member(inner, part);
		else if (!json_is_null(value))
			print_member(key, value);
	}
	putchar('\n');
}

static int print_line(struct ctl *ctl, const char *line, size_t bytes)
{
	json_t *event = json_loadb(line, bytes, 0, NULL);

	if (!json_is_object(event)) {
		json_decref(event);
		return ctl_refused(ctl, "the switch has sent an event that is no JSON object");
	}
	if (ctl->json)
		ctl_print_json(ctl, event);
	else
		print_event(ctl, event);
	json_decref(event);
	return CTL_OK;
}

/* Each event is out before the next is waited for. */
static int follow(struct ctl *ctl, struct client *c)
{
	for (;;) {
		size_t bytes;
		char *line;
		int got, code;

		fflush(stdout);
		if (!stream_wait(c, STDOUT_FILENO, -1))
			return CTL_OK;
		got = client_line(c, -1, &line, &bytes);
		if (got == 0)
			return ctl_refused(ctl, "the switch has ended the connection");
		if (got < 0)
			return ctl_refused(ctl, "cannot read events: %s",
					   strerror(-got));
		code = print_line(ctl, line, bytes);
		if (code)
			return code;
	}
}

int monitor_run(struct ctl *ctl, struct words *words)
{
	json_t *arguments = NULL, *answer;
	struct client client;
	int code;

	if (words->count) {
		json_t *names = wanted(ctl, words);

		if (!names)
			return CTL_SYNTAX;
		arguments = json_pack("{s:o}", "events", names);
	}
	answer = stream_ask(ctl, CTL_READS, "monitor", arguments, &client);
	if (!answer)
		return CTL_REFUSED;
	json_decref(answer);
	code = follow(ctl, &client);
	client_close(&client);
	return code;
}
