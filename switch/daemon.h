/*
 * Being started by a script: going to the background only when guests can
 * attach, the pid file, and the line to whoever waits.
 */
#ifndef DAEMON_H
#define DAEMON_H

#include <stddef.h>

struct pidfh;

struct daemon {
	struct pidfh *pidfile;
	int parent_fd; /* the waiting parent, or -1 */
	int null_fd;   /* of daemon_prepare(); 0: not called yet */
	int again;     /* in the background since another switch */
	int kept;      /* by a keeper, which tells whoever waits */
	int follows;   /* is to go to the background as that does */
};

/*
 * Make @fd mean /dev/null; and those of descriptors 0 to 2 that are closed,
 * so that nothing of ours ever gets such a number.
 */
void daemon_null(int fd);
void daemon_standard_fds(void);

/*
 * With @background, fork: the parent waits until the child is ready or has
 * ended, and never returns. The child, or the one process, returns 0; or
 * -errno with a line in @why.
 */
int daemon_start(struct daemon *d, int background, char *why, size_t why_bytes);

/*
 * The same in a switch that a keeper has started, which is in the background or
 * on its way there itself: nothing to fork, and nobody to tell. @again: the
 * keeper has started one before.
 */
void daemon_kept(struct daemon *d, int background, int again);

/*
 * Make and lock @path (NULL: none) and write our pid into it. Returns 0, or
 * -errno with a line in @why.
 */
int daemon_pidfile(struct daemon *d, const char *path, char *why,
		   size_t why_bytes);

/*
 * Everything that daemon_ready() needs files for, which are out of reach when it
 * is called: /dev/null, the place of syslog(3), and the directory / for one in
 * the background. If it is not called, daemon_ready() does that itself.
 */
void daemon_prepare(struct daemon *d);

/*
 * Guests can attach: tell @ready_fd (-1: nobody), which is closed, and the
 * waiting parent; with a keeper it is that which tells them. In the background,
 * standard input and output that nobody keeps (anything but a regular file)
 * become /dev/null, and messages go to syslog if standard error was among them.
 */
void daemon_ready(struct daemon *d, int ready_fd);

/* Remove the pid file. */
void daemon_end(struct daemon *d);

#endif
