/*
 * Any bytes as a message between switch and keeper. The first byte says how many
 * descriptors came along and from which side. What is taken for one is within
 * every limit that the keeper's table has.
 */
#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "../switch/keeper_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static struct keeper_message message;
	const char *why = NULL;
	unsigned fd_count;
	bool from_switch;
	int err;

	if (!len || len - 1 > sizeof(message))
		return 0;
	fd_count = bytes[0] & 0x1f;
	from_switch = bytes[0] & 0x80;
	memset(&message, 0xee, sizeof(message));
	memcpy(&message, bytes + 1, len - 1);
	err = keeper_check(&message, len - 1, fd_count, from_switch, &why);
	assert(err == 0 || err == -EPROTO);
	assert(!err == !why);
	if (err)
		return 0;
	assert(message.header.key < KEEPER_SELF);
	assert(message.header.bytes <= KEEPER_RECORD_BYTES);
	assert(sizeof(message.header) + message.header.bytes == len - 1);
	assert(fd_count <= KEEPER_FDS_MAX);
	assert(strlen(message.header.name) < KEEPER_NAME_BYTES);
	assert(from_switch == (message.header.type < KEEPER_WELCOME));
	return 0;
}
