#include "keeper_wire.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

/* What each message may have with it. */
static const struct {
	bool from_switch, has_key;
	unsigned flags;	    /* that it may have */
	unsigned fds_max, fds_min;
	unsigned bytes_max, bytes_min;
} shape[KEEPER_TYPE_COUNT] = {
	[KEEPER_KEEP] = { true, true, KEEPER_DURABLE, KEEPER_FDS_MAX, 0,
			  KEEPER_RECORD_BYTES, 0 },
	[KEEPER_FORGET] = { .from_switch = true, .has_key = true },
	[KEEPER_READY] = { .from_switch = true },
	[KEEPER_NOTIFY] = { .from_switch = true,
			    .bytes_max = KEEPER_RECORD_BYTES },
	[KEEPER_RESTART] = { .from_switch = true },
	[KEEPER_WELCOME] = { .fds_max = 1,
			     .fds_min = 1,
			     .bytes_max = sizeof(struct keeper_welcome),
			     .bytes_min = sizeof(struct keeper_welcome) },
	[KEEPER_HELD] = { false, true,
			  KEEPER_DURABLE | KEEPER_FROM_FILE | KEEPER_QUARANTINED,
			  KEEPER_FDS_MAX, 0, KEEPER_RECORD_BYTES, 0 },
	[KEEPER_END] = { .from_switch = false },
};

/* What is wrong with @h, or NULL. */
static const char *complaint(const struct keeper_header *h, unsigned fd_count,
			     bool from_switch)
{
	if (h->version != KEEPER_VERSION)
		return "it is of another version";
	if (!h->type || h->type >= KEEPER_TYPE_COUNT ||
	    shape[h->type].from_switch != from_switch)
		return "there is no such message";
	if (shape[h->type].has_key ? h->key >= KEEPER_SELF : h->key)
		return "there is no such key";
	if (h->flags & ~shape[h->type].flags)
		return "it has flags that it cannot have";
	if (h->bytes > shape[h->type].bytes_max ||
	    h->bytes < shape[h->type].bytes_min)
		return "it is too long or too short";
	if (fd_count > shape[h->type].fds_max ||
	    fd_count < shape[h->type].fds_min)
		return "it has too many or too few descriptors";
	if (!memchr(h->name, '\0', sizeof(h->name)))
		return "its name has no end";
	return NULL;
}

int keeper_check(const struct keeper_message *message, size_t length,
		 unsigned fd_count, bool from_switch, const char **why)
{
	if (length < sizeof(message->header))
		*why = "it is cut off";
	else
		*why = complaint(&message->header, fd_count, from_switch);
	if (!*why &&
	    length != sizeof(message->header) + message->header.bytes)
		*why = "its length is not what it says";
	return *why ? -EPROTO : 0;
}

/* Room for descriptors beside a message. */
union ancillary {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(KEEPER_FDS_MAX * sizeof(int))];
};

int keeper_send(int channel, const struct keeper_header *header,
		const void *bytes, const int *fds, unsigned fd_count)
{
	struct iovec parts[2] = {
		{ (void *)(uintptr_t)header, sizeof(*header) },
		{ (void *)(uintptr_t)bytes, header->bytes },
	};
	union ancillary beside;
	struct msghdr message = { .msg_iov = parts,
				  .msg_iovlen = header->bytes ? 2 : 1 };

	if (fd_count > KEEPER_FDS_MAX)
		return -EINVAL;
	if (fd_count) {
		memset(&beside, 0, sizeof(beside));
		beside.align.cmsg_level = SOL_SOCKET;
		beside.align.cmsg_type = SCM_RIGHTS;
		beside.align.cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		memcpy(CMSG_DATA(&beside.align), fds, fd_count * sizeof(int));
		message.msg_control = &beside;
		message.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
	}
	if (sendmsg(channel, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return 0;
	/* Too many descriptors are on their way, of this user's, or there is no
	 * memory: later. */
	return errno == ETOOMANYREFS || errno == ENOBUFS || errno == ENOMEM ||
			       errno == EINTR
		       ? -EAGAIN
		       : -errno;
}

/* The descriptors that came with @message; more than there is room for are
 * closed, and counted. */
static unsigned take_fds(struct msghdr *message, int fds[KEEPER_FDS_MAX])
{
	unsigned count = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c;
	     c = CMSG_NXTHDR(message, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++, count++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			if (count < KEEPER_FDS_MAX)
				fds[count] = fd;
			else
				close(fd);
		}
	}
	return count;
}

static void close_all(const int *fds, unsigned count)
{
	for (unsigned i = 0; i < count && i < KEEPER_FDS_MAX; i++)
		close(fds[i]);
}

int keeper_receive(int channel, int flags, bool from_switch,
		   struct keeper_message *to, int fds[KEEPER_FDS_MAX],
		   unsigned *fd_count, const char **why)
{
	struct iovec part = { to, sizeof(*to) };
	union ancillary beside;
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = &beside,
				  .msg_controllen = sizeof(beside) };
	ssize_t length;

	do
		length = recvmsg(channel, &message, flags | MSG_CMSG_CLOEXEC);
	while (length < 0 && errno == EINTR);
	*fd_count = 0;
	if (length < 0)
		return errno == ECONNRESET ? 0 : -errno;
	if (!length)
		return 0;
	*fd_count = take_fds(&message, fds);
	if (message.msg_flags & MSG_CTRUNC)
		*why = "its descriptors did not come: too many are open (ulimit -n)";
	else if (!keeper_check(to, (size_t)length, *fd_count, from_switch, why)) {
		to->record[to->header.bytes] = '\0';
		return 1;
	}
	close_all(fds, *fd_count);
	*fd_count = 0;
	return -EPROTO;
}
