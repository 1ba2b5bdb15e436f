#include "keeper_store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "state_file.h"

struct keeper_thing {
	uint32_t key;
	uint32_t flags;
	uint32_t bytes;
	unsigned fd_count;
	int fds[KEEPER_FDS_MAX];
	char name[KEEPER_NAME_BYTES];
	uint8_t record[];
};

/* In coming[]: nothing is to be there. */
static struct keeper_thing nothing;

static void free_thing(struct keeper_thing *t)
{
	if (!t || t == &nothing)
		return;
	for (unsigned i = 0; i < t->fd_count; i++)
		close(t->fds[i]);
	free(t);
}

static struct keeper_thing *new_thing(uint32_t key, uint32_t flags,
				      const char name[KEEPER_NAME_BYTES],
				      const void *record, uint32_t bytes)
{
	struct keeper_thing *t = calloc(1, sizeof(*t) + bytes);

	if (!t)
		return NULL;
	t->key = key;
	t->flags = flags;
	t->bytes = bytes;
	memcpy(t->name, name, sizeof(t->name));
	memcpy(t->record, record, bytes);
	return t;
}

static void found(void *context, const struct state_record *r)
{
	struct keeper_store *s = context;

	if (r->key == KEEPER_SELF && r->bytes == sizeof(s->before))
		memcpy(&s->before, r->record, sizeof(s->before));
	if (r->key == KEEPER_SELF)
		return;
	s->things[r->key] = new_thing(r->key, r->flags | KEEPER_FROM_FILE,
				      r->name, r->record, r->bytes);
}

void keeper_store_read(struct keeper_store *s, struct state_file *file)
{
	s->file = file;
	if (file)
		state_file_read(file, found, s);
}

void keeper_store_clear(struct keeper_store *s)
{
	keeper_store_undo(s);
	for (uint32_t key = 0; key < KEEPER_KEYS; key++) {
		free_thing(s->things[key]);
		s->things[key] = NULL;
	}
}

static int write_thing(struct keeper_store *s, const struct keeper_thing *t)
{
	struct state_record r;

	if (!s->file)
		return 0;
	if (!(t->flags & KEEPER_DURABLE))
		return state_file_forget(s->file, t->key);
	r.key = t->key;
	r.flags = t->flags & (KEEPER_DURABLE | KEEPER_QUARANTINED);
	r.bytes = t->bytes;
	memcpy(r.name, t->name, sizeof(r.name));
	memcpy(r.record, t->record, t->bytes);
	return state_file_write(s->file, &r);
}

/* @t, or nothing, is what is kept as @key from now on. */
static int put(struct keeper_store *s, uint32_t key, struct keeper_thing *t)
{
	struct keeper_thing *old = s->things[key];

	s->things[key] = t == &nothing ? NULL : t;
	if (old && t != &nothing)
		t->flags |= old->flags & KEEPER_QUARANTINED;
	free_thing(old);
	if (t == &nothing)
		return s->file ? state_file_forget(s->file, key) : 0;
	return write_thing(s, t);
}

static int put_when_ready(struct keeper_store *s, uint32_t key,
			  struct keeper_thing *t)
{
	if (s->ready)
		return put(s, key, t);
	free_thing(s->coming[key]);
	s->coming[key] = t;
	return 0;
}

int keeper_store_keep(struct keeper_store *s, const struct keeper_header *header,
		      const void *record, const int *fds, unsigned fd_count)
{
	struct keeper_thing *t = new_thing(header->key, header->flags,
					   header->name, record, header->bytes);

	if (!t) {
		while (fd_count)
			close(fds[--fd_count]);
		return -ENOMEM;
	}
	for (; t->fd_count < fd_count; t->fd_count++)
		t->fds[t->fd_count] = fds[t->fd_count];
	return put_when_ready(s, header->key, t);
}

int keeper_store_forget(struct keeper_store *s, uint32_t key)
{
	return put_when_ready(s, key, &nothing);
}

void keeper_store_begin(struct keeper_store *s)
{
	s->ready = false;
	s->next = 0;
}

int keeper_store_ready(struct keeper_store *s)
{
	int err = 0;

	s->ready = true;
	for (uint32_t key = 0; key < KEEPER_KEYS; key++) {
		struct keeper_thing *t = s->coming[key];
		int failed = t ? put(s, key, t) : 0;

		s->coming[key] = NULL;
		err = err ? err : failed;
	}
	return err;
}

void keeper_store_undo(struct keeper_store *s)
{
	for (uint32_t key = 0; key < KEEPER_KEYS; key++) {
		free_thing(s->coming[key]);
		s->coming[key] = NULL;
	}
}

static int send_thing(int channel, const struct keeper_thing *t)
{
	struct keeper_header header = { .version = KEEPER_VERSION,
					.type = KEEPER_HELD,
					.key = t->key,
					.flags = t->flags,
					.bytes = t->bytes };

	memcpy(header.name, t->name, sizeof(header.name));
	return keeper_send(channel, &header, t->record, t->fds, t->fd_count);
}

int keeper_store_send(struct keeper_store *s, int channel, bool *progress)
{
	static const struct keeper_header end = { .version = KEEPER_VERSION,
						  .type = KEEPER_END };
	int err = 0;

	for (; s->next < KEEPER_KEYS && !err; s->next += !err) {
		const struct keeper_thing *t = s->things[s->next];

		if (!t)
			continue;
		err = send_thing(channel, t);
		*progress |= !err;
	}
	if (!err)
		err = keeper_send(channel, &end, NULL, NULL, 0);
	return err == -EAGAIN ? 1 : err;
}

void keeper_store_quarantine(struct keeper_store *s, uint32_t key)
{
	struct keeper_thing *t = key < KEEPER_KEYS ? s->things[key] : NULL;

	if (!t)
		return;
	t->flags |= KEEPER_QUARANTINED;
	write_thing(s, t);
}

const char *keeper_store_name(const struct keeper_store *s, uint32_t key)
{
	return key < KEEPER_KEYS && s->things[key] ? s->things[key]->name : "";
}
