/*
 * Starting anew: the same process becomes the program as it is on the disk now,
 * with the configuration as it was at the end.
 */
#ifndef RESTART_H
#define RESTART_H

#include <stdbool.h>
#include <stddef.h>

struct options;

/* Note which file we are, while it is still there, and where we are. */
void restart_remember(void);

/* Whether there is such a program, and the directory that paths of @o begin in;
 * or a line in @why. */
bool restart_is_possible(const struct options *o, char *why, size_t why_bytes);

/* Become it anew, with the words of @o. Returns if that fails, with a line in
 * the log. */
void restart(const struct options *o);

/* Whether this process has been started like that, and is in the background
 * already. To be asked once. */
bool restart_is_one(void);

#endif
