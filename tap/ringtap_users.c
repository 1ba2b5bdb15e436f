#include "ringtap_users.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* Documentation/admin-guide/devices.txt: /dev/net/tun, wherever it is. */
enum { MISC_MAJOR = 10, TUN_MINOR = 200 };

struct list {
	struct tap_user *users;
	size_t count, room;
};

static bool is_known(const struct list *list, const struct tap_user *user)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->users[i].pid == user->pid &&
		    !strcmp(list->users[i].device, user->device))
			return true;
	return false;
}

static int append(struct list *list, const struct tap_user *user)
{
	if (list->count == list->room) {
		size_t room = list->room ? 2 * list->room : 16;
		void *more = reallocarray(list->users, room, sizeof(*user));

		if (!more)
			return -ENOMEM;
		list->users = more;
		list->room = room;
	}
	list->users[list->count++] = *user;
	return 0;
}

/* The name of the device behind an open /dev/net/tun; false if it has none. */
static bool read_device(const char *process, const char *fd, char *device)
{
	char path[64], line[128];
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "%s/fdinfo/%.12s", process, fd);
	file = fopen(path, "re");
	if (!file)
		return false;
	while (!found && fgets(line, sizeof(line), file))
		/* A name has no blanks in it. */
		found = sscanf(line, "iff: %15s", device) == 1;
	fclose(file);
	return found;
}

static void read_program(const char *process, char *program, size_t room)
{
	char path[64];
	FILE *file;

	*program = '\0';
	snprintf(path, sizeof(path), "%s/comm", process);
	file = fopen(path, "re");
	if (!file)
		return;
	if (fgets(program, (int)room, file))
		program[strcspn(program, "\n")] = '\0';
	fclose(file);
}

static int read_process(struct list *list, const char *process, pid_t pid)
{
	struct tap_user user = { .pid = pid };
	const struct dirent *entry;
	struct stat st;
	char path[64];
	int err = 0;
	DIR *fds;

	snprintf(path, sizeof(path), "%s/fd", process);
	fds = opendir(path);
	if (!fds) /* it has ended, or it is not ours to see */
		return 0;
	while (!err && (entry = readdir(fds))) {
		if (fstatat(dirfd(fds), entry->d_name, &st, 0) ||
		    !S_ISCHR(st.st_mode) ||
		    st.st_rdev != makedev(MISC_MAJOR, TUN_MINOR) ||
		    !read_device(process, entry->d_name, user.device) ||
		    is_known(list, &user))
			continue;
		read_program(process, user.program, sizeof(user.program));
		err = append(list, &user);
	}
	closedir(fds);
	return err;
}

/* Another namespace may have devices of the same names. */
static bool is_in_our_network(const char *process)
{
	struct stat own, other;
	char path[64];

	snprintf(path, sizeof(path), "%s/ns/net", process);
	return !stat("/proc/self/ns/net", &own) && !stat(path, &other) &&
	       own.st_dev == other.st_dev && own.st_ino == other.st_ino;
}

int tap_users_read(struct tap_user **users, size_t *count)
{
	struct list list = { 0 };
	const struct dirent *entry;
	char process[32];
	int err = 0;
	DIR *proc = opendir("/proc");

	if (!proc)
		return -errno;
	while (!err && (entry = readdir(proc))) {
		pid_t pid = atoi(entry->d_name);

		snprintf(process, sizeof(process), "/proc/%d", pid);
		if (pid > 0 && is_in_our_network(process))
			err = read_process(&list, process, pid);
	}
	closedir(proc);
	if (err) {
		free(list.users);
		return err;
	}
	*users = list.users;
	*count = list.count;
	return 0;
}
