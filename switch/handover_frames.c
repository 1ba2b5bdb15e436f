/*
 * What is in the switch when it is restarted as planned: frames that wait for
 * their ports, and the parts of frames in streams. A file of entries.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frame.h"
#include "handover.h"
#include "handover_parts.h"
#include "port_stream.h"
#include "sw.h"

enum { FILE_BYTES_MAX = 1 << 30 };

enum entry_kind { ENTRY_FRAME, ENTRY_STREAM };

struct entry {
	uint16_t port, kind;
	uint32_t bytes; /* that follow */
};

/* --- writing -------------------------------------------------------------- */

static void write_queue(FILE *to, const struct port *p)
{
	for (uint32_t i = 0; i < p->queue_count; i++) {
		const struct frame *f = *port_queue_at(p, i);
		const struct entry e = { p->id, ENTRY_FRAME, f->len };

		fwrite(&e, sizeof(e), 1, to);
		fwrite(f->data, 1, f->len, to);
	}
}

/* Its length is known when it is written. */
static void write_stream(FILE *to, const struct port *p)
{
	struct entry e = { p->id, ENTRY_STREAM, 0 };
	long at = ftell(to);

	fwrite(&e, sizeof(e), 1, to);
	e.bytes = (uint32_t)stream_save(p, to);
	fseek(to, at, SEEK_SET);
	fwrite(&e, sizeof(e), 1, to);
	fseek(to, 0, SEEK_END);
}

int handover_frames_write(struct sw *sw)
{
	int fd = memfd_create("ringswitch", MFD_CLOEXEC);
	FILE *to = fd < 0 ? NULL
			  : fdopen(fcntl(fd, F_DUPFD_CLOEXEC, 0), "w");
	int failed;

	for (uint16_t i = 0; to && i < sw->ports.id_end; i++) {
		const struct port *p = sw->ports.by_id[i];

		if (p->state != PORT_UP)
			continue;
		write_queue(to, p);
		if (p->stream)
			write_stream(to, p);
	}
	failed = !to || ferror(to);
	if (to && fclose(to))
		failed = true;
	if (!failed)
		return fd;
	if (fd >= 0)
		close(fd);
	return -EIO;
}

/* --- reading -------------------------------------------------------------- */

/* What comes next in a file; NULL at its end, or where it makes no sense. */
static const struct entry *next_entry(const uint8_t *at, const uint8_t *end,
				      struct entry *e)
{
	if ((size_t)(end - at) < sizeof(*e))
		return NULL;
	memcpy(e, at, sizeof(*e));
	return e->bytes <= (size_t)(end - at) - sizeof(*e) ? e : NULL;
}

/* A pool that holds all frames of the file: their senders' buffers are empty
 * and stay theirs. */
static struct pool *make_pool(const uint8_t *at, const uint8_t *end)
{
	uint32_t count = 0, longest = 1, room = 1;
	struct entry e;

	for (; next_entry(at, end, &e); at += sizeof(e) + e.bytes) {
		if (e.kind != ENTRY_FRAME)
			continue;
		count++;
		longest = e.bytes > longest ? e.bytes : longest;
	}
	while (room < count && room < 32768)
		room *= 2;
	return count && longest <= STREAM_FRAME_MAX
		       ? pool_new_own((uint16_t)room, longest)
		       : NULL;
}

/* It had been counted as lost on the way. */
static void queue_again(struct sw *sw, struct port *p, struct pool *pool,
			const uint8_t *bytes, uint32_t len)
{
	struct frame *f = pool ? pool_get(pool) : NULL;

	if (!f)
		return;
	memcpy(f->data, bytes, len);
	f->len = len;
	if (len && p->counters->drop[DROP_CRASH_QUEUED] &&
	    port_requeue(&sw->ports, p, f))
		p->counters->drop[DROP_CRASH_QUEUED]--;
	frame_unref(f);
}

static void take(struct sw *sw, struct pool *pool, const uint8_t *at,
		 const uint8_t *end)
{
	struct entry e;

	for (; next_entry(at, end, &e); at += sizeof(e) + e.bytes) {
		struct port *p = e.port < sw->ports.id_end
					 ? sw->ports.by_id[e.port]
					 : NULL;

		if (!p || p->state != PORT_UP)
			continue;
		if (e.kind == ENTRY_FRAME)
			queue_again(sw, p, pool, at + sizeof(e), e.bytes);
		else if (p->stream)
			stream_load(p, at + sizeof(e), e.bytes);
		/* With half a frame to send, or a queue, there is something to
		 * flush. */
		port_writable(&sw->ports, p);
	}
}

void handover_frames_read(struct sw *sw, int fd)
{
	struct stat st;
	uint8_t *bytes;
	struct pool *pool;

	if (fstat(fd, &st) || st.st_size <= 0 || st.st_size > FILE_BYTES_MAX)
		return;
	/* Read, not mapped: nobody can take it away under us. */
	bytes = malloc((size_t)st.st_size);
	if (bytes && pread(fd, bytes, (size_t)st.st_size, 0) == st.st_size) {
		pool = make_pool(bytes, bytes + st.st_size);
		take(sw, pool, bytes, bytes + st.st_size);
		pool_close(pool);
	}
	free(bytes);
}
