#include "ringtap_report.h"

#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <jansson.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

enum column { NAME, STATE, MTU, OWNER, GROUP, FLAGS, MASTER, COLUMNS };

struct row {
	char cell[COLUMNS][48];
};

static const struct row headings = { { "NAME", "STATE", "MTU", "OWNER", "GROUP",
				       "FLAGS", "MASTER" } };

int report_read(struct tap_report *r)
{
	int err;

	*r = (struct tap_report){ 0 };
	err = tap_links_read(&r->links, &r->link_count);
	return err ? err : tap_users_read(&r->users, &r->user_count);
}

void report_free(struct tap_report *r)
{
	free(r->links);
	free(r->users);
}

const struct tap_link *report_only(struct tap_report *r, const char *name)
{
	for (size_t i = 0; i < r->link_count; i++) {
		if (strcmp(r->links[i].name, name))
			continue;
		r->links[0] = r->links[i];
		r->link_count = 1;
		return r->links;
	}
	return NULL;
}

/* Names of devices and programs may have any bytes: these are for a terminal. */
static char *printable(char *text)
{
	for (char *at = text; *at; at++)
		if (!isascii(*at) || !isprint(*at))
			*at = '?';
	return text;
}

static void copy_printable(char *to, size_t room, const char *from)
{
	snprintf(to, room, "%s", from);
	printable(to);
}

/* NULL if @uid has no name. */
static const char *user_name(int64_t uid)
{
	const struct passwd *user = uid < 0 ? NULL : getpwuid((uid_t)uid);

	return user ? user->pw_name : NULL;
}

static const char *group_name(int64_t gid)
{
	const struct group *group = gid < 0 ? NULL : getgrgid((gid_t)gid);

	return group ? group->gr_name : NULL;
}

void report_users(const struct tap_report *r, const struct tap_link *link,
		  char *to, size_t room)
{
	FILE *out = fmemopen(to, room, "w");

	*to = '\0';
	if (!out)
		return;
	for (size_t i = 0; i < r->user_count; i++)
		if (!strcmp(r->users[i].device, link->name))
			fprintf(out, "%s%s(%d)", ftell(out) ? "," : "",
				r->users[i].program, r->users[i].pid);
	if (!ftell(out) && link->carrier)
		fputs("?", out);
	fclose(out);
	printable(to);
}

static void fill_id(char *cell, size_t room, int64_t id, const char *name)
{
	if (name)
		copy_printable(cell, room, name);
	else if (id >= 0)
		snprintf(cell, room, "%lld", (long long)id);
	else
		snprintf(cell, room, "-");
}

static void fill_flags(char *cell, size_t room, const struct tap_link *link)
{
	snprintf(cell, room, "%s%s%s%s", link->persist ? ",persist" : "",
		 link->multi_queue ? ",multi_queue" : "",
		 link->vnet_header ? ",vnet_hdr" : "",
		 link->packet_info ? ",pi" : "");
	if (*cell)
		memmove(cell, cell + 1, strlen(cell));
	else
		snprintf(cell, room, "-");
}

static struct row make_row(const struct tap_link *link)
{
	struct row row;
	size_t room = sizeof(row.cell[0]);

	copy_printable(row.cell[NAME], room, link->name);
	snprintf(row.cell[STATE], room, link->up ? "up" : "down");
	snprintf(row.cell[MTU], room, "%u", link->mtu);
	fill_id(row.cell[OWNER], room, link->uid, user_name(link->uid));
	fill_id(row.cell[GROUP], room, link->gid, group_name(link->gid));
	fill_flags(row.cell[FLAGS], room, link);
	copy_printable(row.cell[MASTER], room,
		       *link->master ? link->master : "-");
	return row;
}

static void widen(size_t *widths, const struct row *row)
{
	for (int i = 0; i < COLUMNS; i++)
		if (widths[i] < strlen(row->cell[i]))
			widths[i] = strlen(row->cell[i]);
}

static void print_row(FILE *to, const size_t *widths, const struct row *row,
		      const char *users)
{
	for (int i = 0; i < COLUMNS; i++)
		fprintf(to, i == MTU ? "%*s  " : "%-*s  ",
			(int)widths[i], row->cell[i]);
	fprintf(to, "%s\n", users);
}

void report_table(FILE *to, const struct tap_report *r)
{
	size_t widths[COLUMNS] = { 0 };
	char users[4096];
	struct row row;

	if (!r->link_count)
		return;
	widen(widths, &headings);
	for (size_t i = 0; i < r->link_count; i++) {
		row = make_row(&r->links[i]);
		widen(widths, &row);
	}
	print_row(to, widths, &headings, "OPENED BY");
	for (size_t i = 0; i < r->link_count; i++) {
		row = make_row(&r->links[i]);
		report_users(r, &r->links[i], users, sizeof(users));
		print_row(to, widths, &row, *users ? users : "-");
	}
}

static json_t *text_or_null(const char *text)
{
	char copy[256];

	if (!text || !*text)
		return json_null();
	copy_printable(copy, sizeof(copy), text);
	return json_string(copy);
}

static json_t *id_or_null(int64_t id)
{
	return id < 0 ? json_null() : json_integer(id);
}

/* null: somebody has it open whom we cannot see. */
static json_t *users_json(const struct tap_report *r,
			  const struct tap_link *link)
{
	json_t *array = json_array();

	for (size_t i = 0; i < r->user_count; i++)
		if (!strcmp(r->users[i].device, link->name))
			json_array_append_new(
				array,
				json_pack("{s:i, s:o}", "pid", r->users[i].pid,
					  "program",
					  text_or_null(r->users[i].program)));
	if (json_array_size(array) || !link->carrier)
		return array;
	json_decref(array);
	return json_null();
}

static json_t *link_json(const struct tap_report *r,
			 const struct tap_link *link)
{
	const uint8_t *a = link->address;
	char address[18];

	snprintf(address, sizeof(address), "%02x:%02x:%02x:%02x:%02x:%02x",
		 a[0], a[1], a[2], a[3], a[4], a[5]);
	return json_pack(
		"{s:o, s:b, s:b, s:i, s:s, s:o, s:o, s:o, s:o, s:b, s:b, s:b, s:b, s:o, s:o}",
		"name", text_or_null(link->name), "up", link->up, "carrier",
		link->carrier, "mtu", (int)link->mtu, "address", address, "uid",
		id_or_null(link->uid), "user",
		text_or_null(user_name(link->uid)), "gid",
		id_or_null(link->gid), "group",
		text_or_null(group_name(link->gid)), "persist", link->persist,
		"multi_queue", link->multi_queue, "vnet_hdr",
		link->vnet_header, "pi", link->packet_info, "master",
		text_or_null(link->master), "opened_by",
		users_json(r, link));
}

int report_json(FILE *to, const struct tap_report *r, bool pretty)
{
	json_t *array = json_array();
	int err = array ? 0 : -ENOMEM;

	for (size_t i = 0; !err && i < r->link_count; i++)
		if (json_array_append_new(array, link_json(r, &r->links[i])))
			err = -ENOMEM;
	if (!err && json_dumpf(array, to, pretty ? JSON_INDENT(2) : 0))
		err = ferror(to) ? 0 : -ENOMEM; /* who closes it will see */
	if (!err)
		fputc('\n', to);
	json_decref(array);
	return err;
}
