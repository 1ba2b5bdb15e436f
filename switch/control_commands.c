#include "client.h"
#include "control_commands.h"

#include <stdio.h>
#include <string.h>

#include "capture.h"
#include "port_name.h"
#include "sw.h"

enum { ARGUMENTS_MAX = 14 };

static command_fn help;

struct argument {
	const char *name;
	/* s: string, i: whole number, b: true or false, n: string or null,
	 * a: array of strings */
	char type;
	bool required;
};

static const struct command {
	const char *name;
	bool read_only; /* on the second socket, too */
	command_fn *run;
	struct argument arguments[ARGUMENTS_MAX];
} commands[] = {
	{ "version", true, control_version, { { 0 } } },
	{ "help", true, help, { { 0 } } },
	{ "port.show", true, control_port_show, { { "port", 's', false } } },
	{ "port.add", false, control_port_add, { { "endpoint", 's', true } } },
	{ "port.del", false, control_port_del, { { "port", 's', true } } },
	{ "port.set", false, control_port_set,
	  { { "port", 's', true },
	    { "name", 's', false },
	    { "queue", 'i', false },
	    { "isolated", 'b', false },
	    { "learning", 'b', false },
	    { "flood", 'b', false },
	    { "locked", 'b', false },
	    { "mac_limit", 'i', false },
	    { "no_spoof", 'b', false },
	    { "storm_broadcast", 'i', false },
	    { "storm_multicast", 'i', false },
	    { "storm_unknown", 'i', false },
	    { "mirror", 'n', false } } },
	{ "port.up", false, control_port_up, { { "port", 's', true } } },
	{ "port.down", false, control_port_down, { { "port", 's', true } } },
	{ "listener.show", true, control_listener_show,
	  { { "listener", 's', false } } },
	{ "listener.add", false, control_listener_add,
	  { { "endpoint", 's', true } } },
	{ "listener.del", false, control_listener_del,
	  { { "listener", 's', true } } },
	{ "mac.show", true, control_mac_show, { { "port", 's', false } } },
	{ "mac.flush", false, control_mac_flush, { { "port", 's', false } } },
	{ "mac.add", false, control_mac_add,
	  { { "address", 's', true }, { "port", 's', true } } },
	{ "mac.del", false, control_mac_del, { { "address", 's', true } } },
	{ "stats.show", true, control_stats_show, { { "port", 's', false } } },
	{ "filter.show", true, control_filter_show, { { "port", 's', false } } },
	{ "filter.load", false, control_filter_load, { { "port", 's', false } } },
	{ "capture", false, capture_command,
	  { { "port", 's', true },
	    { "expression", 's', false },
	    { "snaplen", 'i', false },
	    { "direction", 's', false },
	    { "drops", 'b', false },
	    { "buffer", 'i', false } } },
	{ "monitor", true, control_monitor, { { "events", 'a', false } } },
	{ "config.show", true, control_config_show, { { 0 } } },
	{ "restart", false, control_restart, { { 0 } } },
	{ "stop", false, control_stop, { { 0 } } },
};

enum { COMMANDS = sizeof(commands) / sizeof(*commands) };

static void help(struct sw *sw, struct client *c, const json_t *arguments)
{
	json_t *all = json_array();

	(void)sw, (void)arguments;
	for (int i = 0; i < COMMANDS; i++) {
		json_t *names = json_array();

		for (int n = 0; n < ARGUMENTS_MAX && commands[i].arguments[n].name;
		     n++)
			json_array_append_new(
				names, json_string(commands[i].arguments[n].name));
		json_array_append_new(
			all, json_pack("{s:s, s:o, s:b}", "command",
				       commands[i].name, "arguments", names,
				       "read_only", commands[i].read_only));
	}
	client_return(c, all);
}

/* --- arguments ------------------------------------------------------------ */

static bool has_type(const json_t *value, char type)
{
	size_t i;
	json_t *element;

	switch (type) {
	case 's':
		return json_is_string(value);
	case 'i':
		return json_is_integer(value);
	case 'b':
		return json_is_boolean(value);
	case 'n':
		return json_is_string(value) || json_is_null(value);
	default:
		json_array_foreach (value, i, element)
			if (!json_is_string(element))
				return false;
		return json_is_array(value);
	}
}

static const char *type_name(char type)
{
	return type == 's'   ? "a string"
	       : type == 'i' ? "a whole number"
	       : type == 'b' ? "true or false"
	       : type == 'n' ? "a string or null"
			     : "an array of strings";
}

static const struct argument *find_argument(const struct command *command,
					    const char *name)
{
	for (int i = 0; i < ARGUMENTS_MAX && command->arguments[i].name; i++)
		if (!strcmp(command->arguments[i].name, name))
			return &command->arguments[i];
	return NULL;
}

/* Answers and returns false if they are not as the table wants them. */
static bool check_arguments(struct client *c, const struct command *command,
			    json_t *arguments)
{
	const char *name;
	json_t *value;

	json_object_foreach (arguments, name, value) {
		const struct argument *a = find_argument(command, name);

		if (!a) {
			client_refuse(c, "argument", "%s takes no argument '%.64s': see help", command->name, name);
			return false;
		}
		if (!has_type(value, a->type)) {
			client_refuse(c, "argument", "%s: %s must be %s", command->name, name, type_name(a->type));
			return false;
		}
	}
	for (int i = 0; i < ARGUMENTS_MAX && command->arguments[i].name; i++) {
		const struct argument *a = &command->arguments[i];

		if (!a->required || json_object_get(arguments, a->name))
			continue;
		client_refuse(c, "argument", "%s needs the argument %s, %s", command->name, a->name, type_name(a->type));
		return false;
	}
	return true;
}

/* --- requests ------------------------------------------------------------- */

static const struct command *find_command(const char *name)
{
	for (int i = 0; i < COMMANDS; i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

static void run(struct sw *sw, struct client *c, const char *name,
		json_t *arguments)
{
	const struct command *command = find_command(name);

	if (!command)
		client_refuse(c, "command", "'%.64s' is no command: see help", name);
	else if (c->monitor && !command->read_only)
		client_refuse(c, "read-only", "%s is not for this socket, which can only read: use the control socket", name);
	else if (check_arguments(c, command, arguments))
		command->run(sw, c, arguments);
}

/* A member of the request that is not known, or NULL. */
static const char *unknown_member(json_t *request)
{
	const char *name;
	json_t *value;

	json_object_foreach (request, name, value)
		if (strcmp(name, "execute") && strcmp(name, "arguments") &&
		    strcmp(name, "id") && strcmp(name, "version"))
			return name;
	return NULL;
}

static void answer(struct sw *sw, struct client *c, json_t *request)
{
	const char *name = control_string(request, "execute");
	json_t *arguments = json_object_get(request, "arguments");
	json_t *version = json_object_get(request, "version");
	const char *unknown = unknown_member(request);

	c->id = json_incref(json_object_get(request, "id"));
	if (version && json_integer_value(version) != 1)
		client_refuse(c, "version", "this switch speaks version 1 only");
	else if (unknown)
		client_refuse(c, "argument", "a request has no member '%.64s': execute, arguments, id, version", unknown);
	else if (!name)
		client_refuse(c, "argument", "\"execute\" must be the name of a command: see help");
	else if (arguments && !json_is_object(arguments))
		client_refuse(c, "argument", "\"arguments\" must be an object");
	else
		run(sw, c, name, arguments);
}

void control_execute(struct sw *sw, struct client *c, const char *line,
		     size_t bytes)
{
	json_error_t error;
	json_t *request = json_loadb(line, bytes, JSON_REJECT_DUPLICATES, &error);

	if (json_is_object(request)) {
		answer(sw, c, request);
	} else {
		client_refuse(c, "syntax", "a request must be a JSON object on one line%s%s", request ? "" : ": ", request ? "" : error.text);
		c->closing = true;
	}
	json_decref(request);
}

/* --- what commands have in common ----------------------------------------- */

const char *control_string(const json_t *arguments, const char *name)
{
	return json_string_value(json_object_get(arguments, name));
}

struct port *control_port(struct sw *sw, struct client *c,
			  const json_t *arguments)
{
	const char *name = control_string(arguments, "port");
	struct port *p = port_by_name(&sw->ports, name);

	/* One that is being deleted is not there any more. */
	if (p && !p->failed)
		return p;
	client_refuse(c, "not-found", "port '%.64s': there is none of that name: see port.show", name);
	return NULL;
}

void control_each_port(struct sw *sw, struct client *c, const json_t *arguments,
		       produce_fn *produce)
{
	const char *name = control_string(arguments, "port");

	c->port[0] = '\0';
	if (name && !control_port(sw, c, arguments))
		return;
	if (name)
		snprintf(c->port, sizeof(c->port), "%s", name);
	client_produce(c, produce);
}

bool control_next_ports(struct sw *sw, struct client *c,
			json_t *(*describe)(struct sw *sw,
					    const struct port *p))
{
	unsigned some = CONTROL_PIECE_PORTS;

	for (; c->at < sw->ports.id_end && some; c->at++) {
		const struct port *p = sw->ports.by_id[c->at];
		json_t *value;

		if (p->state != PORT_UP || p->failed ||
		    (*c->port && strcmp(c->port, p->name)))
			continue;
		value = describe(sw, p);
		if (!value)
			continue;
		client_put_separator(c);
		client_put_json(c, value);
		some--;
	}
	return c->at >= sw->ports.id_end;
}
