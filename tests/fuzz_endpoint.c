/*
 * Any text as a listener (first byte odd) or a port. What is taken is within
 * its limits; what is refused is so in one line.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "../switch/endpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	char text[1024], why[256] = "";
	struct endpoint e;

	if (len < 1 || len > sizeof(text))
		return 0;
	memcpy(text, bytes + 1, len - 1);
	text[len - 1] = '\0';
	/* Looking groups up is the library's work, and slow. */
	if (strstr(text, "group="))
		return 0;
	if (endpoint_parse(bytes[0] & 1 ? ENDPOINT_LISTENER : ENDPOINT_PORT,
			   text, &e, why, sizeof(why))) {
		assert(*why);
		return 0;
	}
	assert(memchr(e.argument, 0, sizeof(e.argument)) && *e.argument);
	assert(memchr(e.remote, 0, sizeof(e.remote)));
	assert(memchr(e.name, 0, sizeof(e.name)));
	assert(!*e.name || endpoint_name_is_good(e.name));
	assert(e.kind < ENDPOINT_KIND_COUNT);
	assert(e.mode >= -1 && e.mode <= 0777);
	assert(!e.mtu || (e.mtu >= MTU_MIN && e.mtu <= MTU_MAX));
	assert(e.queue <= PORT_QUEUE_MAX);
	return 0;
}
