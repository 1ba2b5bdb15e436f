#include "vde_directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "endpoint.h"

static mode_t directory_mode(int mode)
{
	unsigned bits = mode < 0 ? VDE_MODE_DEFAULT : (unsigned)mode;

	return 02000 | bits | (bits & 0444) >> 2;
}

static int complain(const char *dir, const char *what, int err, char *why,
		    size_t why_bytes)
{
	snprintf(why, why_bytes, "%s: %s: %s", dir, what, strerror(err));
	return -err;
}

static int set_permissions(const struct endpoint *e, char *why,
			   size_t why_bytes)
{
	const char *dir = e->argument;

	if (e->group != (gid_t)-1 && chown(dir, (uid_t)-1, e->group))
		return complain(dir, "cannot give it to the group", errno, why,
				why_bytes);
	/* Where a service must not make such directories (systemd.exec(5),
	 * RestrictSUIDSGID=) everything in it is its own group's anyway. */
	if (chmod(dir, directory_mode(e->mode)) &&
	    (errno != EPERM || chmod(dir, directory_mode(e->mode) & 0777)))
		return complain(dir, "cannot set its mode", errno, why,
				why_bytes);
	return 0;
}

int vde_directory_open(const struct endpoint *e, char **made, char *why,
		       size_t why_bytes)
{
	const char *dir = e->argument;
	struct stat st;
	int err;

	if (!mkdir(dir, 0700)) {
		*made = realpath(dir, NULL);
		if (*made)
			return set_permissions(e, why, why_bytes);
		err = complain(dir, "cannot make the directory", errno, why,
			       why_bytes);
		rmdir(dir);
		return err;
	}
	if (errno != EEXIST)
		return complain(dir, "cannot make the directory", errno, why,
				why_bytes);
	if (stat(dir, &st) || !S_ISDIR(st.st_mode))
		return complain(dir, "choose another path", ENOTDIR, why,
				why_bytes);
	return 0;
}

/* In no range that is given to anybody: Debian's policy 9.2.2, systemd's
 * UIDS-GIDS.md. */
enum { NOBODY_IN_PARTICULAR = 65533 };

void vde_directory_give(const char *ctl, const char *made, uid_t user)
{
	if (user != (uid_t)-1 && *made && lchown(made, user, (gid_t)-1))
		return;
	if (user == (uid_t)-1 || !user)
		user = geteuid() ? geteuid() : NOBODY_IN_PARTICULAR;
	if (user != geteuid() && lchown(ctl, user, (gid_t)-1))
		return; /* then clients have to see to it themselves */
}

/* "001.5" */
static bool is_number_dot_number(const char *text)
{
	static const char digits[] = "0123456789";
	size_t first = strspn(text, digits);
	size_t second = text[first] == '.' ? strspn(text + first + 1, digits) : 0;

	return first && second && !text[first + 1 + second];
}

void vde_directory_sweep(const char *prefix)
{
	const char *name = strrchr(prefix, '/') + 1;
	char path[SOCKET_PATH_BYTES];
	const struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "%.*s", (int)(name - prefix), prefix);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		size_t length = strlen(name);

		if (entry->d_type == DT_SOCK &&
		    !strncmp(entry->d_name, name, length) &&
		    is_number_dot_number(entry->d_name + length))
			unlinkat(dirfd(dir), entry->d_name, 0);
	}
	if (dir)
		closedir(dir);
}
