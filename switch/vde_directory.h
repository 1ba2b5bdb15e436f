/*
 * The directory of a VDE switch: its control socket is DIR/ctl, and the data
 * sockets of both sides are in it.
 *
 * Permissions as vde_switch 2.3.2 has them: 0600 for the socket and 02700 for
 * the directory, or what mode= says for both, with the right to search wherever
 * there is one to read; the group gets both. But a directory that was there is
 * somebody's, and stays as it is.
 */
#ifndef VDE_DIRECTORY_H
#define VDE_DIRECTORY_H

#include <stddef.h>
#include <sys/types.h>

enum { VDE_MODE_DEFAULT = 0600 };

struct endpoint;

/*
 * Make the directory of @e; one that is there is left as it is, now and in the
 * end. @made is the absolute path of one that we have made, the caller's to
 * free and the directory to remove. Returns 0, or -errno with a line in @why.
 */
int vde_directory_open(const struct endpoint *e, char **made, char *why,
		       size_t why_bytes);

/*
 * The socket @ctl, and its directory @made ("": another's), become those of
 * @user, (uid_t)-1: whoever we are. Clients let the owner of ctl send to their
 * sockets, if need be with a group or everybody, unless it is root, who may
 * anyway, they think (libvdeplug 4.0.1). Root's switch has no such privileges
 * any more: its ctl becomes that of a user whom nobody is. Where that is not
 * permitted it is left as it is.
 */
void vde_directory_give(const char *ctl, const char *made, uid_t user);

/* Remove the sockets called @prefix, a number, a dot and a number. */
void vde_directory_sweep(const char *prefix);

#endif
