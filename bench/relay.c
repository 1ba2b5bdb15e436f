/*
 * A program that stands between two guests and only passes on: not a switch, but
 * what one is measured against. "relay PATH" listens at PATH as uml_switch does, takes two
 * guests, and then gives each what the other sends. It does not look at the
 * frames, learns nothing and counts nothing; what a guest has no room for is kept,
 * and the other is not read meanwhile.
 *
 * It ends when one of the two has closed its control connection. Anything that
 * goes wrong before is the end, too: there is nobody else whom it serves.
 */
#include <assert.h>
#include <err.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define JOIN_MAGIC 0xfeedfaceu

enum {
	GUESTS = 2,
	JOIN_VERSION = 3,
	BATCH = 64,
	/* Guests of daemon ports have an MTU of 1500; more would be cut off. */
	FRAME_BYTES = 2048,
	EXIT_USAGE = 2,
};

/* As a UML kernel sends it, two bytes of padding included; see join.c. */
struct request {
	uint32_t magic, version, type;
	struct sockaddr_un name;	/* where the guest receives */
};

static_assert(sizeof(struct request) == 124, "as UML has it");
static_assert(offsetof(struct request, name) == 12, "packed");

struct guest {
	int control_fd, data_fd;
	/* What it has sent last: @count frames, of which the other has @taken. */
	int count, taken;
	struct mmsghdr headers[BATCH];
	struct iovec parts[BATCH];
	uint8_t frames[BATCH][FRAME_BYTES];
};

static int listen_at(const char *path)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	const int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (strlen(path) >= sizeof(name.sun_path))
		errx(1, "%s: too long for the name of a socket", path);
	memcpy(name.sun_path, path, strlen(path));
	if (fd < 0 || bind(fd, (struct sockaddr *)&name, sizeof(name)) ||
	    listen(fd, GUESTS))
		err(1, "%s", path);
	return fd;
}

static void read_request(int fd, struct request *request)
{
	if (recv(fd, request, sizeof(*request), MSG_WAITALL) !=
		    (ssize_t)sizeof(*request) ||
	    request->magic != JOIN_MAGIC || request->version != JOIN_VERSION ||
	    request->type != 0)
		errx(1, "a guest has not asked to join as UML does");
}

/* Guests send to all 110 bytes of a name, so that all of them are part of it. */
static int open_data(const struct sockaddr_un *name,
		     const struct sockaddr_un *guest)
{
	const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	if (fd < 0 || bind(fd, (const struct sockaddr *)name, sizeof(*name)) ||
	    connect(fd, (const struct sockaddr *)guest, sizeof(*guest)))
		err(1, "a guest's data socket");
	return fd;
}

static void join(struct guest *guest, int listen_fd, int number)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	struct request request;

	guest->control_fd = accept(listen_fd, NULL, NULL);
	if (guest->control_fd < 0)
		err(1, "a guest's control connection");
	read_request(guest->control_fd, &request);
	snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "relay-%d-%d",
		 (int)getpid(), number);
	guest->data_fd = open_data(&name, &request.name);
	for (int i = 0; i < BATCH; i++) {
		guest->parts[i].iov_base = guest->frames[i];
		guest->headers[i].msg_hdr.msg_iov = &guest->parts[i];
		guest->headers[i].msg_hdr.msg_iovlen = 1;
	}
	if (send(guest->control_fd, &name, sizeof(name), MSG_NOSIGNAL) !=
	    (ssize_t)sizeof(name))
		err(1, "a guest's control connection");
}

static bool has_kept(const struct guest *guest)
{
	return guest->taken < guest->count;
}

static void receive(struct guest *from)
{
	int count;

	for (int i = 0; i < BATCH; i++)
		from->parts[i].iov_len = FRAME_BYTES;
	/* An error tells of the guest's end, and the control connection will. */
	count = recvmmsg(from->data_fd, from->headers, BATCH, 0, NULL);
	from->count = count < 0 ? 0 : count;
	from->taken = 0;
	for (int i = 0; i < from->count; i++)
		from->parts[i].iov_len = from->headers[i].msg_len;
}

static void give(struct guest *from, const struct guest *to)
{
	const int sent = sendmmsg(to->data_fd, from->headers + from->taken,
				  (unsigned int)(from->count - from->taken), 0);

	if (sent > 0)
		from->taken += sent;
	else if (errno != EAGAIN)
		from->count = 0;	/* nobody is there to take them */
}

/*
 * Wait until there is anything to do. Returns false when a guest has left; one
 * that has only said all it has to say at its control connection has not.
 */
static bool wait_for(const struct guest *guests, struct pollfd *data)
{
	struct pollfd fds[2 * GUESTS] = { 0 };

	for (int i = 0; i < GUESTS; i++) {
		const bool reads = !has_kept(&guests[i]);
		const bool writes = has_kept(&guests[!i]);

		fds[i].fd = guests[i].data_fd;
		fds[i].events = (short)((reads ? POLLIN : 0) |
					(writes ? POLLOUT : 0));
		fds[GUESTS + i].fd = guests[i].control_fd;
	}
	if (poll(fds, 2 * GUESTS, -1) < 0)
		err(1, "poll");
	memcpy(data, fds, GUESTS * sizeof(*data));
	return !fds[GUESTS].revents && !fds[GUESTS + 1].revents;
}

static void pass_frames(struct guest *guests)
{
	struct pollfd data[GUESTS];

	while (wait_for(guests, data))
		for (int i = 0; i < GUESTS; i++) {
			if (!has_kept(&guests[i]) &&
			    data[i].revents & (POLLIN | POLLERR))
				receive(&guests[i]);
			if (has_kept(&guests[i]))
				give(&guests[i], &guests[!i]);
		}
}

int main(int argc, char **argv)
{
	struct guest guests[GUESTS] = { 0 };
	int listen_fd;

	if (argc != 2 || argv[1][0] == '-') {
		fprintf(stderr, "usage: relay PATH\n");
		return EXIT_USAGE;
	}
	listen_fd = listen_at(argv[1]);
	for (int i = 0; i < GUESTS; i++)
		join(&guests[i], listen_fd, i);
	close(listen_fd);
	unlink(argv[1]);
	pass_frames(guests);
	return 0;
}
