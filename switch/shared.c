#include "shared.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mac.h"

/* Two programs that agree in these have the same idea of the rest. */
static uint32_t layout(void)
{
	return (uint32_t)sizeof(struct shared) ^ (uint32_t)DROP_COUNT << 24;
}

static size_t head_bytes(void)
{
	const size_t page = 4096;

	return (sizeof(struct shared) + page - 1) / page * page;
}

static size_t all_bytes(uint32_t mac_entries)
{
	return head_bytes() + mac_memory_bytes(mac_entries);
}

static struct shared *map(int fd, size_t bytes, int protection, int flags)
{
	void *at = mmap(NULL, bytes, protection, flags, fd, 0);

	return at == MAP_FAILED ? NULL : at;
}

/* Nobody can make it shorter under us. */
static int make_file(size_t bytes)
{
	int fd = memfd_create("ringswitch", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || (!ftruncate(fd, (off_t)bytes) &&
		       !fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW)))
		return fd;
	close(fd);
	return -1;
}

struct shared *shared_new(uint32_t mac_entries, int *fd)
{
	size_t bytes = all_bytes(mac_entries);
	int file = fd ? make_file(bytes) : -1;
	struct shared *s = NULL;

	if (!fd)
		s = map(-1, bytes, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE);
	else if (file >= 0)
		s = map(file, bytes, PROT_READ | PROT_WRITE, MAP_SHARED);
	if (!s) {
		if (file >= 0)
			close(file);
		return NULL;
	}
	s->layout = layout();
	s->mac_entries = mac_entries;
	if (fd)
		*fd = file;
	return s;
}

void *shared_macs(struct shared *s)
{
	return (char *)s + head_bytes();
}

void shared_free(struct shared *s)
{
	if (s)
		munmap(s, all_bytes(s->mac_entries));
}

/* A file that could be cut would kill us while we look. */
static bool is_whole(int fd, size_t bytes)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;

	return seals >= 0 && seals & F_SEAL_SHRINK && !fstat(fd, &st) &&
	       (size_t)st.st_size == bytes;
}

/* Whoever else has the file may write to it while we look: what has been checked
 * is what is in the copy. */
static struct shared *copy(int fd, uint32_t entries)
{
	size_t bytes = all_bytes(entries), at = 0;
	struct shared *s = shared_new(entries, NULL);
	ssize_t n = 1;

	for (; s && n > 0 && at < bytes; at += n > 0 ? (size_t)n : 0)
		n = pread(fd, (char *)s + at, bytes - at, (off_t)at);
	if (!s)
		return NULL;
	s->layout = layout();
	s->mac_entries = entries;
	if (at == bytes)
		return s;
	shared_free(s);
	return NULL;
}

struct shared *shared_look(int fd)
{
	struct shared head;
	uint32_t entries;

	if (pread(fd, &head, offsetof(struct shared, ports), 0) !=
		    offsetof(struct shared, ports) ||
	    head.layout != layout())
		return NULL;
	entries = head.mac_entries;
	if (entries < MAC_ENTRIES_MIN || entries > MAC_ENTRIES_MAX ||
	    !is_whole(fd, all_bytes(entries)))
		return NULL;
	return copy(fd, entries);
}

void shared_take_port(const struct shared *before, struct port *p)
{
	struct port_counters *c = p->counters;

	*c = before->ports.counters[p->id];
	c->drop[DROP_CRASH] +=
		c->received - c->forwarded - port_dropped(c);
	c->drop[DROP_CRASH_QUEUED] +=
		c->offered - c->sent - port_undelivered(c);
}

void shared_take_past(const struct shared *before, struct ports *ps)
{
	struct ports_memory *m = ps->memory;

	m->gone = before->ports.gone;
	memcpy(m->past, before->ports.past, sizeof(m->past));
	for (int i = 0; i < PORT_NAMES_KEPT; i++)
		m->past[i].name[PORT_NAME_BYTES - 1] = '\0';
}
