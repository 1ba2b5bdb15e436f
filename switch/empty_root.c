/*
 *   we                      child
 *   fork                    becomes the user, unshares users, says so
 *   write its id maps
 *   say so                  unshares mounts, empties its root, says so
 *   open both namespaces
 *   end the child
 *
 * The maps are ours with both sides the same: a child may only map itself, and
 * then every peer of a socket would be nobody. Where our own are incomplete
 * (we are in a container), so are its.
 */
#include "empty_root.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	EMPTY_FLAGS = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
	MAP_BYTES = 4096, /* the kernel takes one page at most */
};

/* A directory that there is everywhere, and needed by nobody here. */
#define BUILT_AT "/proc"

/* Both ends tell each other how their step went, as an errno. */
static int tell(int fd, int err)
{
	if (send(fd, &err, sizeof(err), MSG_NOSIGNAL) == sizeof(err))
		return err;
	/* Nobody is to wait for what does not come. */
	shutdown(fd, SHUT_RDWR);
	return -EPIPE;
}

static int hear(int fd)
{
	int err;

	return recv(fd, &err, sizeof(err), MSG_WAITALL) == sizeof(err) ? err
								       : -EPIPE;
}

/* Make the directory @path, which is below @root, and those on the way. */
static int make_directories(char *path, size_t root)
{
	char *end = path + root;

	do {
		end += 1 + strcspn(end + 1, "/");
		char after = *end;

		*end = '\0';
		if (mkdir(path, 0755) && errno != EEXIST)
			return -errno;
		*end = after;
	} while (*end);
	return 0;
}

/*
 * Tracers of a process (bpftrace -p) look for its program where it lies, by way
 * of the root directory of the process. So there is one thing in ours: the
 * directory of the program, which may be a newer one by then. If it cannot be,
 * they do not find it; nothing else depends on it.
 */
static void show_program(const char *directory)
{
	char path[PATH_MAX + sizeof(BUILT_AT)];

	snprintf(path, sizeof(path), "%s%s", BUILT_AT, directory);
	if (!*directory || make_directories(path, strlen(BUILT_AT)) ||
	    mount(directory, path, NULL, MS_BIND, NULL))
		return;
	if (mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | EMPTY_FLAGS, NULL))
		umount2(path, MNT_DETACH);
}

/* Of this program; "" if that is the root itself or cannot be found out. */
static void find_program(char directory[PATH_MAX])
{
	ssize_t length = readlink("/proc/self/exe", directory, PATH_MAX - 1);
	char *slash;

	directory[length > 0 ? length : 0] = '\0';
	slash = strrchr(directory, '/');
	if (slash)
		*slash = '\0';
}

/*
 * The old root is let go, so that what was mounted there can be unmounted. An
 * initramfs cannot be: it is covered instead, and who enters never gets below
 * the cover.
 */
static int empty_root(void)
{
	char program[PATH_MAX];

	find_program(program);
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", BUILT_AT, "tmpfs", EMPTY_FLAGS & ~MS_RDONLY,
		  "mode=755,nr_inodes=256"))
		return -errno;
	show_program(program);
	if (mount(NULL, BUILT_AT, NULL, MS_REMOUNT | MS_BIND | EMPTY_FLAGS,
		  NULL) ||
	    chdir(BUILT_AT))
		return -errno;
	if (!syscall(SYS_pivot_root, ".", "."))
		return umount2(".", MNT_DETACH) ? -errno : 0;
	return mount("none", "/", "tmpfs", EMPTY_FLAGS, "nr_inodes=1") ? -errno
								       : 0;
}

/* The child's part, up to its end. */
static void be_first(int fd, uid_t uid)
{
	int err = 0;

	if ((uid != (uid_t)-1 && setresuid(uid, uid, uid)) ||
	    unshare(CLONE_NEWUSER))
		err = -errno;
	if (tell(fd, err) || hear(fd))
		_exit(1);
	err = unshare(CLONE_NEWNS) ? -errno : empty_root();
	tell(fd, err);
	hear(fd); /* that it may go */
	_exit(0);
}

/* @map, as /proc has it, with the inner side on both. Returns 0 or -errno. */
static int same_on_both_sides(FILE *map, char *text, size_t bytes)
{
	uint32_t inside, count;
	size_t at = 0;

	while (fscanf(map, "%" SCNu32 " %*u %" SCNu32, &inside, &count) == 2) {
		int length = snprintf(text + at, bytes - at,
				      "%" PRIu32 " %" PRIu32 " %" PRIu32 "\n",
				      inside, inside, count);

		if (length < 0 || (size_t)length >= bytes - at)
			return -E2BIG;
		at += (size_t)length;
	}
	return at ? 0 : -ENODATA;
}

static int write_all(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	/* The kernel takes a map in one piece, or not at all. */
	if (write(fd, text, strlen(text)) < 0)
		err = -errno;
	close(fd);
	return err;
}

static int map_ids(pid_t child, const char *which)
{
	char path[64], text[MAP_BYTES];
	FILE *ours;
	int err;

	snprintf(path, sizeof(path), "/proc/self/%s", which);
	ours = fopen(path, "re");
	if (!ours)
		return -errno;
	err = same_on_both_sides(ours, text, sizeof(text));
	fclose(ours);
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)child, which);
	return err ? err : write_all(path, text);
}

static int open_namespace(pid_t child, const char *which)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)child, which);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int open_both(pid_t child, int *user_ns, int *mount_ns)
{
	int user = open_namespace(child, "user"), mounts;

	if (user < 0)
		return user;
	mounts = open_namespace(child, "mnt");
	if (mounts < 0) {
		close(user);
		return mounts;
	}
	*user_ns = user;
	*mount_ns = mounts;
	return 0;
}

/* Our part, with @child at the other end of @fd. */
static int guide(int fd, pid_t child, int *user_ns, int *mount_ns, char *why,
		 size_t why_bytes)
{
	const char *step = "user namespace";
	int err = hear(fd);

	if (!err) {
		step = "users of the user namespace";
		err = map_ids(child, "uid_map");
	}
	if (!err)
		err = map_ids(child, "gid_map");
	if (!err) {
		step = "empty mount namespace";
		tell(fd, 0);
		err = hear(fd);
	}
	if (!err) {
		step = "descriptors of namespaces";
		err = open_both(child, user_ns, mount_ns);
	}
	if (err)
		snprintf(why, why_bytes, "%s: %s", step, strerror(-err));
	return err;
}

int empty_root_make(uid_t uid, int *user_ns, int *mount_ns, char *why,
		    size_t why_bytes)
{
	int pair[2], err;
	pid_t child;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) {
		snprintf(why, why_bytes, "socketpair: %s", strerror(errno));
		return -errno;
	}
	child = fork();
	if (!child) {
		close(pair[0]);
		be_first(pair[1], uid);
	}
	err = child < 0 ? -errno : 0;
	close(pair[1]);
	if (err)
		snprintf(why, why_bytes, "fork: %s", strerror(-err));
	else
		err = guide(pair[0], child, user_ns, mount_ns, why, why_bytes);
	close(pair[0]); /* ends the child, wherever it is */
	while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	return err;
}

int empty_root_enter(int user_ns, int mount_ns)
{
	/* The second goes to the root of the namespace, and changes directory to
	 * it. */
	if (setns(user_ns, CLONE_NEWUSER) || setns(mount_ns, CLONE_NEWNS))
		return -errno;
	return 0;
}
