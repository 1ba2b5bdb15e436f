/*
 * The socket that --metrics wants.
 */
#ifndef METRICS_LISTEN_H
#define METRICS_LISTEN_H

#include <stddef.h>

struct metrics_options;
struct socket_file;

/*
 * Listen at @o's path or address; *@to is then to be closed by
 * opener_close_file(). Returns 0, or -errno with a line in @why (of @why_bytes)
 * and to->fd negative.
 */
int metrics_listen(const struct metrics_options *o, struct socket_file *to,
		   char *why, size_t why_bytes);

#endif
