/*
 * Any bytes as what is kept of a port (first byte 0 modulo 4), of a listener (1),
 * as a list of endpoints (2), or as a job for the opener (3). What is taken has
 * texts that end and numbers within their limits.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "../switch/endpoint.h"
#include "../switch/handover_record.h"
#include "../switch/opener_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void port(const uint8_t *bytes, size_t len)
{
	static struct port_record r;

	if (!port_record_read(bytes, len, &r))
		return;
	assert(len >= sizeof(r) && !memcmp(bytes, &r, sizeof(r)));
	assert(strlen(r.name) < sizeof(r.name));
	assert(strlen(r.description) < sizeof(r.description));
	assert(strlen(r.file.path) < sizeof(r.file.path));
	assert(r.own_bytes <= sizeof(struct sockaddr_un));
	assert(r.guest_bytes <= sizeof(struct sockaddr_un));
	assert(r.request_bytes <= JOIN_BYTES && r.kind < RECORD_KIND_COUNT);
	assert(r.settings.queue <= PORT_QUEUE_MAX);
}

static void listener(const uint8_t *bytes, size_t len)
{
	static struct listener_record r;

	if (!listener_record_read(bytes, len, &r))
		return;
	assert(strlen(r.made_directory) < sizeof(r.made_directory));
	assert(!r.file.path[0] || r.file.path[0] == '/');
}

static void endpoints(const uint8_t *bytes, size_t len)
{
	const char *at = (const char *)bytes, *end = at + len, *text;
	bool is_listener;
	unsigned number;

	while ((at = handover_endpoint_next(at, end, &is_listener, &number,
					    &text))) {
		assert(text > (const char *)bytes && at <= end);
		assert(text + strlen(text) + 1 == at);
		assert(number < (is_listener ? LISTENERS_MAX
					     : STATIC_PORTS_MAX));
	}
}

static void job(const uint8_t *bytes, size_t len)
{
	static struct opener_job j;

	if (len < 1)
		return;
	memset(&j, 0, sizeof(j));
	memcpy(&j, bytes + 1, len - 1 < sizeof(j) ? len - 1 : sizeof(j));
	if (!opener_wire_check(&j, bytes[0]))
		return;
	assert(j.what < OPENER_WHAT_COUNT && bytes[0] <= OPENER_FDS_MAX);
	assert((unsigned)j.endpoint.kind < ENDPOINT_KIND_COUNT);
	assert(strlen(j.endpoint.argument) < sizeof(j.endpoint.argument));
	assert(strlen(j.file.path) < sizeof(j.file.path));
	assert(j.filter.bytes <= FILTER_RECORD_BYTES);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static void (*const as[])(const uint8_t *, size_t) = {
		port, listener, endpoints, job,
	};

	if (len)
		as[bytes[0] % 4](bytes + 1, len - 1);
	return 0;
}
