#include "ctl_context.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ctl_switches.h"
#include "ctl_text.h"

static void complain(const struct ctl *ctl, const char *format, va_list words)
{
	char text[4096], shown[4096];

	vsnprintf(text, sizeof(text), format, words);
	text_printable(text, shown, sizeof(shown));
	/* What was printed before comes before. */
	fflush(stdout);
	if (ctl->batch)
		fprintf(stderr, "%s:%u: %s\n", ctl->batch, ctl->line, shown);
	else
		fprintf(stderr, "ringctl: %s\n", shown);
}

int ctl_syntax(const struct ctl *ctl, const char *format, ...)
{
	va_list words;

	va_start(words, format);
	complain(ctl, format, words);
	va_end(words);
	return CTL_SYNTAX;
}

int ctl_refused(const struct ctl *ctl, const char *format, ...)
{
	va_list words;

	va_start(words, format);
	complain(ctl, format, words);
	va_end(words);
	return CTL_REFUSED;
}

int ctl_strange(const struct ctl *ctl, const char *what)
{
	return ctl_refused(ctl, "the switch's answer has no %s as it should be: is it of another release?",
			   what);
}

int ctl_connect(struct ctl *ctl, enum ctl_needs needs, struct client *to)
{
	return switches_connect(ctl, needs, to);
}

/* Have a connection that is good enough, the one of the last command if it
 * still is. */
static int be_connected(struct ctl *ctl, enum ctl_needs needs)
{
	struct client *c = &ctl->client;

	if (c->fd >= 0 && ((c->monitor && needs == CTL_CHANGES) ||
			   client_is_gone(c)))
		client_close(c);
	return c->fd >= 0 ? 0 : ctl_connect(ctl, needs, c);
}

/* What is wrong with an answer that is none; says so, returns NULL. */
static json_t *no_answer(const struct ctl *ctl, int got)
{
	const char *path = ctl->client.at.sun_path;

	if (got == 0)
		ctl_refused(ctl, "%s: the switch has closed the connection without an answer",
			    path);
	else if (got == -ETIMEDOUT)
		ctl_refused(ctl, "%s: no answer within %g s (--timeout SECONDS)",
			    path, ctl->timeout_ms / 1000.0);
	else
		ctl_refused(ctl, "%s: cannot read the answer: %s", path,
			    strerror(-got));
	return NULL;
}

/* The switch names commands and members as in its protocol. */
static void refused_in_our_words(const struct ctl *ctl, const char *message)
{
	static const struct {
		const char *its, *ours;
	} words[] = {
		{ "see port.show", "see ringctl port" },
		{ "see listener.show", "see ringctl listener" },
		{ "see mac.show", "see ringctl mac" },
		{ "mac_limit:", "mac-limit:" },
		{ "storm_broadcast:", "storm-broadcast:" },
		{ "storm_multicast:", "storm-multicast:" },
		{ "storm_unknown:", "storm-unknown:" },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		const char *at = strstr(message, words[i].its);

		if (!at)
			continue;
		ctl_refused(ctl, "%.*s%s%s", (int)(at - message), message,
			    words[i].ours, at + strlen(words[i].its));
		return;
	}
	ctl_refused(ctl, "%s", message);
}

/* What is returned in the answer @line, or NULL and has said why. */
static json_t *unwrap(const struct ctl *ctl, const char *line, size_t bytes)
{
	json_t *answer = json_loadb(line, bytes, 0, NULL);
	json_t *error = json_object_get(answer, "error");
	json_t *value = json_object_get(answer, "return");
	const json_t *version = json_object_get(answer, "version");
	const char *message = json_string_value(json_object_get(error, "message"));
	bool good = false;

	if (version && json_integer_value(version) != 1)
		ctl_refused(ctl, "the switch speaks version %" JSON_INTEGER_FORMAT " of the protocol, this ringctl version 1: use the one that came with it",
			    json_integer_value(version));
	else if (message)
		refused_in_our_words(ctl, message);
	else if (!value || error)
		ctl_refused(ctl, "%s: what answers does not speak a switch's protocol",
			    ctl->client.at.sun_path);
	else
		good = true;
	value = good ? json_incref(value) : NULL;
	json_decref(answer);
	return value;
}

/* Send the request on the connection and read the answer. */
static json_t *exchange(struct ctl *ctl, const json_t *request)
{
	struct client *c = &ctl->client;
	int got = client_send(c, request);
	json_t *value = NULL;
	size_t bytes;
	char *line;

	if (got)
		ctl_refused(ctl, "%s: cannot send the request: %s",
			    c->at.sun_path, strerror(-got));
	else if ((got = client_line(c, ctl->timeout_ms, &line, &bytes)) != 1)
		no_answer(ctl, got);
	else
		value = unwrap(ctl, line, bytes);
	/* A late answer must not be taken for the next command's. */
	if (!value)
		client_close(c);
	return value;
}

json_t *ctl_ask(struct ctl *ctl, enum ctl_needs needs, const char *execute,
		json_t *arguments)
{
	json_t *value = NULL;
	json_t *request = json_pack("{s:s, s:i}", "execute", execute,
				    "version", 1);

	if (arguments)
		json_object_set_new(request, "arguments", arguments);
	if (!be_connected(ctl, needs))
		value = exchange(ctl, request);
	json_decref(request);
	return value;
}

void ctl_print_json(const struct ctl *ctl, const json_t *value)
{
	/* Sixteen digits tell microseconds since 1970, and no more: what
	 * follows would be noise of the binary fraction. */
	size_t flags = JSON_ENSURE_ASCII | JSON_ENCODE_ANY |
		       JSON_REAL_PRECISION(16);

	json_dumpf(value, stdout,
		   flags | (ctl->pretty ? JSON_INDENT(4) : JSON_COMPACT));
	putchar('\n');
}

int ctl_do(struct ctl *ctl, enum ctl_needs needs, const char *execute,
	   json_t *arguments,
	   int (*show)(struct ctl *ctl, const json_t *answer))
{
	json_t *answer = ctl_ask(ctl, needs, execute, arguments);
	int code = CTL_OK;

	if (!answer)
		return CTL_REFUSED;
	if (ctl->json)
		ctl_print_json(ctl, answer);
	else if (show)
		code = show(ctl, answer);
	json_decref(answer);
	return code;
}
