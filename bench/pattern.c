/* Frames whose every byte can be checked. See pattern.h for the layout. */
#include "pattern.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	SRC_OFFSET = 6,
	TYPE_OFFSET = 12,
	SEQ_OFFSET = 14,
	STAMP_OFFSET = 22,
	WORDS_OFFSET = 30,
};

/* Odd constants, so that neighbouring frames and words share no bytes. */
#define SEQ_FACTOR 0x9e3779b97f4a7c15ULL
#define WORD_STEP 0xd1b54a32d192ed03ULL

const uint8_t mac_broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

static uint64_t first_word(uint64_t seq, uint64_t stamp_ns)
{
	return seq * SEQ_FACTOR ^ stamp_ns;
}

void pattern_write_header(uint8_t *frame, const uint8_t dst[6],
			  const uint8_t src[6], uint16_t type)
{
	memcpy(frame, dst, 6);
	memcpy(frame + SRC_OFFSET, src, 6);
	frame[TYPE_OFFSET] = (uint8_t)(type >> 8);
	frame[TYPE_OFFSET + 1] = (uint8_t)type;
}

void pattern_write_payload(uint8_t *frame, size_t len, uint64_t seq,
			   uint64_t stamp_ns)
{
	uint64_t word = first_word(seq, stamp_ns);
	uint8_t *at = frame + WORDS_OFFSET;
	uint8_t *const end = frame + len;

	memcpy(frame + SEQ_OFFSET, &seq, sizeof(seq));
	memcpy(frame + STAMP_OFFSET, &stamp_ns, sizeof(stamp_ns));
	for (; end - at >= (ptrdiff_t)sizeof(word); at += sizeof(word)) {
		memcpy(at, &word, sizeof(word));
		word += WORD_STEP;
	}
	memcpy(at, &word, (size_t)(end - at));
}

bool pattern_is_from(const uint8_t *frame, size_t len, const uint8_t src[6],
		     uint16_t type)
{
	return len >= FRAME_MIN_BYTES &&
	       memcmp(frame + SRC_OFFSET, src, 6) == 0 &&
	       frame[TYPE_OFFSET] == type >> 8 &&
	       frame[TYPE_OFFSET + 1] == (uint8_t)type;
}

static bool payload_is_intact(const uint8_t *frame, size_t len, uint64_t seq,
			      uint64_t stamp_ns)
{
	uint64_t word = first_word(seq, stamp_ns);
	uint64_t differing_bits = 0;
	const uint8_t *at = frame + WORDS_OFFSET;
	const uint8_t *const end = frame + len;

	for (; end - at >= (ptrdiff_t)sizeof(word); at += sizeof(word)) {
		uint64_t got;

		memcpy(&got, at, sizeof(got));
		differing_bits |= got ^ word;
		word += WORD_STEP;
	}
	return !differing_bits && !memcmp(at, &word, (size_t)(end - at));
}

int tally_init(struct tally *t)
{
	*t = (struct tally){ 0 };
	t->seen = calloc(PATTERN_MAX_FRAMES / 8, 1);
	return t->seen ? 0 : -ENOMEM;
}

void tally_fini(struct tally *t)
{
	free(t->seen);
	t->seen = NULL;
}

static bool enter_seq(struct tally *t, uint64_t seq)
{
	uint8_t *byte = &t->seen[seq / 8];
	const uint8_t bit = (uint8_t)(1U << (seq % 8));

	if (*byte & bit) {
		t->duplicated++;
		return false;
	}
	*byte |= bit;
	t->delivered++;
	if (seq < t->next_seq)
		t->reordered++;
	else
		t->next_seq = seq + 1;
	return true;
}

bool tally_enter(struct tally *t, const uint8_t *frame, size_t len,
		 size_t expected_len, uint64_t *stamp_ns)
{
	uint64_t seq, stamp;

	if (len < SEQ_OFFSET || frame[TYPE_OFFSET] != TYPE_TRAFFIC >> 8 ||
	    frame[TYPE_OFFSET + 1] != (TYPE_TRAFFIC & 0xff)) {
		t->foreign++;
		return false;
	}
	if (len != expected_len) {
		t->corrupt++;
		return false;
	}
	memcpy(&seq, frame + SEQ_OFFSET, sizeof(seq));
	memcpy(&stamp, frame + STAMP_OFFSET, sizeof(stamp));
	if (seq >= PATTERN_MAX_FRAMES ||
	    !payload_is_intact(frame, len, seq, stamp)) {
		t->corrupt++;
		return false;
	}
	if (!enter_seq(t, seq))
		return false;
	*stamp_ns = stamp;
	return true;
}
