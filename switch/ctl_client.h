/*
 * A connection to a switch's control or monitor socket: lines of JSON out and
 * in, and after some commands whatever follows. Waits for an answer no longer
 * than it is told to: a switch that stands still must not hold up a script.
 */
#ifndef CTL_CLIENT_H
#define CTL_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/un.h>

struct client {
	int fd;		   /* -1: not open */
	bool monitor;	   /* it is the read-only socket */
	struct sockaddr_un at;
	char *bytes;	   /* received, from @taken to @used not yet given out */
	size_t taken, used, room;
};

#define CLIENT_CLOSED ((struct client){ .fd = -1 })

/* Connect to the socket @path. Returns 0, or -errno: -ENAMETOOLONG, -ENOENT,
 * -ECONNREFUSED, -EACCES, -EAGAIN (nobody accepts, the backlog is full). */
int client_open(struct client *c, const char *path);
/* Accepts one that is closed. */
void client_close(struct client *c);

/* Whether the other side has closed; then there is nothing left to read. */
bool client_is_gone(const struct client *c);

/* Send a whole request, the newline is added. Returns 0 or -errno; not when
 * the other side has closed already: it may have said why, to be read. */
int client_send(struct client *c, const json_t *request);

/*
 * The next line, without its newline, NUL-terminated, valid until the next
 * call; waits @timeout_ms (-1: for ever). Returns 1, 0 at the end, -ETIMEDOUT,
 * -EMSGSIZE (CLIENT_LINE_MAX) or what else went wrong.
 */
int client_line(struct client *c, int timeout_ms, char **line, size_t *bytes);
enum { CLIENT_LINE_MAX = 1 << 30 };

/* What is there, up to @room bytes, beginning with what client_line() has left
 * over; waits for at least one. Returns the number, 0 at the end, -errno. */
ssize_t client_read(struct client *c, void *to, size_t room);

#endif
