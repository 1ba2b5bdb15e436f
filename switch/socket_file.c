#include "socket_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
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
static int lock_directory(const char *path, int max_tries, int *lock,
			  char *why, size_t why_bytes)
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
		if (tries == max_tries) {
			close(fd);
			return 0;
		}
		clock_pause();
	}
	*lock = fd;
	return 0;
}

enum holder { NOBODY, SOMEBODY, PERHAPS_A_DEAD_PROCESS };

/* One that nobody has waited for yet has ended as well. */
static bool has_ended(pid_t pid)
{
	struct pollfd process = { .fd = (int)syscall(SYS_pidfd_open, pid, 0),
				  .events = POLLIN };
	bool ended = process.fd < 0 ? errno == ESRCH
				    : poll(&process, 1, 0) == 1;

	if (process.fd >= 0)
		close(process.fd);
	return ended;
}

/* The peer of a connection is who called listen(): unix(7), SO_PEERCRED. */
static pid_t peer_of(int fd)
{
	struct ucred peer = { 0 };
	socklen_t bytes = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes)
		       ? 0
		       : peer.pid;
}

/* Whose datagram socket it is, nobody tells; one that is connected to somebody
 * else answers EPERM. */
static enum holder who_holds(const struct sockaddr_un *addr, int type,
			     pid_t *pid)
{
	int fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	enum holder who = SOMEBODY;

	if (fd < 0)
		return SOMEBODY;
	if (!connect(fd, (const void *)addr, sizeof(*addr))) {
		*pid = type == SOCK_DGRAM ? 0 : peer_of(fd);
		if (type == SOCK_DGRAM || (*pid > 0 && has_ended(*pid)))
			who = PERHAPS_A_DEAD_PROCESS;
	} else if (errno == ECONNREFUSED) {
		who = NOBODY;
	} else if (errno == EPERM && type == SOCK_DGRAM) {
		who = PERHAPS_A_DEAD_PROCESS;
	}
	close(fd);
	return who;
}

/* Whether the socket at @addr can go: somebody made it, nobody has it. Or else
 * who, if that can be known. */
static bool is_stale(const struct sockaddr_un *addr, int type, int max_tries,
		     pid_t *pid)
{
	enum holder who = who_holds(addr, type, pid);

	for (int tries = 0;
	     who == PERHAPS_A_DEAD_PROCESS && tries < max_tries; tries++) {
		clock_pause();
		who = who_holds(addr, type, pid);
	}
	return who == NOBODY;
}

static const char *pid_text(pid_t pid, char *to, size_t bytes)
{
	*to = '\0';
	if (pid > 0)
		snprintf(to, bytes, " (%d)", pid);
	return to;
}

/* Make room for a socket at @addr. */
static int clear_path(const struct sockaddr_un *addr, int type, int max_tries,
		      char *why, size_t why_bytes)
{
	const char *path = addr->sun_path;
	char text[32];
	struct stat st;
	pid_t pid = 0;

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
	if (!is_stale(addr, type, max_tries, &pid)) {
		say(why, why_bytes,
		    "%s is in use by another process%s: end it or choose another path",
		    path, pid_text(pid, text, sizeof(text)));
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

/* As for the umask, what holds for one socket of ours holds for all. */
static uid_t owner = (uid_t)-1;

void socket_file_give_to(uid_t user)
{
	owner = user;
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
	    ((owner != (uid_t)-1 || group != (gid_t)-1) &&
	     lchown(path, owner, group)) ||
	    (type != SOCK_DGRAM && listen(s->fd, LISTEN_BACKLOG))) {
		err = -errno;
		say(why, why_bytes, "%s: cannot %s: %s", path,
		    owner != (uid_t)-1	 ? "give it to --user"
		    : group != (gid_t)-1 ? "give it to the group"
					 : "listen",
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
	int max_tries = s->at_once ? 0 : RESTART_TRIES;
	int lock, err;

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	s->fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd < 0) {
		say(why, why_bytes, "socket: %s", strerror(errno));
		return -errno;
	}
	socket_refuse_descriptors(s->fd);
	err = lock_directory(path, max_tries, &lock, why, why_bytes);
	if (err)
		goto close_socket;
	err = clear_path(&addr, type, max_tries, why, why_bytes);
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

int socket_file_remove(const struct socket_file *s)
{
	struct stat st;

	if (!*s->path || lstat(s->path, &st) || st.st_dev != s->device ||
	    st.st_ino != s->inode)
		return 0;
	return unlink(s->path) ? -errno : 0;
}
