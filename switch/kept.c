#include "kept.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "value.h"

bool kept_is_by_keeper(void)
{
	return getenv(KEEPER_VARIABLE);
}

/* The channel's number from the environment, or -1. */
static int channel_of_environment(const char *text)
{
	int64_t fd = value_number(text, 10, 3, 1 << 30);
	socklen_t bytes = sizeof(int);
	int type = 0;

	if (fd < 0 ||
	    getsockopt((int)fd, SOL_SOCKET, SO_TYPE, &type, &bytes) ||
	    type != SOCK_SEQPACKET)
		return -1;
	fcntl((int)fd, F_SETFD, FD_CLOEXEC);
	return (int)fd;
}

/* The page that comes with the keeper's first words. */
static int map_blame(struct kept *k, int fd)
{
	void *page = mmap(NULL, KEEPER_BLAME_BYTES, PROT_READ | PROT_WRITE,
			  MAP_SHARED, fd, 0);

	if (page == MAP_FAILED)
		return -errno;
	k->blame = page;
	kept_blame(k, KEEPER_NOBODY);
	return 0;
}

static int read_welcome(struct kept *k, const char **reason)
{
	struct keeper_message message;
	struct keeper_welcome welcome;
	int fds[KEEPER_FDS_MAX], got, err;
	unsigned count;

	*reason = "it has gone";
	got = keeper_receive(k->channel, 0, false, &message, fds, &count,
			     reason);
	if (got <= 0)
		return got ? got : -ECONNRESET;
	err = -EPROTO;
	*reason = "its first message is another";
	if (message.header.type == KEEPER_WELCOME) {
		memcpy(&welcome, message.record, sizeof(welcome));
		k->starts = welcome.starts;
		k->why = welcome.why < KEEPER_WHY_COUNT ? welcome.why
							: KEEPER_CRASHED;
		*reason = "its page cannot be mapped";
		err = map_blame(k, fds[0]);
	}
	while (count)
		close(fds[--count]);
	return err;
}

int kept_open(struct kept **to, char *why, size_t why_bytes)
{
	const char *text = getenv(KEEPER_VARIABLE), *reason = "out of memory";
	struct kept *k;
	int err = -ENOMEM;

	*to = NULL;
	if (!text)
		return 0;
	k = calloc(1, sizeof(*k));
	if (k) {
		k->channel = channel_of_environment(text);
		reason = "there is no channel of that number";
		err = k->channel < 0 ? -EBADF : read_welcome(k, &reason);
	}
	if (!err) {
		unsetenv(KEEPER_VARIABLE);
		*to = k;
		return 0;
	}
	snprintf(why, why_bytes, "the keeper (" KEEPER_VARIABLE "=%.16s): %s",
		 text, reason);
	unsetenv(KEEPER_VARIABLE);
	kept_free(k);
	return err;
}

void kept_free(struct kept *k)
{
	if (!k)
		return;
	if (k->channel >= 0)
		close(k->channel);
	if (k->blame)
		munmap((void *)(uintptr_t)k->blame, KEEPER_BLAME_BYTES);
	free(k);
}

/* What @err of a message to the keeper means to the caller: that it has gone is
 * noticed elsewhere (kept_has_gone()). */
static int told(int err)
{
	return err == -EPIPE || err == -ECONNRESET ? 0 : err;
}

static int tell(struct kept *k, enum keeper_type type, uint32_t key)
{
	const struct keeper_header header = { .version = KEEPER_VERSION,
					      .type = (uint16_t)type,
					      .key = key };

	if (!k || k->channel < 0)
		return 0;
	return told(keeper_send(k->channel, &header, NULL, NULL, 0));
}

int kept_next(struct kept *k, struct held *to)
{
	struct keeper_message message;
	const char *why;
	int got;

	if (!k || k->channel < 0)
		return 0;
	got = keeper_receive(k->channel, 0, false, &message, to->fds,
			     &to->fd_count, &why);
	if (got <= 0)
		return got;
	if (message.header.type == KEEPER_END)
		return 0;
	if (message.header.type != KEEPER_HELD) {
		while (to->fd_count)
			close(to->fds[--to->fd_count]);
		return -EPROTO;
	}
	to->key = message.header.key;
	to->flags = message.header.flags;
	to->bytes = message.header.bytes;
	memcpy(to->name, message.header.name, sizeof(to->name));
	memcpy(to->record, message.record, to->bytes);
	return 1;
}

int kept_keep(struct kept *k, uint32_t key, unsigned flags, const char *name,
	      const void *record, size_t bytes, const int *fds,
	      unsigned fd_count)
{
	struct keeper_header header = { .version = KEEPER_VERSION,
					.type = KEEPER_KEEP,
					.key = key,
					.flags = flags,
					.bytes = (uint32_t)bytes };

	if (key >= KEEPER_SELF || bytes > KEEPER_RECORD_BYTES ||
	    fd_count > KEEPER_FDS_MAX || flags & ~(unsigned)KEEPER_DURABLE)
		return -EINVAL;
	if (!k || k->channel < 0)
		return 0;
	snprintf(header.name, sizeof(header.name), "%s", name);
	return told(keeper_send(k->channel, &header, record, fds, fd_count));
}

int kept_forget(struct kept *k, uint32_t key)
{
	return key < KEEPER_SELF ? tell(k, KEEPER_FORGET, key) : -EINVAL;
}

int kept_ready(struct kept *k)
{
	return tell(k, KEEPER_READY, 0);
}

int kept_restart(struct kept *k)
{
	return k && k->channel >= 0 ? tell(k, KEEPER_RESTART, 0) : -ENOTCONN;
}

int kept_notify(struct kept *k, const char *text)
{
	struct keeper_header header = { .version = KEEPER_VERSION,
					.type = KEEPER_NOTIFY,
					.bytes = (uint32_t)strlen(text) };

	if (!k || k->channel < 0) {
		sd_notify(0, text);
		return 0;
	}
	if (header.bytes > KEEPER_RECORD_BYTES)
		return -EINVAL;
	return told(keeper_send(k->channel, &header, text, NULL, 0));
}

bool kept_has_gone(struct kept *k)
{
	char byte;

	if (!k || k->channel < 0)
		return true;
	/* It says nothing any more: what can be read is its end. */
	if (recv(k->channel, &byte, 1, MSG_DONTWAIT | MSG_PEEK) < 0 &&
	    (errno == EAGAIN || errno == EINTR))
		return false;
	close(k->channel);
	k->channel = -1;
	return true;
}
