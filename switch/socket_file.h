/*
 * A socket of ours in the file system: made where there is none or a dead one,
 * and removed again.
 */
#ifndef SOCKET_FILE_H
#define SOCKET_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/un.h>

struct socket_file {
	int fd;
	dev_t device; /* of the file that we made, to remove no other */
	ino_t inode;
	bool at_once; /* set by who opens it: do not wait for those who are just
		       * giving the path up */
	char path[sizeof(((struct sockaddr_un *)0)->sun_path) + 4096];
};

/*
 * A socket of @type (SOCK_STREAM and SOCK_SEQPACKET: listening) at @path (at
 * most 107 bytes) with @mode permissions (-1: by umask) and @group ((gid_t)-1:
 * unchanged). A socket there that nobody has open is replaced; one that is in
 * use, and anything else, is left as it is.
 *
 * Returns 0, or -errno with a line in @why (of @why_bytes); then nothing is
 * open and no file has been made.
 */
int socket_file_open(struct socket_file *s, const char *path, int type,
		     int mode, gid_t group, char *why, size_t why_bytes);

/*
 * Messages may carry descriptors, and whoever receives them closes them: with
 * the right kind that can take as long as the sender likes. Refuse them on @fd,
 * and on what it accepts: before it has a name, or a message may come first.
 * Kernels before 6.16 cannot be told to.
 */
void socket_refuse_descriptors(int fd);

/*
 * bind() that gives the file @mode permissions (-1: by umask) from the first
 * moment, in which others could connect. Returns 0 or -errno.
 */
int socket_file_bind(int fd, const struct sockaddr_un *addr, int mode);

/* Remove the file, if it is still ours. Returns 0 or -errno. */
int socket_file_remove(const struct socket_file *s);

/* Sockets that are made from now on belong to @user; (uid_t)-1: to who makes
 * them. */
void socket_file_give_to(uid_t user);

#endif
