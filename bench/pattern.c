/* Frames whose every byte can be checked. See pattern.h for the layout. */
#include "pattern.h"

#include <stdbool.h>
#include <string.h>

enum {
	SRC_OFFSET = 6,
	TYPE_OFFSET = 12,
	FLOW_OFFSET = 14,
	SEQ_OFFSET = 18,
	DUE_OFFSET = 26,
	OFFERED_OFFSET = 34,
	WORDS_OFFSET = 42,
};

/* Odd constants, so that neighbouring frames and words share no bytes. */
#define SUM_FACTOR 0x9e3779b97f4a7c15ULL
#define WORD_STEP 0xd1b54a32d192ed03ULL

const uint8_t mac_broadcast[MAC_BYTES] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

void pattern_mac(uint8_t mac[MAC_BYTES], uint8_t group, uint32_t number)
{
	mac[0] = MAC_LOCAL;
	mac[1] = group;
	mac[2] = (uint8_t)(number >> 24);
	mac[3] = (uint8_t)(number >> 16);
	mac[4] = (uint8_t)(number >> 8);
	mac[5] = (uint8_t)number;
}

/* Over the length and the bytes in front of the words. The last step begins some
 * bytes early, since these are not a multiple of eight. */
static uint64_t sum_of(const uint8_t *frame, size_t len)
{
	uint64_t sum = len * SUM_FACTOR;
	uint64_t word;

	for (size_t at = 0; at < WORDS_OFFSET; at += sizeof(word)) {
		const size_t from = at < OFFERED_OFFSET ? at : OFFERED_OFFSET;

		memcpy(&word, frame + from, sizeof(word));
		sum = (sum ^ word) * SUM_FACTOR;
		sum ^= sum >> 32;
	}
	return sum;
}

static void write_words(uint8_t *frame, size_t len)
{
	uint64_t word = sum_of(frame, len);
	uint8_t *at = frame + WORDS_OFFSET;
	uint8_t *const end = frame + len;

	for (; end - at >= (ptrdiff_t)sizeof(word); at += sizeof(word)) {
		memcpy(at, &word, sizeof(word));
		word += WORD_STEP;
	}
	memcpy(at, &word, (size_t)(end - at));
}

static bool words_are_right(const uint8_t *frame, size_t len)
{
	uint64_t word = sum_of(frame, len);
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

void pattern_write(uint8_t *frame, size_t len, const uint8_t dst[MAC_BYTES],
		   const uint8_t src[MAC_BYTES], uint16_t type,
		   const struct pattern *p)
{
	memcpy(frame, dst, MAC_BYTES);
	memcpy(frame + SRC_OFFSET, src, MAC_BYTES);
	frame[TYPE_OFFSET] = (uint8_t)(type >> 8);
	frame[TYPE_OFFSET + 1] = (uint8_t)type;
	memcpy(frame + FLOW_OFFSET, &p->flow, sizeof(p->flow));
	memcpy(frame + SEQ_OFFSET, &p->seq, sizeof(p->seq));
	memcpy(frame + DUE_OFFSET, &p->due_ns, sizeof(p->due_ns));
	memcpy(frame + OFFERED_OFFSET, &p->offered_ns, sizeof(p->offered_ns));
	write_words(frame, len);
}

static uint16_t type_of(const uint8_t *frame, size_t len)
{
	if (len < FLOW_OFFSET)
		return 0;
	return (uint16_t)(frame[TYPE_OFFSET] << 8 | frame[TYPE_OFFSET + 1]);
}

/* By type or, where that is what was damaged, by source. */
static bool is_ours(const uint8_t *frame, size_t len, uint16_t type)
{
	const uint8_t group = len > SRC_OFFSET + 1 ? frame[SRC_OFFSET + 1] : 0;

	return type == TYPE_TRAFFIC || type == TYPE_ANNOUNCE ||
	       (len > SRC_OFFSET && frame[SRC_OFFSET] == MAC_LOCAL &&
		(group == MAC_PORT || group == MAC_SOURCE));
}

enum pattern_verdict pattern_read(const uint8_t *frame, size_t len,
				  struct pattern *p)
{
	const uint16_t type = type_of(frame, len);

	if (!is_ours(frame, len, type))
		return PATTERN_FOREIGN;
	if (len < FRAME_MIN_BYTES || !words_are_right(frame, len))
		return PATTERN_CORRUPT;
	memcpy(&p->flow, frame + FLOW_OFFSET, sizeof(p->flow));
	memcpy(&p->seq, frame + SEQ_OFFSET, sizeof(p->seq));
	memcpy(&p->due_ns, frame + DUE_OFFSET, sizeof(p->due_ns));
	memcpy(&p->offered_ns, frame + OFFERED_OFFSET, sizeof(p->offered_ns));
	return type == TYPE_TRAFFIC ? PATTERN_GOOD : PATTERN_ANNOUNCE;
}
