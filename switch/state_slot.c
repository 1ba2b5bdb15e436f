#include <errno.h>
#include <string.h>

#include "state_file.h"

static const char head_magic[8] = "rsstate1", thing_magic[8] = "rsthing1";

/* Both kinds of slots begin like this. */
struct slot {
	char magic[8];
	uint64_t checksum; /* of what is behind it */
	union {
		struct {
			uint32_t key, flags, bytes;
			char name[KEEPER_NAME_BYTES];
			uint8_t record[KEEPER_RECORD_BYTES];
		} thing;
		char boot[STATE_BOOT_BYTES];
	};
};

_Static_assert(sizeof(struct slot) <= STATE_SLOT_BYTES, "fits");

/* FNV-1a: against accidents. Who can write the file needs no accident. */
static uint64_t checksum(const uint8_t slot[STATE_SLOT_BYTES])
{
	uint64_t sum = 0xcbf29ce484222325;

	for (size_t i = offsetof(struct slot, thing); i < sizeof(struct slot); i++)
		sum = (sum ^ slot[i]) * 0x100000001b3;
	return sum;
}

static void seal(uint8_t to[STATE_SLOT_BYTES], struct slot *s,
		 const char magic[8])
{
	memcpy(s->magic, magic, sizeof(s->magic));
	memset(to, 0, STATE_SLOT_BYTES);
	memcpy(to, s, sizeof(*s));
	s->checksum = checksum(to);
	memcpy(to + offsetof(struct slot, checksum), &s->checksum,
	       sizeof(s->checksum));
}

static bool is_sealed(const struct slot *s, const char magic[8],
		      const uint8_t from[STATE_SLOT_BYTES])
{
	return !memcmp(s->magic, magic, sizeof(s->magic)) &&
	       s->checksum == checksum(from);
}

void state_slot_clear(uint8_t slot[STATE_SLOT_BYTES])
{
	memset(slot, 0, STATE_SLOT_BYTES);
}

void state_slot_write(uint8_t slot[STATE_SLOT_BYTES],
		      const struct state_record *r)
{
	struct slot s;

	memset(&s, 0, sizeof(s));
	s.thing.key = r->key;
	s.thing.flags = r->flags;
	s.thing.bytes = r->bytes;
	memcpy(s.thing.name, r->name, sizeof(s.thing.name));
	memcpy(s.thing.record, r->record, r->bytes);
	seal(slot, &s, thing_magic);
}

void state_slot_write_head(uint8_t slot[STATE_SLOT_BYTES], const char *boot)
{
	struct slot s;

	memset(&s, 0, sizeof(s));
	memcpy(s.boot, boot, strnlen(boot, sizeof(s.boot) - 1));
	seal(slot, &s, head_magic);
}

int state_slot_read(const uint8_t slot[STATE_SLOT_BYTES],
		    struct state_record *to)
{
	static const char nothing[sizeof(thing_magic)];
	struct slot s;

	memcpy(&s, slot, sizeof(s));
	if (!memcmp(s.magic, nothing, sizeof(nothing)))
		return 0;
	if (!is_sealed(&s, thing_magic, slot) || s.thing.key >= KEEPER_KEYS ||
	    s.thing.bytes > KEEPER_RECORD_BYTES ||
	    s.thing.flags & ~(uint32_t)(KEEPER_DURABLE | KEEPER_QUARANTINED) ||
	    !memchr(s.thing.name, '\0', sizeof(s.thing.name)))
		return -EPROTO;
	to->key = s.thing.key;
	to->flags = s.thing.flags;
	to->bytes = s.thing.bytes;
	memcpy(to->name, s.thing.name, sizeof(to->name));
	memcpy(to->record, s.thing.record, to->bytes);
	return 1;
}

int state_slot_read_head(const uint8_t slot[STATE_SLOT_BYTES], const char *boot)
{
	struct slot s;

	memcpy(&s, slot, sizeof(s));
	/* But for the digit: ours, of another version, and of no use. */
	if (memcmp(s.magic, head_magic, sizeof(s.magic) - 1))
		return -EPROTO;
	return is_sealed(&s, head_magic, slot) &&
	       !strncmp(s.boot, boot, sizeof(s.boot) - 1) &&
	       !s.boot[sizeof(s.boot) - 1];
}
