#include "client.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "control_commands.h"
#include "sw.h"

static bool make_room(struct text *t, size_t bytes)
{
	size_t room = t->room ? t->room : 4096;
	char *more;

	if (t->sent && t->sent == t->used)
		t->sent = t->used = 0;
	if (t->sent && t->room - t->used < bytes) {
		memmove(t->bytes, t->bytes + t->sent, t->used - t->sent);
		t->used -= t->sent;
		t->sent = 0;
	}
	while (room - t->used < bytes)
		room *= 2;
	if (room == t->room)
		return true;
	more = realloc(t->bytes, room);
	if (!more)
		return false;
	t->bytes = more;
	t->room = room;
	return true;
}

void client_put(struct client *c, const char *text, size_t bytes)
{
	if (c->failed)
		return;
	if (!make_room(&c->out, bytes)) {
		c->failed = true;
		return;
	}
	memcpy(c->out.bytes + c->out.used, text, bytes);
	c->out.used += bytes;
}

void client_put_text(struct client *c, const char *text)
{
	client_put(c, text, strlen(text));
}

void client_put_json(struct client *c, json_t *value)
{
	char *text = value ? json_dumps(value, CLIENT_JSON) : NULL;

	if (text)
		client_put_text(c, text);
	else
		c->failed = true;
	free(text);
	json_decref(value);
}

json_t *client_text(const char *text)
{
	json_t *value = json_string(text);
	char *ascii = value ? NULL : strdup(text);

	for (char *at = ascii; at && *at; at++)
		if ((unsigned char)*at >= 0x80)
			*at = '?';
	if (ascii)
		value = json_string(ascii);
	free(ascii);
	return value;
}

void client_put_separator(struct client *c)
{
	if (c->any)
		client_put(c, ",", 1);
	c->any = true;
}

/* Up to the value of @word: "return" or "error". */
static void begin(struct client *c, const char *word)
{
	client_put_text(c, "{\"version\":1,");
	if (c->id) {
		client_put_text(c, "\"id\":");
		client_put_json(c, c->id);
		client_put_text(c, ",");
		c->id = NULL;
	}
	client_put_text(c, "\"");
	client_put_text(c, word);
	client_put_text(c, "\":");
}

void client_return(struct client *c, json_t *value)
{
	begin(c, "return");
	client_put_json(c, value);
	client_put_text(c, "}\n");
}

void client_refuse(struct client *c, const char *code, const char *format, ...)
{
	char message[2048];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	/* It is a line, whatever it quotes. */
	for (char *at = message; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = '?';
	begin(c, "error");
	/* What it quotes may be cut in the middle of a letter. */
	client_put_json(c, json_pack("{s:s, s:o}", "code", code, "message",
				     client_text(message)));
	client_put_text(c, "}\n");
}

void client_produce(struct client *c, produce_fn *produce)
{
	begin(c, "return");
	c->produce = produce;
	c->at = 0;
	c->any = false;
}

void client_wait(struct client *c, uint16_t port_id, uint32_t port_gen)
{
	c->wait_id = port_id;
	c->wait_gen = port_gen;
}

void client_flush(struct sw *sw, struct client *c)
{
	struct text *t = &c->out;

	while (t->sent < t->used && !c->failed) {
		ssize_t n = send(c->fd, t->bytes + t->sent, t->used - t->sent,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0)
			c->failed = true;
		else
			t->sent += (size_t)n;
		c->active_ms = sw->now_ms;
	}
	if (t->room <= CONTROL_OUT_BYTES || c->failed)
		return;
	/* What a long line needed once is not kept. */
	free(t->bytes);
	*t = (struct text){ 0 };
}
