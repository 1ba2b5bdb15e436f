#include "run_directory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OURS "ringswitch"

int run_directory(const char *name, char *path, size_t bytes, char *why,
		  size_t why_bytes)
{
	const char *ready = getenv("RUNTIME_DIRECTORY");
	const char *user = getenv("XDG_RUNTIME_DIR");
	int length;

	if (ready && *ready == '/' && !strchr(ready, ':')) {
		length = snprintf(path, bytes, "%s", ready);
	} else if (geteuid() == 0) {
		length = snprintf(path, bytes, "/run/" OURS "/%s", name);
	} else if (user && *user == '/') {
		length = snprintf(path, bytes, "%s/" OURS "/%s", user, name);
	} else {
		snprintf(why, why_bytes,
			 "--name %s: XDG_RUNTIME_DIR is not set, so there is no place for its sockets: set it, or name them with --listen and --control",
			 name);
		return -ENOENT;
	}
	if ((size_t)length < bytes)
		return 0;
	snprintf(why, why_bytes,
		 "--name %s: its directory %.80s... is too long for sockets",
		 name, path);
	return -ENAMETOOLONG;
}

static int make(const char *path, unsigned *made, char *why, size_t why_bytes)
{
	int err;

	if (!mkdir(path, 0755)) {
		++*made;
		return 0;
	}
	if (errno == EEXIST)
		return 0;
	err = -errno;
	snprintf(why, why_bytes, "cannot make the directory %s: %s", path,
		 strerror(-err));
	return err;
}

static void parent_of(const char *path, char *parent, size_t bytes)
{
	snprintf(parent, bytes, "%s", path);
	*strrchr(parent, '/') = '\0';
}

int run_directory_make(const char *path, unsigned *made, char *why,
		       size_t why_bytes)
{
	char parent[4096];
	int err;

	*made = 0;
	parent_of(path, parent, sizeof(parent));
	err = make(parent, made, why, why_bytes);
	return err ? err : make(path, made, why, why_bytes);
}

void run_directory_remove(const char *path, unsigned made)
{
	char parent[4096];

	if (made < 1 || rmdir(path) || made < 2)
		return;
	parent_of(path, parent, sizeof(parent));
	rmdir(parent);
}

int run_directory_give(const char *path, unsigned made, uid_t user)
{
	return made && user != (uid_t)-1 && lchown(path, user, (gid_t)-1)
		       ? -errno
		       : 0;
}
