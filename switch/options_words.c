#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "options.h"

/* Whom the words are told. */
struct listener_of_words {
	void (*word)(void *context, const char *word);
	void *context;
};

static void say(const struct listener_of_words *to, const char *word)
{
	to->word(to->context, word);
}

static void say_pair(const struct listener_of_words *to, const char *option,
		     const char *value)
{
	say(to, option);
	say(to, value);
}

__attribute__((format(printf, 3, 4))) static void
say_number(const struct listener_of_words *to, const char *option,
	   const char *format, ...)
{
	char value[32];
	va_list args;

	va_start(args, format);
	vsnprintf(value, sizeof(value), format, args);
	va_end(args);
	say_pair(to, option, value);
}

static void say_endpoints(const struct listener_of_words *to,
			  const char *option, const struct endpoint *e,
			  unsigned count)
{
	char text[ENDPOINT_BYTES];

	for (; count; e++, count--)
		if (!e->removed)
			say_pair(to, option,
				 endpoint_format(e, text, sizeof(text)));
}

/* Behind "control:", which is not said. */
static void say_socket(const struct listener_of_words *to, const char *option,
		       const struct endpoint *e)
{
	char text[ENDPOINT_BYTES];

	if (*e->argument)
		say_pair(to, option,
			 endpoint_format(e, text, sizeof(text)) +
				 sizeof("control:") - 1);
}

static void say_numbers(const struct listener_of_words *to,
			const struct options *o)
{
	if (o->ageing_s != AGEING_DEFAULT_S)
		say_number(to, "--ageing", "%" PRIu32, o->ageing_s);
	if (o->mac_entries != MAC_ENTRIES_DEFAULT)
		say_number(to, "--mac-table", "%" PRIu32, o->mac_entries);
	if (o->busy_poll_us)
		say_number(to, "--busy-poll", "%" PRIu32, o->busy_poll_us);
	if (o->mode >= 0)
		say_number(to, "--mode", "%04o", (unsigned)o->mode);
	if (o->group != (gid_t)-1)
		say_number(to, "--group", "%u", o->group);
	if (o->user != (uid_t)-1)
		say_number(to, "--user", "%u", o->user);
	for (unsigned i = 0; i < o->allow_uid_count; i++)
		say_number(to, "--allow-uid", "%u", o->allow_uids[i]);
	for (unsigned i = 0; i < o->allow_gid_count; i++)
		say_number(to, "--allow-gid", "%u", o->allow_gids[i]);
	if (o->ports_per_uid)
		say_number(to, "--ports-per-uid", "%" PRIu32, o->ports_per_uid);
}

static bool has_listener(const struct options *o)
{
	for (unsigned i = 0; i < o->listener_count; i++)
		if (!o->listeners[i].removed)
			return true;
	return false;
}

void options_words(const struct options *o,
		   void (*word)(void *context, const char *word), void *context)
{
	const struct listener_of_words to = { word, context };

	if (o->name)
		say_pair(&to, "--name", o->name);
	say_endpoints(&to, "--listen", o->listeners, o->listener_count);
	if (!has_listener(o))
		say_pair(&to, "--listen", "none");
	say_endpoints(&to, "--port", o->ports, o->port_count);
	if (o->hub)
		say(&to, "--hub");
	if (o->daemon)
		say(&to, "--daemon");
	if (o->pidfile)
		say_pair(&to, "--pidfile", o->pidfile);
	say_numbers(&to, o);
	say_socket(&to, "--control", &o->control);
	say_socket(&to, "--monitor", &o->monitor);
	if (o->metrics)
		say_pair(&to, "--metrics", o->metrics);
	if (o->no_keeper)
		say(&to, "--no-keeper");
	if (o->state)
		say_pair(&to, "--state", o->state);
	if (o->without & WITHOUT_MULTISHOT_READ)
		say_pair(&to, "--without", "multishot-read");
	if (o->without & WITHOUT_FIXED_FILES)
		say_pair(&to, "--without", "fixed-files");
}
