/*
 * Any bytes as a stream of frames. The first byte says how it is split; the
 * same bytes in one piece must give the same frames.
 */
#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "../switch/limits.h"
#include "../switch/wire_stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* What came out, in short: lengths, bytes and how it ended. */
struct digest {
	uint64_t sum;
	unsigned frames;
	bool bad;
};

static void take(struct digest *d, const struct stream_piece *piece)
{
	assert(piece->len <= piece->frame_len - piece->offset);
	assert(piece->frame_len <= STREAM_FRAME_MAX);
	assert(piece->last == (piece->offset + piece->len == piece->frame_len));
	for (uint32_t i = 0; i < piece->len; i++)
		d->sum = (d->sum ^ piece->bytes[i]) * 1099511628211u;
	if (piece->last) {
		d->sum = (d->sum ^ piece->frame_len) * 1099511628211u;
		d->frames++;
	}
}

static struct digest parse(const uint8_t *bytes, size_t len, size_t step)
{
	struct stream_parser parser = { 0 };
	struct digest d = { 0 };
	struct stream_piece piece;

	for (size_t at = 0; at < len && !d.bad; at += step) {
		const uint8_t *next = bytes + at;
		const uint8_t *end = len - at < step ? bytes + len : next + step;
		enum stream_verdict verdict;

		while ((verdict = stream_next(&parser, &next, end, &piece)) ==
		       STREAM_PIECE)
			take(&d, &piece);
		d.bad = verdict == STREAM_BAD;
		assert(d.bad || next == end);
	}
	return d;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct digest split, whole;

	if (len < 2)
		return 0;
	split = parse(bytes + 1, len - 1, bytes[0] ? bytes[0] : 256);
	whole = parse(bytes + 1, len - 1, len);
	assert(split.sum == whole.sum && split.frames == whole.frames &&
	       split.bad == whole.bad);
	return 0;
}
