#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "opener_jobs.h"

/* An abstract name that nobody can guess and take first. The guest is told all
 * 108 bytes of it and uses them all. */
static int bind_abstract(int fd, struct sockaddr_un *own)
{
	uint64_t secret[2];

	*own = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (getrandom(secret, sizeof(secret), 0) != sizeof(secret))
		return -EIO;
	snprintf(own->sun_path + 1, sizeof(own->sun_path) - 1,
		 "ringswitch/%d/%016llx%016llx", getpid(),
		 (unsigned long long)secret[0], (unsigned long long)secret[1]);
	return bind(fd, (const void *)own, sizeof(*own)) ? -errno : 0;
}

/* DIR/001.5 or PATH.001.5; there may be one left of a switch that was killed:
 * behind a listener that is ours nobody else has any. False if that is not to
 * be had. */
static bool bind_path(int fd, const struct opener_join *join,
		      struct sockaddr_un *own)
{
	struct stat st;
	int length;

	if (!*join->prefix)
		return false;
	*own = (struct sockaddr_un){ .sun_family = AF_UNIX };
	length = snprintf(own->sun_path, sizeof(own->sun_path), "%.*s%03u.%u",
			  (int)sizeof(join->prefix) - 1, join->prefix,
			  join->port + 1u, join->gen % 1000);
	if ((size_t)length >= sizeof(own->sun_path))
		return false;
	if (!lstat(own->sun_path, &st) && S_ISSOCK(st.st_mode))
		unlink(own->sun_path);
	/* Strangers are refused because it is connected. */
	return !socket_file_bind(fd, own, 0666);
}

/*
 * A path that the guest names could be a socket that it may not send to itself,
 * and we may: it has to be its own. What is looked at is what is connected to.
 * Who is the same user as we are may send to whatever we may.
 */
static int connect_path(int fd, const struct sockaddr_un *guest, uid_t uid,
			struct opener_joined *answer)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	bool same = uid == geteuid();
	char path[SOCKET_PATH_BYTES + 1] = "";
	struct stat st;
	int place, err = 0;

	memcpy(path, guest->sun_path, sizeof(guest->sun_path));
	place = open(path, O_PATH | O_CLOEXEC | (same ? 0 : O_NOFOLLOW));
	if (place < 0)
		return -errno;
	snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d",
		 place);
	if (fstat(place, &st) || (!same && (!S_ISSOCK(st.st_mode) ||
					    st.st_uid != uid)))
		err = -EPERM;
	else if (connect(fd, (const void *)(same ? guest : &addr),
			 sizeof(addr)))
		err = -errno;
	else
		memcpy(answer->guest, (uint64_t[]){ st.st_dev, st.st_ino },
		       sizeof(answer->guest));
	close(place);
	return err;
}

/* Everybody may send to an abstract name. */
static int connect_abstract(int fd, const struct sockaddr_un *guest,
			    struct opener_joined *answer)
{
	answer->guest[1] = opener_guest_hash(guest);
	return connect(fd, (const void *)guest, sizeof(*guest)) ? -errno : 0;
}

/* Connected before it has a name: no datagram of a stranger can get in. */
static int make_data_socket(int fd, const struct opener_join *join, uid_t uid,
			    struct opener_joined *answer)
{
	int err;

	if (join->addr.sun_family != AF_UNIX)
		return -EAFNOSUPPORT;
	socket_refuse_descriptors(fd);
	err = join->addr.sun_path[0]
		      ? connect_path(fd, &join->addr, uid, answer)
		      : connect_abstract(fd, &join->addr, answer);
	if (err)
		return err;
	if (join->vde && bind_path(fd, join, &answer->own))
		return 0;
	return bind_abstract(fd, &answer->own);
}

void opener_do_join(const struct opener_join *join, int control_fd,
		    struct opener_joined *answer, int *fd)
{
	struct ucred guest = { .uid = (uid_t)-1 };
	socklen_t bytes = sizeof(guest);

	*answer = (struct opener_joined){ .gen = join->gen,
					  .port = join->port };
	*fd = -1;
	if (getsockopt(control_fd, SOL_SOCKET, SO_PEERCRED, &guest, &bytes)) {
		answer->result = -errno;
		return;
	}
	*fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	answer->result = *fd < 0 ? -errno
				 : make_data_socket(*fd, join, guest.uid,
						    answer);
	if (answer->result && *fd >= 0) {
		close(*fd);
		*fd = -1;
	}
}

/* "/tmp/uml.ctl.001.5" */
static bool is_data_name(const char *path)
{
	static const char digits[] = "0123456789";
	const char *end = path + strlen(path), *at = end;

	while (at > path && strchr(digits, at[-1]))
		at--;
	if (at == end || at == path || at[-1] != '.')
		return false;
	end = --at;
	while (at > path && strchr(digits, at[-1]))
		at--;
	return at < end;
}

void opener_do_remove(const char *path)
{
	struct stat st;

	if (is_data_name(path) && !lstat(path, &st) && S_ISSOCK(st.st_mode))
		unlink(path);
}
