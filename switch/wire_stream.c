#include "wire_stream.h"

#include <string.h>

#include "ether.h"
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

enum {
	HEADER_AND_ADDRESSES = STREAM_HEADER_BYTES + 2 * ETHER_ADDR_BYTES,
};

static bool may_be_length(uint32_t len)
{
	return len >= ETHER_HEADER_BYTES && len <= STREAM_FRAME_MAX;
}

static const uint8_t *source(const uint8_t *header)
{
	return header + STREAM_HEADER_BYTES + ETHER_ADDR_BYTES;
}

/* Whether there are a length and a station's address. */
static bool may_begin(const uint8_t *header)
{
	return may_be_length(big_endian(header)) && !(*source(header) & 1);
}

/* Whether what begins at @at, not the last of @n, is followed by what may be
 * another; with @same, by one of the same sender's. */
static bool is_followed(const uint8_t *bytes, uint32_t n, uint32_t at, bool same)
{
	uint32_t next = at + STREAM_HEADER_BYTES + big_endian(bytes + at);

	if (same)
		return next + HEADER_AND_ADDRESSES <= n &&
		       may_begin(bytes + next) &&
		       !memcmp(source(bytes + at), source(bytes + next),
			       ETHER_ADDR_BYTES);
	return next + STREAM_HEADER_BYTES > n ||
	       may_be_length(big_endian(bytes + next));
}

int32_t stream_find(const uint8_t *bytes, uint32_t n,
		    bool (*known)(const void *context, uint64_t address),
		    const void *context)
{
	for (uint32_t at = 0; at + HEADER_AND_ADDRESSES <= n; at++) {
		if (!may_begin(bytes + at))
			continue;
		if (known(context, ether_addr(source(bytes + at)))
			    ? is_followed(bytes, n, at, false)
			    : is_followed(bytes, n, at, true))
			return (int32_t)at;
		if (!at && STREAM_HEADER_BYTES + big_endian(bytes) == n)
			return 0;
	}
	return -1;
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
