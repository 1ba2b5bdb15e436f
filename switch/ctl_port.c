/* The object port, and mirror, which is a property of a port. */
#include <stdio.h>
#include <string.h>

#include "ctl_commands.h"
#include "ctl_context.h"
#include "ctl_json.h"
#include "ctl_table.h"
#include "ctl_text.h"
#include "ctl_words.h"

static bool has_storms(const json_t *row)
{
	return js_integer(row, "storm_broadcast") ||
	       js_integer(row, "storm_multicast") ||
	       js_integer(row, "storm_unknown");
}

/* What is not as usual, in one word each. */
static void show_flags(const json_t *row, const char *key, struct cell *to)
{
	char limit[48] = "", all[256];

	(void)key;
	if (js_integer(row, "mac_limit"))
		snprintf(limit, sizeof(limit), ",mac-limit=%" JSON_INTEGER_FORMAT,
			 js_integer(row, "mac_limit"));
	snprintf(all, sizeof(all), "%s%s%s%s%s%s%s%s%s",
		 js_true(row, "isolated") ? ",isolated" : "",
		 js_true(row, "locked") ? ",locked" : "",
		 json_is_false(json_object_get(row, "learning")) ? ",no-learning" : "",
		 json_is_false(json_object_get(row, "flood")) ? ",no-flood" : "",
		 limit, js_true(row, "no_spoof") ? ",no-spoof" : "",
		 has_storms(row) ? ",storm" : "",
		 js_true(row, "filter") ? ",filter" : "",
		 js_number(row, "captures") > 0 ? ",captured" : "");
	strcpy(to->text, *all ? all + 1 : "");
}

static const struct table_column port_columns[] = {
	{ .title = "PORT", .key = "name", .least = 12 },
	{ .title = "STATE", .key = "state", .show = table_state },
	{ .title = "KIND", .key = "kind", .rank = 1 },
	{ .title = "MACS", .key = "macs", .right = true, .rank = 4 },
	{ .title = "QUEUED", .key = "queued", .right = true, .rank = 5 },
	{ .title = "QUEUE", .key = "queue", .right = true, .rank = 6 },
	{ .title = "PID", .key = "pid", .right = true, .rank = 7 },
	{ .title = "UID", .key = "uid", .right = true, .rank = 9 },
	{ .title = "FRAME", .key = "frame_max", .right = true, .rank = 10 },
	{ .title = "MIRROR", .key = "mirror", .rank = 3, .least = 6 },
	{ .title = "FLAGS", .show = show_flags, .rank = 2, .least = 8 },
	{ .title = "ENDPOINT", .key = "endpoint", .rank = 8, .least = 16 },
	{ .title = "DESCRIPTION", .key = "description", .rank = 11, .least = 12 },
};

static int show_ports(struct ctl *ctl, const json_t *answer)
{
	if (!json_is_array(answer))
		return ctl_strange(ctl, "list of ports");
	table_print(ctl, answer, port_columns,
		    sizeof(port_columns) / sizeof(*port_columns));
	return CTL_OK;
}

static int show_port(struct ctl *ctl, const json_t *answer)
{
	const json_t *port = json_array_get(answer, 0);
	char name[256];

	if (!json_is_object(port))
		return ctl_strange(ctl, "port");
	text_printable(js_text(port, "name"), name, sizeof(name));
	puts(name);
	table_members(ctl, port);
	return CTL_OK;
}

int port_show(struct ctl *ctl, struct words *words)
{
	const char *port = words_port(words);

	if (words_end(ctl, words))
		return CTL_SYNTAX;
	return ctl_do(ctl, CTL_READS, "port.show",
		      words_arguments("port", port),
		      port ? show_port : show_ports);
}

/* The switch gave it a name that a script wants to know. */
static int show_name(struct ctl *ctl, const json_t *answer)
{
	char name[256];

	(void)ctl;
	text_printable(js_text(answer, "name"), name, sizeof(name));
	puts(name);
	return CTL_OK;
}

int port_add(struct ctl *ctl, struct words *words)
{
	const char *endpoint = words_next(words);

	if (!endpoint)
		return words_missing(ctl, "KIND:WHAT");
	if (words_end(ctl, words))
		return CTL_SYNTAX;
	return ctl_do(ctl, CTL_CHANGES, "port.add",
		      words_arguments("endpoint", endpoint), show_name);
}

/* A command that only needs to be told the port. */
static int do_port(struct ctl *ctl, struct words *words, const char *execute)
{
	const char *port = words_port(words);

	if (!port)
		return words_missing(ctl, "PORT");
	if (words_end(ctl, words))
		return CTL_SYNTAX;
	return ctl_do(ctl, CTL_CHANGES, execute, words_arguments("port", port),
		      NULL);
}

int port_del(struct ctl *ctl, struct words *words)
{
	return do_port(ctl, words, "port.del");
}

int port_up(struct ctl *ctl, struct words *words)
{
	return do_port(ctl, words, "port.up");
}

int port_down(struct ctl *ctl, struct words *words)
{
	return do_port(ctl, words, "port.down");
}

static const struct key {
	const char *name;
	enum { KEY_TEXT, KEY_NUMBER, KEY_ON_OFF, KEY_PORT } kind;
	const char *member;
} keys[] = {
	{ "name", KEY_TEXT, "name" },
	{ "queue", KEY_NUMBER, "queue" },
	{ "isolated", KEY_ON_OFF, "isolated" },
	{ "learning", KEY_ON_OFF, "learning" },
	{ "flood", KEY_ON_OFF, "flood" },
	{ "locked", KEY_ON_OFF, "locked" },
	{ "mac-limit", KEY_NUMBER, "mac_limit" },
	{ "no-spoof", KEY_ON_OFF, "no_spoof" },
	{ "storm-broadcast", KEY_NUMBER, "storm_broadcast" },
	{ "storm-multicast", KEY_NUMBER, "storm_multicast" },
	{ "storm-unknown", KEY_NUMBER, "storm_unknown" },
	{ "mirror", KEY_PORT, "mirror" },
};

/* The value of @key as JSON, or NULL and has said what it must be. */
static json_t *key_value(const struct ctl *ctl, const struct key *key,
			 const char *word)
{
	int64_t number;

	switch (key->kind) {
	case KEY_NUMBER:
		if (words_number(word, 0, UINT32_MAX, &number))
			return json_integer(number);
		ctl_syntax(ctl, "%s '%s' must be a number", key->name, word);
		return NULL;
	case KEY_ON_OFF:
		if (!strcmp(word, "on") || !strcmp(word, "off"))
			return json_boolean(!strcmp(word, "on"));
		ctl_syntax(ctl, "%s '%s' must be on or off", key->name, word);
		return NULL;
	case KEY_PORT:
		return strcmp(word, "none") ? words_json(word) : json_null();
	default:
		return words_json(word);
	}
}

/* Add one key and its value to @arguments. */
static int take_key(const struct ctl *ctl, struct words *words,
		    json_t *arguments)
{
	int at = words_match(ctl, "key", words_next(words), keys, sizeof(*keys),
			     sizeof(keys) / sizeof(*keys));
	const char *word = words_next(words);
	json_t *value;

	if (at < 0)
		return CTL_SYNTAX;
	if (!word)
		return ctl_syntax(ctl, "%s needs a value", keys[at].name);
	if (json_object_get(arguments, keys[at].member))
		return ctl_syntax(ctl, "%s is there twice", keys[at].name);
	value = key_value(ctl, &keys[at], word);
	if (!value)
		return CTL_SYNTAX;
	json_object_set_new(arguments, keys[at].member, value);
	return CTL_OK;
}

int port_set(struct ctl *ctl, struct words *words)
{
	const char *port = words_port(words);
	json_t *arguments;

	if (!port)
		return words_missing(ctl, "PORT");
	if (!words->count)
		return words_missing(ctl, "KEY VALUE");
	arguments = words_arguments("port", port);
	while (words->count)
		if (take_key(ctl, words, arguments)) {
			json_decref(arguments);
			return CTL_SYNTAX;
		}
	return ctl_do(ctl, CTL_CHANGES, "port.set", arguments, NULL);
}

/* Mirrors --------------------------------------------------------------- */

static const struct table_column mirror_columns[] = {
	{ .title = "PORT", .key = "name", .least = 12 },
	{ .title = "MIRROR", .key = "mirror", .least = 12 },
};

/* The ports that have one, as objects of their own. */
static json_t *mirrors_of(const json_t *ports)
{
	json_t *mirrors = json_array();
	const json_t *port;
	size_t i;

	json_array_foreach(ports, i, port)
		if (js_has(port, "mirror"))
			json_array_append_new(
				mirrors,
				json_pack("{s:O*, s:O}", "name",
					  json_object_get(port, "name"),
					  "mirror",
					  json_object_get(port, "mirror")));
	return mirrors;
}

int mirror_show(struct ctl *ctl, struct words *words)
{
	json_t *answer, *mirrors;

	if (words_end(ctl, words))
		return CTL_SYNTAX;
	answer = ctl_ask(ctl, CTL_READS, "port.show", NULL);
	if (!answer)
		return CTL_REFUSED;
	mirrors = mirrors_of(answer);
	json_decref(answer);
	if (ctl->json)
		ctl_print_json(ctl, mirrors);
	else
		table_print(ctl, mirrors, mirror_columns, 2);
	json_decref(mirrors);
	return CTL_OK;
}

static int set_mirror(struct ctl *ctl, const char *port, json_t *target)
{
	json_t *arguments = words_arguments("port", port);

	json_object_set_new(arguments, "mirror", target);
	return ctl_do(ctl, CTL_CHANGES, "port.set", arguments, NULL);
}

int mirror_add(struct ctl *ctl, struct words *words)
{
	const char *port = words_port(words);
	const char *target;

	words_skip(words, "to");
	target = words_next(words);
	if (!target)
		return words_missing(ctl, port ? "TARGET" : "PORT");
	if (words_end(ctl, words))
		return CTL_SYNTAX;
	return set_mirror(ctl, port, words_json(target));
}

int mirror_del(struct ctl *ctl, struct words *words)
{
	const char *port = words_port(words);

	if (!port)
		return words_missing(ctl, "PORT");
	if (words_end(ctl, words))
		return CTL_SYNTAX;
	return set_mirror(ctl, port, json_null());
}
