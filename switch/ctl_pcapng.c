#include "ctl_pcapng.h"

#include <stdlib.h>
#include <string.h>

enum {
	SECTION = 0x0a0d0d0a,
	INTERFACE = 1,
	STATISTICS = 5,
	PACKET = 6,
	ORDER_MAGIC = 0x1a2b3c4d,

	/* Of a block: type and length in front, the length again behind. */
	HEAD_BYTES = 8,
	TAIL_BYTES = 4,

	OPTION_COMMENT = 1,
	OPTION_IF_NAME = 2,
	OPTION_IF_TSRESOL = 9,
	OPTION_EPB_FLAGS = 2,
	OPTION_ISB_IFDROP = 5,

	INTERFACES_MAX = 1 << 20,
};

static uint16_t u16(const uint8_t *at)
{
	uint16_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static uint32_t u32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

int64_t seen_block(const uint8_t *at, size_t bytes)
{
	uint32_t all;

	if (bytes < HEAD_BYTES)
		return 0;
	all = u32(at + 4);
	if (all < HEAD_BYTES + TAIL_BYTES || all % 4 || all > BLOCK_MAX)
		return -1;
	if (bytes < all)
		return 0;
	return u32(at + all - TAIL_BYTES) == all ? (int64_t)all : -1;
}

/* Options of a block: from @at to @end. */
struct options_at {
	const uint8_t *at, *end;
};

/* The next option; false: there is none, or it does not fit its block. */
static bool next_option(struct options_at *o, unsigned *code,
			const uint8_t **value, size_t *bytes)
{
	size_t left = (size_t)(o->end - o->at), padded;

	if (left < 4)
		return false;
	*code = u16(o->at);
	*bytes = u16(o->at + 2);
	*value = o->at + 4;
	padded = (*bytes + 3) & ~(size_t)3;
	if (!*code || padded > left - 4)
		return false;
	o->at += 4 + padded;
	return true;
}

/* Seconds of a tick: a power of ten, or of two if the highest bit is set. */
static double tick(uint8_t resolution)
{
	double seconds = 1;

	for (unsigned i = resolution & 0x7f; i; i--)
		seconds /= resolution & 0x80 ? 2 : 10;
	return seconds;
}

static enum seen_kind add_interface(struct seen *s, struct options_at options)
{
	struct seen_interface added = { .tick_s = 1e-6 }, *more;
	const uint8_t *value;
	unsigned code;
	size_t bytes;

	if (s->count == INTERFACES_MAX)
		return SEEN_BAD;
	while (next_option(&options, &code, &value, &bytes))
		if (code == OPTION_IF_NAME && !added.name)
			added.name = strndup((const char *)value, bytes);
		else if (code == OPTION_IF_TSRESOL && bytes == 1)
			added.tick_s = tick(*value);
	if (!added.name)
		added.name = strdup("");
	more = added.name ? realloc(s->interfaces, (s->count + 1) * sizeof(*more))
			  : NULL;
	if (!more) {
		free(added.name);
		return SEEN_BAD;
	}
	s->interfaces = more;
	more[s->count++] = added;
	return SEEN_OTHER;
}

static enum seen_kind add_statistics(struct seen *s, struct options_at options)
{
	const uint8_t *value;
	uint64_t frames;
	unsigned code;
	size_t bytes;

	while (next_option(&options, &code, &value, &bytes))
		if (code == OPTION_ISB_IFDROP && bytes == sizeof(frames)) {
			memcpy(&frames, value, sizeof(frames));
			s->dropped += frames;
		}
	s->counted = true;
	return SEEN_OTHER;
}

static enum seen_kind add_frame(struct seen *s, const uint8_t *body,
				const uint8_t *end, struct seen_frame *to)
{
	struct options_at options;
	const uint8_t *value;
	uint32_t interface = u32(body), captured = u32(body + 12);
	size_t room = (size_t)(end - body) - 20, bytes;
	unsigned code;

	if (interface >= s->count || captured > room)
		return SEEN_BAD;
	*to = (struct seen_frame){
		.port = s->interfaces[interface].name,
		.time = ((double)u32(body + 4) * 4294967296. + u32(body + 8)) *
			s->interfaces[interface].tick_s,
		.data = body + 20,
		.captured = captured,
		.bytes = u32(body + 16),
	};
	options.at = body + 20 + ((captured + 3) & ~3u);
	options.end = end;
	while (options.at < end && next_option(&options, &code, &value, &bytes))
		if (code == OPTION_EPB_FLAGS && bytes == 4)
			to->direction = u32(value) & 3;
		else if (code == OPTION_COMMENT && bytes < sizeof(to->comment))
			memcpy(to->comment, value, bytes);
	s->frames++;
	return SEEN_FRAME;
}

enum seen_kind seen_add(struct seen *s, const uint8_t *at, size_t bytes,
			struct seen_frame *to)
{
	const uint8_t *body = at + HEAD_BYTES, *end = at + bytes - TAIL_BYTES;
	size_t size = (size_t)(end - body);

	switch (u32(at)) {
	case SECTION:
		return size >= 16 && u32(body) == ORDER_MAGIC ? SEEN_OTHER
							     : SEEN_BAD;
	case INTERFACE:
		if (size < 8)
			return SEEN_BAD;
		return add_interface(s, (struct options_at){ body + 8, end });
	case STATISTICS:
		if (size < 12)
			return SEEN_BAD;
		return add_statistics(s, (struct options_at){ body + 12, end });
	case PACKET:
		return size < 20 ? SEEN_BAD : add_frame(s, body, end, to);
	default:
		return SEEN_OTHER;
	}
}

void seen_fini(struct seen *s)
{
	for (size_t i = 0; i < s->count; i++)
		free(s->interfaces[i].name);
	free(s->interfaces);
	*s = (struct seen){ 0 };
}
