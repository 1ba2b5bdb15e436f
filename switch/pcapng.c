#include "pcapng.h"

#include <assert.h>
#include <string.h>

enum {
	BLOCK_INTERFACE = 1,
	BLOCK_STATISTICS = 5,
	BLOCK_PACKET = 6,
	BLOCK_SECTION = 0x0a0d0d0a,

	BYTE_ORDER_MAGIC = 0x1a2b3c4d,
	LINKTYPE_ETHERNET = 1,
	NANOSECONDS = 9, /* 10^-9 s */

	/* Both lengths of a block, and its type. */
	BLOCK_BYTES = 12,
	PACKET_BYTES = 20, /* in front of the frame */
	OPTION_BYTES = 4,  /* code and length */
};

/* What an option is depends on the block it is in, but for the first two. */
enum {
	END_OF_OPTIONS = 0,
	COMMENT = 1,
	SECTION_APPLICATION = 4,
	INTERFACE_NAME = 2,
	INTERFACE_DESCRIPTION = 3,
	INTERFACE_RESOLUTION = 9,
	PACKET_FLAGS = 2,
	STATISTICS_RECEIVED = 4,
	STATISTICS_DROPPED = 5,
};

/*
 * A block in the making. What does not fit is counted and not written, so that
 * only the end of the block asks whether it fits.
 */
struct block {
	uint8_t *to;
	size_t room, used;
};

static void put(struct block *b, const void *bytes, size_t n)
{
	if (b->used <= b->room && n <= b->room - b->used && n)
		memcpy(b->to + b->used, bytes, n);
	b->used += n;
}

static void put16(struct block *b, uint16_t value)
{
	put(b, &value, sizeof(value));
}

static void put32(struct block *b, uint32_t value)
{
	put(b, &value, sizeof(value));
}

static void put_time(struct block *b, uint64_t time_ns)
{
	put32(b, (uint32_t)(time_ns >> 32));
	put32(b, (uint32_t)time_ns);
}

static size_t padding(size_t bytes)
{
	return -bytes & 3;
}

static void put_padded(struct block *b, const void *bytes, size_t n)
{
	put(b, bytes, n);
	put(b, "\0\0\0", padding(n));
}

static void put_option(struct block *b, uint16_t code, const void *value,
		       size_t bytes)
{
	put16(b, code);
	put16(b, (uint16_t)bytes);
	put_padded(b, value, bytes);
}

static size_t fitting(const char *text)
{
	size_t n = strnlen(text, UINT16_MAX + 1);

	if (n <= UINT16_MAX)
		return n;
	/* Back to the beginning of the character that would be cut in two. */
	for (n = UINT16_MAX; n && ((uint8_t)text[n] & 0xc0) == 0x80; n--)
		;
	return n;
}

static void put_text(struct block *b, uint16_t code, const char *text)
{
	put_option(b, code, text, fitting(text));
}

static struct block block_begin(uint8_t *to, size_t room, uint32_t type)
{
	struct block b = { .to = to, .room = room };

	put32(&b, type);
	put32(&b, 0); /* the length, when it is known */
	return b;
}

/* Returns what the writers return. */
static size_t block_end(struct block *b)
{
	uint32_t length = (uint32_t)(b->used + sizeof(length));

	put32(b, length);
	if (b->used > b->room || b->used != length)
		return 0;
	memcpy(b->to + sizeof(uint32_t), &length, sizeof(length));
	return b->used;
}

size_t pcapng_section(uint8_t *to, size_t room, const char *application)
{
	struct block b = block_begin(to, room, BLOCK_SECTION);
	const int64_t length_unknown = -1;

	put32(&b, BYTE_ORDER_MAGIC);
	put16(&b, 1); /* version 1.0 */
	put16(&b, 0);
	put(&b, &length_unknown, sizeof(length_unknown));
	put_text(&b, SECTION_APPLICATION, application);
	put32(&b, END_OF_OPTIONS);
	return block_end(&b);
}

size_t pcapng_interface(uint8_t *to, size_t room, const char *name,
			const char *description, uint32_t snaplen)
{
	struct block b = block_begin(to, room, BLOCK_INTERFACE);
	const uint8_t resolution = NANOSECONDS;

	put16(&b, LINKTYPE_ETHERNET);
	put16(&b, 0);
	put32(&b, snaplen);
	put_text(&b, INTERFACE_NAME, name);
	if (*description)
		put_text(&b, INTERFACE_DESCRIPTION, description);
	put_option(&b, INTERFACE_RESOLUTION, &resolution, sizeof(resolution));
	put32(&b, END_OF_OPTIONS);
	return block_end(&b);
}

size_t pcapng_packet(uint8_t *to, size_t room, const struct pcapng_packet *p)
{
	struct block b = block_begin(to, room, BLOCK_PACKET);
	const uint32_t flags = p->direction;

	assert(p->captured <= p->bytes);
	put32(&b, p->interface);
	put_time(&b, p->time_ns);
	put32(&b, p->captured);
	put32(&b, p->bytes);
	put_padded(&b, p->data, p->captured);
	if (flags)
		put_option(&b, PACKET_FLAGS, &flags, sizeof(flags));
	if (p->comment && *p->comment)
		put_text(&b, COMMENT, p->comment);
	put32(&b, END_OF_OPTIONS);
	return block_end(&b);
}

size_t pcapng_statistics(uint8_t *to, size_t room, uint32_t interface,
			 uint64_t time_ns, uint64_t received, uint64_t dropped)
{
	struct block b = block_begin(to, room, BLOCK_STATISTICS);

	put32(&b, interface);
	put_time(&b, time_ns);
	put_option(&b, STATISTICS_RECEIVED, &received, sizeof(received));
	put_option(&b, STATISTICS_DROPPED, &dropped, sizeof(dropped));
	put32(&b, END_OF_OPTIONS);
	return block_end(&b);
}

size_t pcapng_packet_bytes(uint32_t captured, size_t comment_bytes)
{
	size_t comment = comment_bytes < UINT16_MAX ? comment_bytes : UINT16_MAX;

	return BLOCK_BYTES + PACKET_BYTES + captured + padding(captured) +
	       OPTION_BYTES + sizeof(uint32_t) + /* the direction */
	       OPTION_BYTES + comment + padding(comment) + OPTION_BYTES;
}
