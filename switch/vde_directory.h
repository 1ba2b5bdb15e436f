/*
 * The directory of a VDE switch: its control socket is DIR/ctl, and the data
 * sockets of both sides are in it.
 *
 * Permissions as vde_switch 2.3.2 has them: 0600 for the socket and 02700 for
 * the directory, or what mode= says for both, with the right to search wherever
 * there is one to read; the group gets both.
 */
#ifndef VDE_DIRECTORY_H
#define VDE_DIRECTORY_H

#include <stddef.h>

enum { VDE_MODE_DEFAULT = 0600 };

struct endpoint;

/*
 * Make the directory of @e, whose control socket will be at @ctl. One that is
 * there is used as it is, but gets the mode and group that @e asks for. @remove
 * is its absolute path, the caller's to free, if it should be removed in the
 * end: we have made it, or another switch has left it. Returns 0, or -errno
 * with a line in @why.
 */
int vde_directory_open(const struct endpoint *e, const char *ctl,
		       char **remove, char *why, size_t why_bytes);

/* Remove the sockets called @prefix, a number, a dot and a number. */
void vde_directory_sweep(const char *prefix);

#endif
