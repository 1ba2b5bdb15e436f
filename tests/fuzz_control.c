/*
 * Any bytes as requests to a control socket, a line each; with an odd first byte
 * to the one that only looks. Whatever a line says, the answer is one line of
 * JSON, which has the request's id and either a result or an error. What the
 * commands do is not done here: each gives back the arguments that it got.
 */
#include <assert.h>
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../switch/capture.h"
#include "../switch/client.h"
#include "../switch/control_commands.h"
#include "../switch/sw.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void echo(struct sw *sw, struct client *c, const json_t *arguments)
{
	(void)sw;
	client_return(c, arguments ? json_deep_copy(arguments) : json_object());
}

#define ECHO(command)                                                          \
	void command(struct sw *sw, struct client *c, const json_t *arguments) \
	{                                                                      \
		echo(sw, c, arguments);                                        \
	}

ECHO(control_version)
ECHO(control_port_show)
ECHO(control_port_add)
ECHO(control_port_set)
ECHO(control_listener_show)
ECHO(control_listener_add)
ECHO(control_listener_del)
ECHO(control_mac_show)
ECHO(control_mac_flush)
ECHO(control_mac_add)
ECHO(control_mac_del)
ECHO(control_stats_show)
ECHO(control_filter_show)
ECHO(control_filter_load)
ECHO(capture_command)
ECHO(control_monitor)
ECHO(control_config_show)
ECHO(control_restart)
ECHO(control_stop)

/* These look for the port, of which there is none. */
static void look(struct sw *sw, struct client *c, const json_t *arguments)
{
	assert(json_is_string(json_object_get(arguments, "port")));
	assert(!control_port(sw, c, arguments));
}

#define LOOK(command)                                                          \
	void command(struct sw *sw, struct client *c, const json_t *arguments) \
	{                                                                      \
		look(sw, c, arguments);                                        \
	}

LOOK(control_port_del)
LOOK(control_port_up)
LOOK(control_port_down)

static json_t *id_of(const char *line, size_t len)
{
	json_t *request = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	json_t *id = json_is_object(request)
			     ? json_incref(json_object_get(request, "id"))
			     : NULL;

	json_decref(request);
	return id;
}

static void check_answer(const struct text *out, json_t *id)
{
	json_t *answer, *given;

	assert(out->used && out->bytes[out->used - 1] == '\n');
	assert(memchr(out->bytes, '\n', out->used) == out->bytes + out->used - 1);
	answer = json_loadb(out->bytes, out->used, JSON_REJECT_DUPLICATES, NULL);
	assert(json_is_object(answer));
	assert(!json_object_get(answer, "return") !=
	       !json_object_get(answer, "error"));
	given = json_object_get(answer, "id");
	assert(!given == !id && (!id || json_equal(given, id)));
	json_decref(answer);
}

static void one(struct sw *sw, const char *line, size_t len, bool monitor)
{
	struct client c = { .fd = -1, .monitor = monitor };
	json_t *id = id_of(line, len);

	control_execute(sw, &c, line, len);
	assert(!c.failed);
	check_answer(&c.out, id);
	json_decref(id);
	json_decref(c.id);
	free(c.out.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static struct sw sw;
	const char *at = (const char *)bytes + 1, *end = at + len - 1;

	while (len && at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		const char *stop = newline ? newline : end;

		one(&sw, at, (size_t)(stop - at), bytes[0] & 1);
		at = stop + 1;
	}
	return 0;
}
