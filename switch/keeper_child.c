#include "keeper_child.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon.h"
#include "keeper_wire.h"
#include "log.h"
#include "options.h"

/* Calls @act for each descriptor that ports and listeners have inherited. */
static void for_inherited(const struct options *o, void (*act)(int fd))
{
	for (unsigned i = 0; i < o->listener_count; i++)
		if (o->listeners[i].kind == LISTEN_FD)
			act(atoi(o->listeners[i].argument));
	for (unsigned i = 0; i < o->port_count; i++)
		if (o->ports[i].kind == PORT_FD)
			act(atoi(o->ports[i].argument));
}

static void hand_on(int fd)
{
	fcntl(fd, F_SETFD, 0);
}

static void blank(int fd)
{
	daemon_null(fd);
}

void keeper_child_release_inherited(const struct options *o)
{
	for_inherited(o, blank);
}

/* What systemd has passed is not among our words: options_inherit() has put it
 * behind those that are, and so it is put behind them here. */
static unsigned add_inherited(const struct endpoint *e, unsigned count,
			      const char *option, char **words)
{
	char text[ENDPOINT_BYTES];
	unsigned added = 0;

	for (; count; e++, count--) {
		if (!e->name_shared)
			continue;
		endpoint_format(e, text, sizeof(text));
		words[added++] = strdup(option);
		words[added++] = strdup(text);
	}
	return added;
}

static char **make_words(char *argv[], const struct options *o)
{
	unsigned count = 0, all;
	char **words;

	while (argv[count])
		count++;
	all = count + 2 * (o->listener_count + o->port_count);
	words = calloc(all + 1, sizeof(*words));
	if (!words)
		return NULL;
	/* Behind "--", nothing would be an option. */
	if (count > 1 && !strcmp(argv[count - 1], "--"))
		count--;
	for (unsigned i = 0; i < count; i++)
		words[i] = strdup(argv[i]);
	count += add_inherited(o->listeners, o->listener_count, "--listen",
			       words + count);
	count += add_inherited(o->ports, o->port_count, "--port",
			       words + count);
	for (unsigned i = 0; i < count; i++)
		if (!words[i])
			goto no_memory;
	return words;

no_memory:
	/* Nothing has begun yet. */
	log_error("out of memory");
	_exit(1);
}

/* A file of options counts as it was when the switch was started first: a crash
 * is no time to find a mistake in it, nor may we be able to read it then. */
static int keep_config(const struct options *o)
{
	int fd;

	if (!o->config)
		return -1;
	fd = memfd_create("ringswitch-config", MFD_CLOEXEC);
	if (fd >= 0 && write(fd, o->config_unread, o->config_bytes) ==
			       (ssize_t)o->config_bytes)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

int keeper_child_prepare(struct keeper_child *c, char *argv[],
			 const struct options *o, char *why, size_t why_bytes)
{
	ssize_t length = readlink("/proc/self/exe", c->path,
				  sizeof(c->path) - 1);

	c->path[length > 0 ? length : 0] = '\0';
	c->options = o;
	c->itself_fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	c->directory_fd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	c->config_fd = keep_config(o);
	sigprocmask(SIG_SETMASK, NULL, &c->mask);
	sigaction(SIGHUP, NULL, &c->hangup);
	c->words = make_words(argv, o);
	if (c->itself_fd >= 0 && c->words && (c->config_fd >= 0 || !o->config))
		return 0;
	snprintf(why, why_bytes,
		 "cannot find out who we are (/proc/self/exe): %s (start it with --no-keeper)",
		 strerror(errno));
	return -errno;
}

void keeper_child_fini(struct keeper_child *c)
{
	for (char **w = c->words; w && *w; w++)
		free(*w);
	free(c->words);
	if (c->itself_fd >= 0)
		close(c->itself_fd);
	if (c->directory_fd >= 0)
		close(c->directory_fd);
	if (c->config_fd >= 0)
		close(c->config_fd);
}

/* Signals are blocked until the switch reads them: one that is on its way stays
 * so until then. */
static void restore_signals(const struct keeper_child *c)
{
	static const int read_by_switch[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1 };
	sigset_t mask = c->mask;

	for (unsigned i = 0; i < 4; i++)
		sigaddset(&mask, read_by_switch[i]);
	signal(SIGPIPE, SIG_DFL);
	sigaction(SIGHUP, &c->hangup, NULL);
	sigprocmask(SIG_SETMASK, &mask, NULL);
}

static void set_number(const char *name, int value)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", value);
	setenv(name, text, 1);
}

static void set_environment(const struct keeper_child *c, int channel)
{
	set_number(KEEPER_VARIABLE, channel);
	/* Another user may not find the same. */
	if (c->options->directory)
		setenv("RUNTIME_DIRECTORY", c->options->directory, 1);
	if (c->config_fd >= 0)
		set_number(OPTIONS_CONFIG_VARIABLE, c->config_fd);
	if (c->feeds_watchdog)
		set_number("WATCHDOG_PID", (int)getpid());
}

static void run_child(const struct keeper_child *c, int channel, bool itself)
{
	restore_signals(c);
	set_environment(c, channel);
	hand_on(channel);
	if (c->config_fd >= 0)
		hand_on(c->config_fd);
	for_inherited(c->options, hand_on);
	/* Whoever waits for its end is told by the keeper. What goes to standard
	 * output goes there until then. */
	if (c->options->ready_fd > STDERR_FILENO)
		close(c->options->ready_fd);
	if (c->directory_fd >= 0 && fchdir(c->directory_fd))
		log_error("cannot change to where it was started: %s",
			  strerror(errno));
	if (!itself)
		execve(c->path, c->words, environ);
	if (!itself)
		log_error("cannot start %s: %s: taking the one before", c->path,
			  strerror(errno));
	fexecve(c->itself_fd, c->words, environ);
	log_error("cannot start the switch: %s", strerror(errno));
}

pid_t keeper_child_start(const struct keeper_child *c, int channel, bool itself)
{
	pid_t child = fork();

	if (child < 0)
		return -errno;
	if (child > 0)
		return child;
	run_child(c, channel, itself);
	_exit(127);
}
