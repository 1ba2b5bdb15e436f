#include "opener_wire.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union fd_space {
	char bytes[CMSG_SPACE(OPENER_FDS_MAX * sizeof(int))];
	struct cmsghdr align;
};

int opener_wire_send(int fd, const void *message, size_t bytes,
		     const struct opener_fds *fds)
{
	struct iovec part = { (void *)(uintptr_t)message, bytes };
	union fd_space space = { { 0 } };
	struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1 };
	size_t fd_bytes = fds ? fds->count * sizeof(int) : 0;
	ssize_t n;

	if (fd_bytes) {
		space.align.cmsg_len = CMSG_LEN(fd_bytes);
		space.align.cmsg_level = SOL_SOCKET;
		space.align.cmsg_type = SCM_RIGHTS;
		memcpy(CMSG_DATA(&space.align), fds->fd, fd_bytes);
		header.msg_control = &space;
		header.msg_controllen = CMSG_SPACE(fd_bytes);
	}
	do
		n = sendmsg(fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == ECONNRESET ? -EPIPE : -errno;
	return (size_t)n == bytes ? 0 : -EPROTO;
}

static void take_descriptors(struct msghdr *header, struct opener_fds *fds)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c;
	     c = CMSG_NXTHDR(header, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		fds->count = (unsigned)((c->cmsg_len - CMSG_LEN(0)) /
					sizeof(int));
		memcpy(fds->fd, CMSG_DATA(c), fds->count * sizeof(int));
	}
}

int opener_wire_receive(int fd, void *message, size_t bytes,
			struct opener_fds *fds)
{
	struct iovec part = { message, bytes };
	union fd_space space;
	struct msghdr header = { .msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = &space,
				 .msg_controllen = sizeof(space) };
	ssize_t n;

	fds->count = 0;
	do
		n = recvmsg(fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == ECONNRESET ? -EPIPE : -errno;
	take_descriptors(&header, fds);
	/* Descriptors may be cut short if we may have no more of them. */
	if ((size_t)n == bytes && !(header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
		return 0;
	opener_fds_close(fds);
	return !n ? -EPIPE : header.msg_flags & MSG_CTRUNC ? -EMFILE : -EPROTO;
}

void opener_fds_close(struct opener_fds *fds)
{
	for (unsigned i = 0; i < fds->count; i++)
		close(fds->fd[i]);
	fds->count = 0;
}

/* FNV-1a. */
uint64_t opener_guest_hash(const struct sockaddr_un *name)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < sizeof(name->sun_path); i++)
		h = (h ^ (uint8_t)name->sun_path[i]) * 0x100000001b3u;
	return h;
}

#define ENDS(text) (memchr(text, '\0', sizeof(text)) != NULL)

static bool endpoint_is_sound(const struct endpoint *e)
{
	return (unsigned)e->kind < ENDPOINT_KIND_COUNT && ENDS(e->argument) &&
	       ENDS(e->remote) && ENDS(e->name) && ENDS(e->filter) &&
	       ENDS(e->rules) && ENDS(e->accept_to_guests) && ENDS(e->mirror);
}

/* How many descriptors come with it. */
static unsigned wanted(const struct opener_job *job)
{
	switch (job->what) {
	case OPENER_DGRAM_LOOK:
		return 1 + job->has_watch;
	case OPENER_TAP:
		return job->again ? job->filter.fd_count : 0;
	default:
		return job->what == OPENER_TAP_BARE;
	}
}

bool opener_wire_check(const struct opener_job *job, unsigned fds)
{
	return job->what < OPENER_WHAT_COUNT &&
	       job->role <= ENDPOINT_CONTROL &&
	       memchr(job->text, '\0', sizeof(job->text)) &&
	       endpoint_is_sound(&job->endpoint) && ENDS(job->file.path) &&
	       job->has_watch <= 1 &&
	       job->filter.bytes <= FILTER_RECORD_BYTES &&
	       job->filter.fd_count <= FILTER_FDS && fds == wanted(job);
}
