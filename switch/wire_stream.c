#include "wire_stream.h"

#include <string.h>

#include "limits.h"

static uint32_t big_endian(const uint8_t *b)
{
	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 |
	       (uint32_t)b[2] << 8 | b[3];
}

void stream_header(uint8_t header[STREAM_HEADER_BYTES], uint32_t len)
{
	header[0] = (uint8_t)(len >> 24);
	header[1] = (uint8_t)(len >> 16);
	header[2] = (uint8_t)(len >> 8);
	header[3] = (uint8_t)len;
}

static uint32_t at_most(uint32_t wanted, const uint8_t *at, const uint8_t *end)
{
	return end - at < (long)wanted ? (uint32_t)(end - at) : wanted;
}

/* Whether the header is complete now. */
static bool take_header(struct stream_parser *s, const uint8_t **at,
			const uint8_t *end)
{
	uint32_t n = at_most(STREAM_HEADER_BYTES - s->header_have, *at, end);

	memcpy(s->header + s->header_have, *at, n);
	s->header_have += n;
	*at += n;
	if (s->header_have < STREAM_HEADER_BYTES)
		return false;
	s->length = big_endian(s->header);
	s->have = 0;
	return true;
}

enum stream_verdict stream_next(struct stream_parser *s, const uint8_t **at,
				const uint8_t *end, struct stream_piece *piece)
{
	if (s->header_have < STREAM_HEADER_BYTES && !take_header(s, at, end))
		return STREAM_MORE;
	if (s->length > STREAM_FRAME_MAX)
		return STREAM_BAD;
	if (s->length && *at == end)
		return STREAM_MORE;
	*piece = (struct stream_piece){
		.bytes = *at,
		.len = at_most(s->length - s->have, *at, end),
		.offset = s->have,
		.frame_len = s->length,
	};
	*at += piece->len;
	s->have += piece->len;
	piece->last = s->have == s->length;
	if (piece->last)
		s->header_have = 0;
	return STREAM_PIECE;
}
