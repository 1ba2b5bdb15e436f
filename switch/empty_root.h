/*
 * A place without files: a mount namespace whose root is a directory that nothing
 * can be made in, with nothing in it but the way to the directory of our program,
 * inside a user namespace in which every user is who it is outside. The second
 * is what lets a process without capabilities enter the first: the owner of a
 * user namespace may.
 */
#ifndef EMPTY_ROOT_H
#define EMPTY_ROOT_H

#include <stddef.h>
#include <sys/types.h>

/*
 * Make both for the user @uid ((uid_t)-1: who we are), with the help of a child
 * that is gone when this returns. Needs CAP_SETUID and CAP_SETGID. Returns 0,
 * descriptors in @user_ns and @mount_ns which are the caller's; or -errno with
 * one line in @why, and they are left alone.
 */
int empty_root_make(uid_t uid, int *user_ns, int *mount_ns, char *why,
		    size_t why_bytes);

/*
 * Go there, for good: no capability is needed, but the user that it was made
 * for, and a process with one thread. All capabilities of the user namespace
 * come with it, for the caller to drop. Returns 0 or -errno.
 */
int empty_root_enter(int user_ns, int mount_ns);

#endif
