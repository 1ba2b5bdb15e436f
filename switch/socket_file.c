#include "socket_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
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

/* asm-generic/socket.h, Linux 6.16; Debian 12's headers do not have it. */
#define SO_PASSRIGHTS_ 83

void socket_refuse_descriptors(int fd)
{
	const int no = 0;

	setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS_, &no, sizeof(no));
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

enum holder { NOBODY, SOMEBODY, PERHAPS_A_DEAD_PROCESS };

/* The peer of a connection is who called listen(): unix(7), SO_PEERCRED. */
static bool peer_has_ended(int fd)
{
	struct ucred peer = { 0 };
	socklen_t bytes = sizeof(peer);

	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) &&
	       peer.pid > 0 && kill(peer.pid, 0) && errno == ESRCH;
}

/* Whose datagram socket it is, nobody tells; one that is connected to somebody
 * else answers EPERM. */
static enum holder who_holds(const struct sockaddr_un *addr, int type)
{
	int fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	enum holder who = SOMEBODY;

	if (fd < 0)
		return SOMEBODY;
	if (!connect(fd, (const void *)addr, sizeof(*addr)))
		who = type == SOCK_DGRAM || peer_has_ended(fd)
			      ? PERHAPS_A_DEAD_PROCESS
			      : SOMEBODY;
	else if (errno == ECONNREFUSED)
		who = NOBODY;
	else if (errno == EPERM && type == SOCK_DGRAM)
		who = PERHAPS_A_DEAD_PROCESS;
	close(fd);
	return who;
}

/* Whether the socket at @addr can go: somebody made it, nobody has it. */
static bool is_stale(const struct sockaddr_un *addr, int type)
{
	enum holder who = who_holds(addr, type);

	for (int tries = 0; who == PERHAPS_A_DEAD_PROCESS && tries < RESTART_TRIES;
	     tries++) {
		clock_pause();
		who = who_holds(addr, type);
	}
	return who == NOBODY;
}

/* Make room for a socket at @addr. */
static int clear_path(const struct sockaddr_un *addr, int type, char *why,
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
		    "%s exists and is not a socket: remove it or choose another path",
		    path);
		return -EEXIST;
	}
	if (!is_stale(addr, type)) {
		say(why, why_bytes,
		    "%s is in use by another process: end it or choose another path",
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

/* The umask decides on the permissions: af_unix.c, unix_bind_bsd(). */
int socket_file_bind(int fd, const struct sockaddr_un *addr, int mode)
{
	mode_t before = umask(0);
	int err;

	umask(mode < 0 ? before : 0777 & ~(mode_t)mode);
	err = bind(fd, (const void *)addr, sizeof(*addr)) ? -errno : 0;
	umask(before);
	return err;
}

static int bind_socket(struct socket_file *s, const struct sockaddr_un *addr,
		       int type, int mode, gid_t group, char *why,
		       size_t why_bytes)
{
	const char *path = addr->sun_path;
	struct stat st;
	int err = socket_file_bind(s->fd, addr, mode);

	if (err) {
		say(why, why_bytes, "%s: cannot make the socket: %s", path,
		    strerror(-err));
		return err;
	}
	if (lstat(path, &st) ||
	    (group != (gid_t)-1 && lchown(path, (uid_t)-1, group)) ||
	    (type != SOCK_DGRAM && listen(s->fd, LISTEN_BACKLOG))) {
		err = -errno;
		say(why, why_bytes, "%s: cannot %s: %s", path,
		    group != (gid_t)-1 ? "give it to the group" : "listen",
		    strerror(-err));
		unlink(path);
		return err;
	}
	s->device = st.st_dev;
	s->inode = st.st_ino;
	return 0;
}

/* As bind() is given it, but absolute, for when we have gone to "/". */
static void remember_path(struct socket_file *s, const char *path)
{
	char cwd[4096];

	if (path[0] == '/' || !getcwd(cwd, sizeof(cwd)))
		snprintf(s->path, sizeof(s->path), "%s", path);
	else
		snprintf(s->path, sizeof(s->path), "%s/%s", cwd, path);
}

int socket_file_open(struct socket_file *s, const char *path, int type,
		     int mode, gid_t group, char *why, size_t why_bytes)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int lock, err;

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	s->fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd < 0) {
		say(why, why_bytes, "socket: %s", strerror(errno));
		return -errno;
	}
	socket_refuse_descriptors(s->fd);
	err = lock_directory(path, &lock, why, why_bytes);
	if (err)
		goto close_socket;
	err = clear_path(&addr, type, why, why_bytes);
	if (!err)
		err = bind_socket(s, &addr, type, mode, group, why, why_bytes);
	if (lock >= 0)
		close(lock);
	if (err)
		goto close_socket;
	remember_path(s, path);
	return 0;

close_socket:
	close(s->fd);
	s->fd = -1;
	return err;
}

void socket_file_close(struct socket_file *s)
{
	struct stat st;

	if (s->fd < 0)
		return;
	close(s->fd);
	s->fd = -1;
	if (*s->path && !lstat(s->path, &st) && st.st_dev == s->device &&
	    st.st_ino == s->inode)
		unlink(s->path);
}
