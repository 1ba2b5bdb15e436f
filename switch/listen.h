/*
 * The socket in the file system at which guests knock.
 */
#ifndef LISTEN_H
#define LISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/un.h>

struct listener {
	int fd;
	dev_t device; /* of the file that we made, to remove no other */
	ino_t inode;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path) + 4096];
};

/*
 * Listen at @path (at most 107 bytes) with @mode permissions (-1: by umask)
 * and @group ((gid_t)-1: unchanged). A socket there that nobody listens at is
 * replaced; one that is in use, and anything else, is left as it is.
 *
 * Returns 0, or -errno with a line in @why (of @why_bytes); then nothing is
 * open and no file has been made.
 */
int listen_open(struct listener *l, const char *path, int mode, gid_t group,
		char *why, size_t why_bytes);

/* Stop listening and remove the socket, if it is still ours. */
void listen_close(struct listener *l);

#endif
