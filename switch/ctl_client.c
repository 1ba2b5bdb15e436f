#include "ctl_client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

int client_open(struct client *c, const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd, err;

	if (strlen(path) >= sizeof(at.sun_path))
		return -ENAMETOOLONG;
	strcpy(at.sun_path, path);
	/* Not blocking while it connects: a full backlog is told at once. */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&at, sizeof(at)) < 0) {
		err = -errno;
		close(fd);
		return err;
	}
	*c = (struct client){ .fd = fd, .at = at };
	return 0;
}

void client_close(struct client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	free(c->bytes);
	*c = CLIENT_CLOSED;
}

bool client_is_gone(const struct client *c)
{
	char byte;
	ssize_t n;

	if (c->taken < c->used)
		return false;
	n = recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

/* Wait until @fd is ready for @events. Returns 0, -ETIMEDOUT or -errno. */
static int wait_for(int fd, short events, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = events };
	int ready;

	do
		ready = poll(&p, 1, timeout_ms);
	while (ready < 0 && errno == EINTR);
	return ready < 0 ? -errno : ready ? 0 : -ETIMEDOUT;
}

/* A request is small: what does not fit the socket is not being read. */
enum { SEND_TIMEOUT_MS = 10000 };

static int send_all(struct client *c, const char *from, size_t bytes)
{
	while (bytes) {
		ssize_t n = send(c->fd, from, bytes, MSG_NOSIGNAL);
		int err = n < 0 ? -errno : 0;

		if (err == -EPIPE || err == -ECONNRESET)
			return 0;
		if (err == -EAGAIN)
			err = wait_for(c->fd, POLLOUT, SEND_TIMEOUT_MS);
		if (err && err != -EINTR)
			return err;
		if (n > 0) {
			from += n;
			bytes -= (size_t)n;
		}
	}
	return 0;
}

int client_send(struct client *c, const json_t *request)
{
	char *text = json_dumps(request, JSON_COMPACT);
	size_t bytes;
	int err;

	if (!text)
		return -EILSEQ; /* not UTF-8 */
	bytes = strlen(text);
	text[bytes++] = '\n'; /* in the place of the NUL */
	err = send_all(c, text, bytes);
	free(text);
	return err;
}

/* Room for more, and nothing in front that was given out already. */
static int make_room(struct client *c)
{
	char *more;

	if (c->taken) {
		memmove(c->bytes, c->bytes + c->taken, c->used - c->taken);
		c->used -= c->taken;
		c->taken = 0;
	}
	if (c->used < c->room)
		return 0;
	if (c->room >= CLIENT_LINE_MAX)
		return -EMSGSIZE;
	more = realloc(c->bytes, c->room ? c->room * 2 : 65536);
	if (!more)
		return -ENOMEM;
	c->bytes = more;
	c->room = c->room ? c->room * 2 : 65536;
	return 0;
}

/* Returns the bytes that were added, 0 at the end, -EAGAIN or -errno. */
static ssize_t receive(struct client *c, void *to, size_t room)
{
	ssize_t n = recv(c->fd, to, room, 0);

	/* Who closes with something of ours unread resets the connection. */
	if (n < 0 && errno == ECONNRESET)
		return 0;
	return n < 0 ? (errno == EINTR ? -EAGAIN : -errno) : n;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Add to what is there. As client_line(). */
static int fill(struct client *c, int64_t until_ms)
{
	int64_t left = until_ms < 0 ? -1 : until_ms - now_ms();
	int err = make_room(c);
	ssize_t n;

	if (!err)
		err = wait_for(c->fd, POLLIN,
			       until_ms < 0 ? -1 : left < 0 ? 0 : (int)left);
	if (err)
		return err;
	n = receive(c, c->bytes + c->used, c->room - c->used);
	if (n > 0)
		c->used += (size_t)n;
	return n == -EAGAIN ? 1 : n < 0 ? (int)n : n > 0;
}

int client_line(struct client *c, int timeout_ms, char **line, size_t *bytes)
{
	int64_t until_ms = timeout_ms < 0 ? -1 : now_ms() + timeout_ms;
	size_t looked = 0;
	char *end;
	int got;

	while (!c->used ||
	       !(end = memchr(c->bytes + c->taken + looked, '\n',
			      c->used - c->taken - looked))) {
		looked = c->used - c->taken;
		got = fill(c, until_ms);
		if (got <= 0)
			return got;
	}
	*end = '\0';
	*line = c->bytes + c->taken;
	*bytes = (size_t)(end - *line);
	c->taken += *bytes + 1;
	return 1;
}

ssize_t client_read(struct client *c, void *to, size_t room)
{
	size_t left = c->used - c->taken;
	ssize_t n;
	int err;

	if (left) {
		if (left > room)
			left = room;
		memcpy(to, c->bytes + c->taken, left);
		c->taken += left;
		return (ssize_t)left;
	}
	do {
		err = wait_for(c->fd, POLLIN, -1);
		n = err ? err : receive(c, to, room);
	} while (n == -EAGAIN);
	return n;
}
