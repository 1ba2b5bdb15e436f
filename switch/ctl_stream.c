#include "ctl_stream.h"

#include <errno.h>
#include <poll.h>

json_t *stream_ask(struct ctl *ctl, enum ctl_needs needs, const char *execute,
		   json_t *arguments, struct client *to)
{
	struct client other = ctl->client;
	json_t *answer;

	/* A connection that was there is for the commands behind this one. */
	ctl->client = CLIENT_CLOSED;
	answer = ctl_ask(ctl, needs, execute, arguments);
	*to = ctl->client;
	ctl->client = other;
	return answer;
}

bool stream_wait(const struct client *c, int out, int wake)
{
	struct pollfd p[] = {
		{ .fd = c->fd, .events = POLLIN },
		{ .fd = out },
		{ .fd = wake, .events = POLLIN },
	};

	int ready;

	if (c->taken < c->used)
		return true;
	do
		ready = poll(p, sizeof(p) / sizeof(*p), -1);
	while (ready < 0 && errno == EINTR);
	return !(p[1].revents & (POLLERR | POLLHUP | POLLNVAL));
}
