#include "handover_record.h"

#include <string.h>


static bool ends(const char *text, size_t bytes)
{
	return memchr(text, '\0', bytes);
}

static bool file_is_sound(const struct file_record *f)
{
	return ends(f->path, sizeof(f->path)) &&
	       (!*f->path || *f->path == '/');
}

static bool settings_are_sound(const struct port_settings *s)
{
	return !(s->flags & PORT_OBSERVED) && s->queue >= 1 &&
	       s->queue <= PORT_QUEUE_MAX &&
	       ends(s->mirror_name, sizeof(s->mirror_name)) &&
	       (!*s->mirror_name || endpoint_name_is_good(s->mirror_name));
}

static bool addresses_are_sound(const struct port_record *r)
{
	return r->own_bytes <= sizeof(r->own) &&
	       r->guest_bytes <= sizeof(r->guest);
}

static bool texts_end(const struct port_record *r)
{
	return ends(r->name, sizeof(r->name)) &&
	       ends(r->description, sizeof(r->description)) &&
	       ends(r->where, sizeof(r->where));
}

bool port_record_read(const void *record, size_t bytes, struct port_record *to)
{
	if (bytes < sizeof(*to))
		return false;
	memcpy(to, record, sizeof(*to));
	return to->version == HANDOVER_VERSION &&
	       (bytes == sizeof(*to) || to->kind == RECORD_TAP) &&
	       to->kind < RECORD_KIND_COUNT && !(to->flags & ~RECORD_ALL) &&
	       to->number <= PORTS_MAX &&
	       to->endpoint < (to->flags & RECORD_LISTENER ? LISTENERS_MAX
							   : STATIC_PORTS_MAX) &&
	       to->request_bytes <= sizeof(to->request) && texts_end(to) &&
	       (to->flags & RECORD_JOINING ||
		endpoint_name_is_good(to->name)) &&
	       addresses_are_sound(to) && settings_are_sound(&to->settings) &&
	       file_is_sound(&to->file);
}

bool port_record_fits(const struct port_record *r, enum endpoint_kind kind)
{
	/* Bits of the kinds of records that each may have. */
	static const uint8_t may[ENDPOINT_KIND_COUNT] = {
		[LISTEN_UML] = 1 << RECORD_UML,
		[LISTEN_VDE] = 1 << RECORD_UML,
		[LISTEN_BESS] = 1 << RECORD_BESS,
		[LISTEN_STREAM] = 1 << RECORD_STREAM,
		[LISTEN_FD] = 1 << RECORD_UML | 1 << RECORD_BESS |
			      1 << RECORD_STREAM,
		[PORT_TAP] = 1 << RECORD_TAP,
		[PORT_DGRAM] = 1 << RECORD_DGRAM,
		[PORT_CONNECT_STREAM] = 1 << RECORD_STREAM,
		[PORT_CONNECT_BESS] = 1 << RECORD_BESS,
		[PORT_FD] = 1 << RECORD_BESS | 1 << RECORD_STREAM |
			    1 << RECORD_DGRAM | 1 << RECORD_TAP,
	};
	bool listener = endpoint_role(kind) == ENDPOINT_LISTENER;

	return may[kind] & 1 << r->kind &&
	       listener == !!(r->flags & RECORD_LISTENER) &&
	       (!(r->flags & RECORD_JOINING) || r->kind == RECORD_UML);
}

bool listener_record_read(const void *record, size_t bytes,
			  struct listener_record *to)
{
	if (bytes != sizeof(*to))
		return false;
	memcpy(to, record, sizeof(*to));
	return to->version == HANDOVER_VERSION && to->serves <= LISTEN_STREAM &&
	       file_is_sound(&to->file) &&
	       ends(to->made_directory, sizeof(to->made_directory));
}

const char *handover_endpoint_next(const char *at, const char *end,
				   bool *listener, unsigned *number,
				   const char **text)
{
	const char *nul = at < end ? memchr(at, '\0', (size_t)(end - at)) : NULL;
	unsigned limit;

	if (!nul || (*at != 'L' && *at != 'P'))
		return NULL;
	*listener = *at == 'L';
	limit = *listener ? LISTENERS_MAX : STATIC_PORTS_MAX;
	*number = 0;
	for (at++; *at >= '0' && *at <= '9'; at++) {
		*number = *number * 10 + (unsigned)(*at - '0');
		if (*number >= limit)
			return NULL;
	}
	if (*at != ' ')
		return NULL;
	*text = at + 1;
	return nul + 1;
}
