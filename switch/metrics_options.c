#include "metrics_options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "value.h"

enum { MODE_DEFAULT = 0660 };

struct complaint {
	const char *text;
	char *why;
	size_t why_bytes;
};

/* How far @text would not break a line of messages in two. */
static size_t printable_bytes(const char *text)
{
	size_t bytes = 0;

	while ((unsigned char)text[bytes] >= ' ' && text[bytes] != 0x7f)
		bytes++;
	return bytes;
}

__attribute__((format(printf, 2, 3))) static int
refuse(const struct complaint *c, const char *format, ...)
{
	size_t shown = printable_bytes(c->text);
	int used = snprintf(c->why, c->why_bytes, "--metrics '%.*s': must be ",
			    (int)(shown < 160 ? shown : 160), c->text);
	va_list args;

	va_start(args, format);
	if (used > 0 && (size_t)used < c->why_bytes)
		vsnprintf(c->why + used, c->why_bytes - (size_t)used, format,
			  args);
	va_end(args);
	return -EINVAL;
}

/* What follows the first ',' that is not one of two, or "". The word before it
 * goes to @word, with one comma for two; NULL if it is too long. */
static const char *split(const char *text, char *word, size_t bytes)
{
	size_t length = 0;

	for (; *text && (*text != ',' || text[1] == ','); text++) {
		if (length + 1 == bytes)
			return NULL;
		word[length++] = *text;
		text += *text == ',';
	}
	word[length] = '\0';
	return *text ? text + 1 : text;
}

static bool is_path(const char *text)
{
	return *text && !text[printable_bytes(text)];
}

static int take_key(struct metrics_options *o, const char *word,
		    const struct complaint *c)
{
	if (!strncmp(word, "mode=", strlen("mode="))) {
		int64_t mode = value_number(word + strlen("mode="), 8, 0, 0777);

		if (mode < 0)
			return refuse(c, "with an octal number up to 777 as mode=");
		o->mode = (int)mode;
		return 0;
	}
	if (!strncmp(word, "group=", strlen("group="))) {
		int64_t group = value_group(word + strlen("group="));

		if (group < 0)
			return refuse(c, "with a group's name or number as group=");
		o->group = (gid_t)group;
		return 0;
	}
	return refuse(c, "without '%.32s': the keys of unix are mode=, group=",
		      word);
}

static int take_path(struct metrics_options *o, const char *text,
		     const struct complaint *c)
{
	char word[64];

	text = split(text, o->path, sizeof(o->path));
	if (!text || !is_path(o->path))
		return refuse(c, "with a path of 1 to %zu printable characters behind unix:",
			      sizeof(o->path) - 1);
	while (*text) {
		int err;

		text = split(text, word, sizeof(word));
		if (!text)
			return refuse(c, "with keys of at most %zu characters",
				      sizeof(word) - 1);
		err = take_key(o, word, c);
		if (err)
			return err;
	}
	return 0;
}

/* Whether @host is an address of ours that nobody reaches from outside. */
static bool is_loopback(const char *host, struct metrics_options *o)
{
	if (!strcmp(host, "[::1]")) {
		o->address.v6.sin6_family = AF_INET6;
		o->address.v6.sin6_addr = in6addr_loopback;
		return true;
	}
	o->address.v4.sin_family = AF_INET;
	if (!strcmp(host, "localhost"))
		host = "127.0.0.1";
	return inet_pton(AF_INET, host, &o->address.v4.sin_addr) == 1 &&
	       ntohl(o->address.v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

static int take_address(struct metrics_options *o, const char *text,
			const struct complaint *c)
{
	const char *colon = strrchr(text, ':');
	char host[64];
	int64_t port;

	if (!colon)
		return refuse(c, "unix:PATH, 127.0.0.1:PORT, localhost:PORT or [::1]:PORT");
	snprintf(host, sizeof(host), "%.*s", (int)(colon - text), text);
	if ((size_t)(colon - text) >= sizeof(host) || !is_loopback(host, o))
		return refuse(c, "unix:PATH, 127.0.0.1:PORT, localhost:PORT or [::1]:PORT: others than this machine need a proxy in front, or ssh -L");
	port = value_number(colon + 1, 10, 1, UINT16_MAX);
	if (port < 0)
		return refuse(c, "with a port of 1 to %d behind the address",
			      UINT16_MAX);
	/* At the same place in both kinds of addresses. */
	o->address.v4.sin_port = htons((uint16_t)port);
	return 0;
}

int metrics_options_parse(const char *text, struct metrics_options *o,
			  char *why, size_t why_bytes)
{
	const struct complaint c = { text, why, why_bytes };
	struct metrics_options read = { .mode = MODE_DEFAULT,
					.group = (gid_t)-1 };
	int err;

	if (!strncmp(text, "unix:", strlen("unix:")))
		err = take_path(&read, text + strlen("unix:"), &c);
	else
		err = take_address(&read, text, &c);
	if (!err)
		*o = read;
	return err;
}
