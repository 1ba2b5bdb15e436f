/*
 * Reading pcapng as a switch writes it (draft-ietf-opsawg-pcapng): which blocks
 * there are, and what is in those that somebody wants to see. Pure. What is not
 * as it should be is refused; what is not known is passed over.
 */
#ifndef CTL_PCAPNG_H
#define CTL_PCAPNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BLOCK_MAX = 1 << 22 };

struct seen_interface {
	char *name; /* "" if it has none */
	double tick_s;
};

/* What is known of a file so far. Starts out as zeros. */
struct seen {
	struct seen_interface *interfaces;
	size_t count;
	uint64_t frames;
	uint64_t dropped; /* copies, of all interfaces: no room for them */
	bool counted;	  /* there were statistics: the end */
};

enum seen_kind { SEEN_BAD = -1, SEEN_OTHER, SEEN_FRAME };

struct seen_frame {
	const char *port;
	double time; /* seconds since 1970 */
	unsigned direction; /* 1: in, 2: out, 0: not said */
	const uint8_t *data;
	uint32_t captured, bytes;
	char comment[128]; /* "" if it has none */
};

/* Bytes of the block at the beginning of @bytes bytes at @at; 0: more have to
 * come; -1: that is no pcapng. */
int64_t seen_block(const uint8_t *at, size_t bytes);

/* Take in the whole block at @at; @to only if that says SEEN_FRAME, and then
 * it points into the block and @s. */
enum seen_kind seen_add(struct seen *s, const uint8_t *at, size_t bytes,
			struct seen_frame *to);

void seen_fini(struct seen *s);

#endif
