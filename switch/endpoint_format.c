#include <stdio.h>
#include <string.h>

#include "endpoint.h"
#include "ether_text.h"
#include "port.h"

/* Where the words go. */
struct words {
	char *to;
	size_t bytes;
};

/* Append @text, its commas written twice. */
static void put(struct words *w, const char *text)
{
	size_t used = strlen(w->to);

	for (; *text && used + 2 < w->bytes; text++) {
		w->to[used++] = *text;
		if (*text == ',')
			w->to[used++] = ',';
	}
	w->to[used] = '\0';
}

static void put_pair(struct words *w, const char *key, const char *value)
{
	size_t used = strlen(w->to);

	snprintf(w->to + used, w->bytes - used, ",%s=", key);
	put(w, value);
}

static void put_text(struct words *w, const char *key, const char *value)
{
	if (*value)
		put_pair(w, key, value);
}

static void put_number(struct words *w, const char *key, uint32_t value)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", value);
	if (value)
		put_pair(w, key, text);
}

static void put_permissions(struct words *w, const struct endpoint *e)
{
	char text[16];

	if (e->mode >= 0) {
		snprintf(text, sizeof(text), "%04o", (unsigned)e->mode);
		put_pair(w, "mode", text);
	}
	if (e->group != (gid_t)-1) {
		snprintf(text, sizeof(text), "%u", e->group);
		put_pair(w, "group", text);
	}
}

static void put_flags(struct words *w, const struct endpoint *e)
{
	static const struct {
		uint16_t flag;
		const char *key, *value;
	} flags[] = {
		{ PORT_ISOLATED, "isolated", "on" },
		{ PORT_NO_LEARNING, "learning", "off" },
		{ PORT_NO_FLOOD, "flood", "off" },
		{ PORT_LOCKED, "locked", "on" },
		{ PORT_NO_SPOOF, "no-spoof", "on" },
	};

	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++)
		if (e->flags & flags[i].flag)
			put_pair(w, flags[i].key, flags[i].value);
}

static void put_mac(struct words *w, const struct endpoint *e)
{
	char text[ETHER_TEXT_BYTES];

	if (e->mac) {
		ether_text(e->mac, text);
		put_pair(w, "mac", text);
	}
}

static void put_storms(struct words *w, const struct endpoint *e)
{
	put_number(w, "storm-broadcast", e->storm_rates[STORM_BROADCAST]);
	put_number(w, "storm-multicast", e->storm_rates[STORM_MULTICAST]);
	put_number(w, "storm-unknown", e->storm_rates[STORM_UNKNOWN]);
}

char *endpoint_format_short(const struct endpoint *e, char *to, size_t bytes)
{
	snprintf(to, bytes, "%s:%s", endpoint_kinds[e->kind], e->argument);
	return to;
}

char *endpoint_format(const struct endpoint *e, char *to, size_t bytes)
{
	struct words w = { to, bytes };

	snprintf(to, bytes, "%s:", endpoint_kinds[e->kind]);
	put(&w, e->argument);
	put_text(&w, "remote", e->remote);
	put_text(&w, "name", e->name);
	put_text(&w, "filter", e->filter);
	put_text(&w, "rules", e->rules);
	put_text(&w, "accept-to-guests", e->accept_to_guests);
	put_permissions(&w, e);
	put_number(&w, "mtu", e->mtu);
	put_number(&w, "queue", e->queue);
	put_flags(&w, e);
	put_mac(&w, e);
	put_number(&w, "mac-limit", e->mac_limit);
	put_storms(&w, e);
	put_text(&w, "mirror", e->mirror);
	return to;
}
