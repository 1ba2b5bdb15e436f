/*
 * Frames on a byte stream, each behind its length: u32 big-endian, then as many
 * bytes of frame. That is what QEMU's -netdev stream and -netdev socket speak
 * (QEMU 7.2, net/net.c, net_fill_rstate()), and passt. Pure: bytes in, pieces
 * of frames out, however the bytes were split and joined on their way.
 */
#ifndef WIRE_STREAM_H
#define WIRE_STREAM_H

#include <stdbool.h>
#include <stdint.h>

enum { STREAM_HEADER_BYTES = 4 };

/* Zero is the state at the beginning of a stream. */
struct stream_parser {
	uint8_t header[STREAM_HEADER_BYTES];
	uint32_t header_have; /* bytes of it that have come */
	uint32_t length;      /* of the frame, once the header is complete */
	uint32_t have;	      /* bytes of the frame that have come */
};

struct stream_piece {
	const uint8_t *bytes; /* in what was given, not copied */
	uint32_t len;
	uint32_t offset; /* in the frame */
	uint32_t frame_len;
	bool last; /* the frame is complete */
};

enum stream_verdict {
	STREAM_PIECE, /* @piece is the next piece of a frame */
	STREAM_MORE,  /* all bytes are used up */
	STREAM_BAD,   /* no frame is that long; parser->length says how long */
};

/*
 * Go on at *@at, before @end, and move *@at behind what was used. A frame comes
 * as one piece or as several that follow each other; an empty one as an empty
 * piece. After STREAM_BAD the stream cannot be read any further.
 */
enum stream_verdict stream_next(struct stream_parser *s, const uint8_t **at,
				const uint8_t *end, struct stream_piece *piece);

/* Whether the stream stands between two frames. */
static inline bool stream_at_boundary(const struct stream_parser *s)
{
	return !s->header_have;
}

/*
 * Where in @n @bytes of a stream a frame begins, for somebody who comes into
 * the middle of it: the offset of its length, or -1 if that cannot be said yet
 * and more has to be seen. @known says from which addresses frames come here
 * (as @context tells); where none is known to, several in a row that fit
 * together are taken for frames, or one that is all there is.
 */
int32_t stream_find(const uint8_t *bytes, uint32_t n,
		    bool (*known)(const void *context, uint64_t address),
		    const void *context);

/* What to write in front of a frame of @len bytes. */
void stream_header(uint8_t header[STREAM_HEADER_BYTES], uint32_t len);

#endif
