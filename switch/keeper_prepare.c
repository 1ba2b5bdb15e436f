#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "keeper_orphan.h"
#include "keeper_process.h"
#include "options.h"
#include "run_directory.h"
#include "state_file.h"

enum {
	DESCRIPTORS = 1 << 16, /* that may be open, if we may say so */
};

/* For ourselves, who hold as much as the switch, and for every switch. */
static void raise_limit(__rlimit_resource_t resource, rlim_t wanted)
{
	struct rlimit now, more;

	if (getrlimit(resource, &now))
		return;
	more.rlim_max = now.rlim_max > wanted ? now.rlim_max : wanted;
	more.rlim_cur = more.rlim_max;
	if (!setrlimit(resource, &more))
		return;
	now.rlim_cur = now.rlim_max;
	setrlimit(resource, &now);
}

static int open_signals(void)
{
	static const int ours[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGCHLD };
	sigset_t set;
	int fd;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGTTOU, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	/* nohup(1) has it ignored, which is the switch's to decide about. */
	signal(SIGHUP, SIG_DFL);
	sigemptyset(&set);
	for (unsigned i = 0; i < sizeof(ours) / sizeof(*ours); i++)
		sigaddset(&set, ours[i]);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -errno;
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* A page that a switch writes to and we read; of a size that it cannot change. */
static int make_blame(void)
{
	int fd = memfd_create("ringswitch-blame",
			      MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -errno;
	if (!ftruncate(fd, KEEPER_BLAME_BYTES) &&
	    !fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		return fd;
	close(fd);
	return -errno;
}

static int open_state(struct keeper *k, char *why, size_t why_bytes)
{
	char path[4096];
	int err;

	if (!options_state(k->options, path, sizeof(path)))
		return 0;
	err = state_file_open(&k->state, path, why, why_bytes);
	/* One that nobody has asked for is done without. */
	if (err && !k->options->state)
		snprintf(k->state_trouble, sizeof(k->state_trouble), "%s", why);
	keeper_store_read(&k->store, k->state);
	keeper_orphan_end(&k->store.before);
	return k->options->state ? err : 0;
}

/* Everything but the switch. Signals of before it are the child's to have. */
int keeper_prepare(struct keeper *k, char *argv[], char *why, size_t why_bytes)
{
	struct options *o = k->options;
	uint64_t watchdog_us = 0;
	int err = privilege_init(&k->privilege, o, why, why_bytes);

	if (!err)
		err = keeper_child_prepare(&k->how, argv, o, why, why_bytes);
	if (!err)
		err = daemon_start(&k->daemon, o->daemon, why, why_bytes);
	if (err)
		return err;
	raise_limit(RLIMIT_NOFILE, DESCRIPTORS);
	raise_limit(RLIMIT_MEMLOCK, RLIM_INFINITY);
	if (sd_watchdog_enabled(0, &watchdog_us) > 0)
		k->watchdog_ms = watchdog_us / 1000;
	k->how.feeds_watchdog = k->watchdog_ms;
	k->signals = open_signals();
	k->blame = make_blame();
	if (k->signals < 0 || k->blame < 0) {
		snprintf(why, why_bytes, "cannot make what the keeper needs: %s",
			 strerror(k->signals < 0 ? -k->signals : -k->blame));
		return -EMFILE;
	}
	err = daemon_pidfile(&k->daemon, o->pidfile, why, why_bytes);
	if (!err && o->directory)
		err = run_directory_make(o->directory, &o->made_directories,
					 why, why_bytes);
	if (!err && o->directory)
		err = run_directory_give(o->directory, o->made_directories,
					 k->privilege.uid);
	return err ? err : open_state(k, why, why_bytes);
}
