#include "wire_join.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

static_assert(sizeof(struct sockaddr_un) == 110, "2 of family, 108 of path");

enum {
	VERSION_AT = 4,
	TYPE_AT = 8,
	V1_ADDR_AT = 14,
	V3_ADDR_AT = 12,
};

static uint32_t word(const uint8_t *bytes, size_t at)
{
	uint32_t value;

	memcpy(&value, bytes + at, sizeof(value));
	return value;
}

static enum join_verdict bad(const char **why, const char *what)
{
	*why = what;
	return JOIN_BAD;
}

/* Whether what there is of the magic number is right. */
static bool magic_matches(const uint8_t *bytes, size_t len)
{
	uint32_t magic = JOIN_MAGIC;

	return !memcmp(bytes, &magic, len < sizeof(magic) ? len : sizeof(magic));
}

static bool has_name(const struct sockaddr_un *addr)
{
	static const char nothing[sizeof(addr->sun_path)];

	return memcmp(addr->sun_path, nothing, sizeof(nothing)) != 0;
}

enum join_verdict join_parse(const uint8_t *bytes, size_t len,
			     struct sockaddr_un *addr, const char **why)
{
	struct sockaddr_un found;
	uint32_t version;

	if (!magic_matches(bytes, len))
		return bad(why, "no magic number: protocol 0 or not a guest");
	if (len < TYPE_AT)
		return JOIN_MORE;
	version = word(bytes, VERSION_AT);
	if (version != 0 && version != 3)
		return bad(why, "protocol version other than 1 and 3");
	if (len > JOIN_REQUEST_BYTES)
		return bad(why, "request longer than 124 bytes");
	if (len < JOIN_REQUEST_BYTES)
		return JOIN_MORE;
	if (version == 3 && word(bytes, TYPE_AT) != 0)
		return bad(why, "request type other than 0, a new port");
	memcpy(&found, bytes + (version == 3 ? V3_ADDR_AT : V1_ADDR_AT),
	       sizeof(found));
	if (found.sun_family != AF_UNIX)
		return bad(why, "address family other than AF_UNIX");
	if (!has_name(&found))
		return bad(why, "empty address");
	*addr = found;
	return JOIN_OK;
}
