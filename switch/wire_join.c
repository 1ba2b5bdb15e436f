#include "wire_join.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

static_assert(sizeof(struct sockaddr_un) == 110, "2 of family, 108 of path");
static_assert((int)JOIN_VDE_BYTES_MAX < (int)JOIN_BYTES, "one too long is seen to be");

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

/* What is fit to be shown on a terminal and within quotes. */
static void copy_description(char *to, const uint8_t *from, size_t len)
{
	size_t i;

	for (i = 0; i < len && from[i]; i++) {
		bool plain = from[i] >= ' ' && from[i] <= '~' &&
			     from[i] != '"' && from[i] != '\\';

		to[i] = plain ? (char)from[i] : '_';
	}
	to[i] = '\0';
}

static enum join_verdict parse_vde(const uint8_t *bytes, size_t len,
				   struct join_request *found,
				   const char **why)
{
	uint32_t type = word(bytes, TYPE_AT);

	if ((type & 0xff) > 1)
		return bad(why, "request type other than 0 and 1, a new port");
	if (type >> 8 > PORTS_MAX)
		return bad(why, "port number above 4096");
	found->vde = true;
	found->number = (uint16_t)(type >> 8);
	copy_description(found->description, bytes + JOIN_VDE_BYTES_MIN,
			 len - JOIN_VDE_BYTES_MIN);
	return JOIN_OK;
}

static enum join_verdict parse_uml(const uint8_t *bytes, size_t len,
				   const struct join_request *found,
				   const char **why)
{
	if (len > JOIN_REQUEST_BYTES)
		return bad(why, "request longer than 124 bytes");
	if (len < JOIN_REQUEST_BYTES)
		return JOIN_MORE;
	if (word(bytes, VERSION_AT) == 3 && word(bytes, TYPE_AT) != 0)
		return bad(why, "request type other than 0, a new port");
	return has_name(&found->addr) ? JOIN_OK : bad(why, "empty address");
}

enum join_verdict join_parse(const uint8_t *bytes, size_t len,
			     struct join_request *request, const char **why)
{
	struct join_request found = { .vde = false };
	enum join_verdict verdict;
	uint32_t version;
	size_t addr_at;

	if (!magic_matches(bytes, len))
		return bad(why, "no magic number: no UML guest or VDE client (a QEMU stream? --listen stream:PATH)");
	if (len < TYPE_AT)
		return JOIN_MORE;
	version = word(bytes, VERSION_AT);
	if (version != 0 && version != 3)
		return bad(why, "protocol version other than 1 and 3");
	if (len > JOIN_VDE_BYTES_MAX)
		return bad(why, "request longer than 249 bytes");
	addr_at = version == 3 ? V3_ADDR_AT : V1_ADDR_AT;
	if (len < addr_at + sizeof(found.addr))
		return JOIN_MORE;
	memcpy(&found.addr, bytes + addr_at, sizeof(found.addr));
	if (found.addr.sun_family != AF_UNIX)
		return bad(why, "address family other than AF_UNIX");
	verdict = version == 3 && found.addr.sun_path[0]
			  ? parse_vde(bytes, len, &found, why)
			  : parse_uml(bytes, len, &found, why);
	if (verdict == JOIN_OK)
		*request = found;
	return verdict;
}
