#include "ctl_frame_line.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "ctl_context.h"
#include "ctl_pcapng.h"
#include "ctl_table.h"
#include "ctl_text.h"

enum { ADDRESS_BYTES = 6, HEADER_BYTES = 14, TAG_BYTES = 4 };

struct header {
	char destination[18], source[18]; /* "" if the frame is cut before */
	int vlan;			  /* -1: untagged */
	int type;			  /* -1: cut before */
};

static void print_address(const uint8_t *at, char *to)
{
	sprintf(to, "%02x:%02x:%02x:%02x:%02x:%02x", at[0], at[1], at[2], at[3],
		at[4], at[5]);
}

static int u16_at(const struct seen_frame *f, size_t at)
{
	return at + 2 <= f->captured ? f->data[at] << 8 | f->data[at + 1] : -1;
}

static struct header read_header(const struct seen_frame *f)
{
	struct header h = { .vlan = -1 };

	if (f->captured >= ADDRESS_BYTES)
		print_address(f->data, h.destination);
	if (f->captured >= 2 * ADDRESS_BYTES)
		print_address(f->data + ADDRESS_BYTES, h.source);
	h.type = u16_at(f, HEADER_BYTES - 2);
	if (h.type == 0x8100 || h.type == 0x88a8) {
		int tag = u16_at(f, HEADER_BYTES);

		h.vlan = tag < 0 ? -1 : tag & 0xfff;
		h.type = u16_at(f, HEADER_BYTES + TAG_BYTES - 2);
	}
	return h;
}

static const char *drop_reason(const struct seen_frame *f)
{
	static const char dropped[] = "dropped: ";
	size_t bytes = sizeof(dropped) - 1;

	return strncmp(f->comment, dropped, bytes) ? "" : f->comment + bytes;
}

static const char *direction_of(const struct seen_frame *f)
{
	return f->direction == 1 ? "in" : f->direction == 2 ? "out" : "";
}

static json_t *text_or_null(const char *text)
{
	json_t *value = *text ? json_string(text) : NULL;

	return value ? value : json_null();
}

static void print_json(const struct ctl *ctl, const struct seen_frame *f,
		       const struct header *h)
{
	char type[16] = "";
	json_t *line;

	if (h->type >= 0)
		snprintf(type, sizeof(type), "0x%04x", (unsigned)h->type);
	line = json_pack("{s:f, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:o}",
			 "time", f->time, "port", text_or_null(f->port),
			 "direction", text_or_null(direction_of(f)), "source",
			 text_or_null(h->source), "destination",
			 text_or_null(h->destination), "vlan",
			 h->vlan < 0 ? json_null() : json_integer(h->vlan),
			 "ethertype", text_or_null(type), "bytes",
			 (json_int_t)f->bytes, "captured",
			 (json_int_t)f->captured, "drop",
			 text_or_null(drop_reason(f)));
	ctl_print_json(ctl, line);
	json_decref(line);
}

static void name_type(int type, char *to, size_t room)
{
	static const struct {
		int type;
		const char *name;
	} known[] = {
		{ 0x0800, "ipv4" },   { 0x0806, "arp" },     { 0x86dd, "ipv6" },
		{ 0x88cc, "lldp" },   { 0x888e, "eapol" },   { 0x8863, "pppoe" },
		{ 0x8864, "pppoe" },  { 0x8847, "mpls" },
	};

	if (type < 0 || type < 0x600)
		snprintf(to, room, "%s", type < 0 ? "cut" : "802.3");
	else
		snprintf(to, room, "0x%04x", (unsigned)type);
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (known[i].type == type)
			snprintf(to, room, "%s", known[i].name);
}

void frame_line_print(const struct ctl *ctl, const struct seen_frame *f)
{
	struct header h = read_header(f);
	char when[32], port[128], type[16], vlan[24] = "", comment[256];

	if (ctl->json) {
		print_json(ctl, f, &h);
		return;
	}
	text_time(f->time, when, sizeof(when));
	text_printable(f->port, port, sizeof(port));
	text_printable(f->comment, comment, sizeof(comment));
	name_type(h.type, type, sizeof(type));
	if (h.vlan >= 0)
		snprintf(vlan, sizeof(vlan), "vlan %d ", h.vlan);
	printf("%s %-8s %-3s %s > %s %s%-5s %5u", when, port, direction_of(f),
	       *h.source ? h.source : "?",
	       *h.destination ? h.destination : "?", vlan, type, f->bytes);
	if (*comment)
		printf("  %s%s%s", table_colour(ctl, WARN), comment,
		       table_plain(ctl, WARN));
	putchar('\n');
}
