#include "ctl_switches.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char common[] = "/run/ringswitch";
static const char unnamed[] = "/tmp/uml.ctl.control";

enum { ROOTS_MAX = 3, PATH_BYTES = 4096 };

struct roots {
	char at[ROOTS_MAX][PATH_BYTES];
	unsigned count;
};

static void add_root(struct roots *r, const char *path)
{
	for (unsigned i = 0; i < r->count; i++)
		if (!strcmp(r->at[i], path))
			return;
	snprintf(r->at[r->count++], PATH_BYTES, "%s", path);
}

static void find_roots(struct roots *r)
{
	const char *service = getenv("RUNTIME_DIRECTORY");
	const char *user = getenv("XDG_RUNTIME_DIR");
	char path[PATH_BYTES];
	char *end;

	r->count = 0;
	if (service && *service == '/') {
		/* Several are separated by colons; ours is the first. */
		snprintf(path, sizeof(path), "%.*s", (int)strcspn(service, ":"),
			 service);
		end = strrchr(path, '/');
		if (end > path)
			*end = '\0';
		add_root(r, path);
	}
	if (geteuid() && user && *user == '/') {
		snprintf(path, sizeof(path), "%s/ringswitch", user);
		add_root(r, path);
	}
	add_root(r, common);
}

/* The monitor socket beside the control socket @control: X/control and
 * X/monitor, X.control and X.monitor. Empty if it is called otherwise. */
static void monitor_of(const char *control, char *to, size_t room)
{
	static const char word[] = "control";
	size_t bytes = strlen(control), tail = sizeof(word) - 1;

	*to = '\0';
	if (bytes > tail && !strcmp(control + bytes - tail, word) &&
	    strchr("/.", control[bytes - tail - 1]))
		snprintf(to, room, "%.*smonitor", (int)(bytes - tail), control);
}

/* As client_open(), or the monitor's. The error is the control socket's. */
static int open_either(const char *path, enum ctl_needs needs,
		       struct client *to)
{
	char monitor[PATH_BYTES];
	int err = client_open(to, path);

	if (err != -EACCES || needs != CTL_READS)
		return err;
	monitor_of(path, monitor, sizeof(monitor));
	if (!*monitor || client_open(to, monitor))
		return err;
	to->monitor = true;
	return 0;
}

static int cannot(const struct ctl *ctl, const char *path, int err)
{
	const char *remedy =
		err == -ENOENT || err == -ECONNREFUSED ? " (is the switch running?)"
		: err == -EACCES ? " (it is its owner's and root's)"
		: err == -EAGAIN ? " (the switch takes no connections: is it stopped?)"
				 : "";

	return ctl_refused(ctl, "cannot connect to %s: %s%s", path,
			   strerror(-err), remedy);
}

static int by_name(const struct ctl *ctl, enum ctl_needs needs,
		   struct client *to)
{
	char path[PATH_BYTES + 256], first[PATH_BYTES + 256] = "";
	struct roots roots;
	int err, worst = -ENOENT;

	if (!*ctl->name || strlen(ctl->name) > 64 || strchr(ctl->name, '/'))
		return ctl_refused(ctl, "'%s' is no switch's name (a path is for --socket)",
				   ctl->name);
	find_roots(&roots);
	for (unsigned i = 0; i < roots.count; i++) {
		snprintf(path, sizeof(path), "%s/%s/control", roots.at[i],
			 ctl->name);
		err = open_either(path, needs, to);
		if (!err)
			return 0;
		/* The one that is there tells more than one that is not. */
		if (!*first || (worst == -ENOENT && err != -ENOENT)) {
			strcpy(first, path);
			worst = err;
		}
	}
	return cannot(ctl, first, worst);
}

struct found {
	char names[1024]; /* of those that answer, with commas */
	unsigned answered;
	char denied[PATH_BYTES]; /* one that is there but not for us */
	struct client client;	 /* the first that answers */
};

static void try_path(struct found *f, const char *path, enum ctl_needs needs)
{
	struct client client;
	size_t used = strlen(f->names);
	int err = open_either(path, needs, &client);

	if (err == -EACCES && !*f->denied)
		snprintf(f->denied, sizeof(f->denied), "%s", path);
	if (err)
		return;
	snprintf(f->names + used, sizeof(f->names) - used, "%s%s",
		 used ? ", " : "", path);
	if (f->answered++)
		client_close(&client);
	else
		f->client = client;
}

static void try_all(struct found *f, enum ctl_needs needs)
{
	struct roots roots;
	glob_t paths;

	find_roots(&roots);
	for (unsigned i = 0; i < roots.count; i++) {
		char pattern[PATH_BYTES + 16];

		snprintf(pattern, sizeof(pattern), "%s/*/control", roots.at[i]);
		if (glob(pattern, 0, NULL, &paths))
			continue;
		for (size_t k = 0; k < paths.gl_pathc; k++)
			try_path(f, paths.gl_pathv[k], needs);
		globfree(&paths);
	}
	try_path(f, unnamed, needs);
}

static int the_only_one(const struct ctl *ctl, enum ctl_needs needs,
			struct client *to)
{
	struct found f = { .client = CLIENT_CLOSED };

	try_all(&f, needs);
	if (f.answered == 1) {
		*to = f.client;
		return 0;
	}
	client_close(&f.client);
	if (f.answered)
		return ctl_refused(ctl,
				   "several switches are running: say which, with -n NAME or "
				   "--socket PATH: %s", f.names);
	if (*f.denied)
		return cannot(ctl, f.denied, -EACCES);
	return ctl_refused(ctl,
			   "no switch is running at %s/*/control or %s; another place "
			   "is for --socket PATH", common, unnamed);
}

int switches_connect(const struct ctl *ctl, enum ctl_needs needs,
		     struct client *to)
{
	int err;

	if (!ctl->socket)
		return ctl->name ? by_name(ctl, needs, to)
				 : the_only_one(ctl, needs, to);
	err = open_either(ctl->socket, needs, to);
	return err ? cannot(ctl, ctl->socket, err) : 0;
}
