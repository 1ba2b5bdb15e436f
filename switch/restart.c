#include "restart.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "options.h"

#define MARK "RINGSWITCH_RESTART"

static char program[PATH_MAX], directory[PATH_MAX];

/* Words of a command line, with a NULL behind them. */
struct words {
	char *word[4 * (LISTENERS_MAX + STATIC_PORTS_MAX + ALLOW_MAX)];
	unsigned count;
};

void restart_remember(void)
{
	ssize_t length = readlink("/proc/self/exe", program,
				  sizeof(program) - 1);

	program[length > 0 ? length : 0] = '\0';
	if (!getcwd(directory, sizeof(directory)))
		directory[0] = '\0';
}

static bool is_relative(const struct endpoint *e)
{
	return !e->removed && e->kind != PORT_TAP && *e->argument != '/';
}

static bool has_relative_path(const struct options *o)
{
	for (unsigned i = 0; i < o->listener_count; i++)
		if (is_relative(&o->listeners[i]))
			return true;
	for (unsigned i = 0; i < o->port_count; i++)
		if (is_relative(&o->ports[i]))
			return true;
	return (options_wants(&o->control) && is_relative(&o->control)) ||
	       (o->pidfile && *o->pidfile != '/');
}

bool restart_is_possible(const struct options *o, char *why, size_t why_bytes)
{
	if (access(program, X_OK)) {
		snprintf(why, why_bytes, "cannot start anew: %s: %s", program,
			 strerror(errno));
		return false;
	}
	if (access(directory, X_OK) && has_relative_path(o)) {
		snprintf(why, why_bytes,
			 "cannot start anew: %s, where paths of its options begin: %s",
			 *directory ? directory : "the directory",
			 strerror(errno));
		return false;
	}
	return true;
}

static void add(void *context, const char *word)
{
	struct words *w = context;

	if (w->count + 1 < sizeof(w->word) / sizeof(*w->word))
		w->word[w->count++] = strdup(word);
}

void restart(const struct options *o)
{
	struct words words = { .count = 0 };

	add(&words, program);
	options_words(o, add, &words);
	/* A daemon is in / now, and paths may begin where it was started; if
	 * that has gone, none does. */
	if (chdir(directory) && errno != ENOENT)
		log_error("cannot change to %s: %s", directory,
			  strerror(errno));
	setenv(MARK, "1", 1);
	execv(program, words.word);
	log_error("cannot start anew: %s: %s", program, strerror(errno));
	while (words.count)
		free(words.word[--words.count]);
}

bool restart_is_one(void)
{
	bool is = getenv(MARK);

	unsetenv(MARK);
	return is;
}
