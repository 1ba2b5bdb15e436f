/*
 * Where a switch with a name has its sockets: in a directory of that name, in
 * the one that systemd has made for it ($RUNTIME_DIRECTORY), in /run/ringswitch
 * for root, in $XDG_RUNTIME_DIR/ringswitch for others.
 */
#ifndef RUN_DIRECTORY_H
#define RUN_DIRECTORY_H

#include <stddef.h>
#include <sys/types.h>

/*
 * The directory of switch @name, into @path of @bytes. Returns 0, or -errno with
 * a line in @why. Nothing is made.
 */
int run_directory(const char *name, char *path, size_t bytes, char *why,
		  size_t why_bytes);

/* Make it, and what it is in, if it is not there: *@made of the two. Returns 0,
 * or -errno with a line in @why. */
int run_directory_make(const char *path, unsigned *made, char *why,
		       size_t why_bytes);

/* Remove what of it we have @made, if nothing is in there. */
void run_directory_remove(const char *path, unsigned made);

/* Let it, of which @made have been made, belong to @user; (uid_t)-1: to who has
 * made it. Returns 0 or -errno. */
int run_directory_give(const char *path, unsigned made, uid_t user);

#endif
