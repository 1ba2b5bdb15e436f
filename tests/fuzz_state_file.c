/*
 * Any bytes as a slot of a state file. With an odd first byte the checksum is put
 * right, so that what is behind it is reached. What a slot says is said again by
 * one that is written from it.
 */
#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "../switch/state_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* FNV-1a over what state_slot.c has it over. */
static void mend_checksum(uint8_t slot[STATE_SLOT_BYTES])
{
	size_t end = 16 + 12 + KEEPER_NAME_BYTES + KEEPER_RECORD_BYTES;
	uint64_t sum = 0xcbf29ce484222325;

	for (size_t i = 16; i < (end + 7) / 8 * 8; i++)
		sum = (sum ^ slot[i]) * 0x100000001b3;
	memcpy(slot + 8, &sum, sizeof(sum));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static uint8_t slot[STATE_SLOT_BYTES], again[STATE_SLOT_BYTES];
	struct state_record r, back;
	int got, head;

	if (!len || len - 1 > sizeof(slot))
		return 0;
	memset(slot, 0, sizeof(slot));
	memcpy(slot, bytes + 1, len - 1);
	if (bytes[0] & 1)
		mend_checksum(slot);
	head = state_slot_read_head(slot, "boot");
	assert(head == 0 || head == 1 || head == -EPROTO);
	got = state_slot_read(slot, &r);
	assert(got == 0 || got == 1 || got == -EPROTO);
	if (got != 1)
		return 0;
	assert(r.key < KEEPER_KEYS && r.bytes <= KEEPER_RECORD_BYTES);
	assert(strlen(r.name) < KEEPER_NAME_BYTES);
	state_slot_write(again, &r);
	assert(state_slot_read(again, &back) == 1);
	assert(back.key == r.key && back.flags == r.flags &&
	       back.bytes == r.bytes && !strcmp(back.name, r.name) &&
	       !memcmp(back.record, r.record, r.bytes));
	return 0;
}
