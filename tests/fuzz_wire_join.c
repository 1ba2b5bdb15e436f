/*
 * Any bytes as a request to join. Whatever comes: a verdict, and on JOIN_OK
 * only what may be shown and used.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "../switch/wire_join.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct join_request request;
	const char *why = NULL;
	enum join_verdict verdict;

	if (len > JOIN_BYTES)
		return 0;
	verdict = join_parse(bytes, len, &request, &why);
	assert((verdict == JOIN_BAD) == (why != NULL));
	if (verdict != JOIN_OK)
		return 0;
	assert(request.addr.sun_family == AF_UNIX);
	assert(request.number <= PORTS_MAX);
	assert(memchr(request.description, 0, sizeof(request.description)));
	for (const char *c = request.description; *c; c++)
		assert(*c >= ' ' && *c <= '~' && *c != '"' && *c != '\\');
	return 0;
}
