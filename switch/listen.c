#include "listen.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "limits.h"

__attribute__((format(printf, 3, 4))) static void
say(char *why, size_t why_bytes, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, why_bytes, format, args);
	va_end(args);
}

/* The directory of @path, open, or -errno. */
static int open_directory(const char *path)
{
	char copy[PATH_MAX];
	int fd;

	snprintf(copy, sizeof(copy), "%s", path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/*
 * Two switches that start at once on a stale socket must not both replace it:
 * the directory is locked while one looks and binds. Where that is not to be
 * had (a directory that may not be read, a lock that somebody keeps) we go on
 * without, with *@lock -1.
 */
static int lock_directory(const char *path, int *lock, char *why,
			  size_t why_bytes)
{
	int fd = open_directory(path);

	*lock = -1;
	if (fd == -EACCES)
		return 0;
	if (fd < 0) {
		say(why, why_bytes, "%s: its directory: %s", path,
		    strerror(-fd));
		return fd;
	}
	for (int tries = 0; flock(fd, LOCK_EX | LOCK_NB); tries++) {
		if (tries == RESTART_TRIES) {
			close(fd);
			return 0;
		}
		clock_pause();
	}
	*lock = fd;
	return 0;
}

enum listening { NOBODY, SOMEBODY, A_DEAD_PROCESS };

/* The peer of a connection is who called listen(): unix(7), SO_PEERCRED. */
static bool peer_has_ended(int fd)
{
	struct ucred peer = { 0 };
	socklen_t bytes = sizeof(peer);

	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) &&
	       peer.pid > 0 && kill(peer.pid, 0) && errno == ESRCH;
}

static enum listening who_listens(const struct sockaddr_un *addr)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	enum listening who = SOMEBODY;

	if (fd < 0)
		return SOMEBODY;
	if (!connect(fd, (const void *)addr, sizeof(*addr)))
		who = peer_has_ended(fd) ? A_DEAD_PROCESS : SOMEBODY;
	else if (errno == ECONNREFUSED)
		who = NOBODY;
	close(fd);
	return who;
}

/* Whether the socket at @addr can go: somebody made it, nobody listens. */
static bool is_stale(const struct sockaddr_un *addr)
{
	enum listening who = who_listens(addr);

	for (int tries = 0; who == A_DEAD_PROCESS && tries < RESTART_TRIES;
	     tries++) {
		clock_pause();
		who = who_listens(addr);
	}
	return who == NOBODY;
}

/* Make room for a socket at @addr. */
static int clear_path(const struct sockaddr_un *addr, char *why,
		      size_t why_bytes)
{
	const char *path = addr->sun_path;
	struct stat st;

	if (lstat(path, &st)) {
		if (errno == ENOENT)
			return 0;
		say(why, why_bytes, "%s: %s", path, strerror(errno));
		return -errno;
	}
	if (!S_ISSOCK(st.st_mode)) {
		say(why, why_bytes,
		    "%s exists and is not a socket: remove it or choose another path (--unix PATH)",
		    path);
		return -EEXIST;
	}
	if (!is_stale(addr)) {
		say(why, why_bytes,
		    "%s is in use by another switch: end it or choose another path (--unix PATH)",
		    path);
		return -EADDRINUSE;
	}
	if (unlink(path) && errno != ENOENT) {
		say(why, why_bytes, "%s: cannot replace the stale socket: %s",
		    path, strerror(errno));
		return -errno;
	}
	return 0;
}

/* The umask decides on the permissions (af_unix.c, unix_bind_bsd): set after
 * bind, there would be a moment in which others could connect. */
static int bind_with_mode(int fd, const struct sockaddr_un *addr, int mode)
{
	mode_t before = umask(0);
	int err;

	umask(mode < 0 ? before : 0777 & ~(mode_t)mode);
	err = bind(fd, (const void *)addr, sizeof(*addr)) ? -errno : 0;
	umask(before);
	return err;
}

static int bind_socket(struct listener *l, const struct sockaddr_un *addr,
		       int mode, gid_t group, char *why, size_t why_bytes)
{
	const char *path = addr->sun_path;
	struct stat st;
	int err = bind_with_mode(l->fd, addr, mode);

	if (err) {
		say(why, why_bytes, "%s: cannot make the socket: %s", path,
		    strerror(-err));
		return err;
	}
	if (lstat(path, &st) ||
	    (group != (gid_t)-1 && lchown(path, (uid_t)-1, group)) ||
	    listen(l->fd, LISTEN_BACKLOG)) {
		err = -errno;
		say(why, why_bytes, "%s: cannot %s: %s", path,
		    group != (gid_t)-1 ? "give it to the group" : "listen",
		    strerror(-err));
		unlink(path);
		return err;
	}
	l->device = st.st_dev;
	l->inode = st.st_ino;
	return 0;
}

/* As bind() is given it, but absolute, for when we have gone to "/". */
static void remember_path(struct listener *l, const char *path)
{
	char cwd[4096];

	if (path[0] == '/' || !getcwd(cwd, sizeof(cwd)))
		snprintf(l->path, sizeof(l->path), "%s", path);
	else
		snprintf(l->path, sizeof(l->path), "%s/%s", cwd, path);
}

int listen_open(struct listener *l, const char *path, int mode, gid_t group,
		char *why, size_t why_bytes)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int lock, err;

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (l->fd < 0) {
		say(why, why_bytes, "socket: %s", strerror(errno));
		return -errno;
	}
	err = lock_directory(path, &lock, why, why_bytes);
	if (err)
		goto close_socket;
	err = clear_path(&addr, why, why_bytes);
	if (!err)
		err = bind_socket(l, &addr, mode, group, why, why_bytes);
	if (lock >= 0)
		close(lock);
	if (err)
		goto close_socket;
	remember_path(l, path);
	return 0;

close_socket:
	close(l->fd);
	l->fd = -1;
	return err;
}

void listen_close(struct listener *l)
{
	struct stat st;

	if (l->fd < 0)
		return;
	close(l->fd);
	l->fd = -1;
	if (!lstat(l->path, &st) && st.st_dev == l->device &&
	    st.st_ino == l->inode)
		unlink(l->path);
}
