/*
 * What `ringtap show` tells: the taps of this network namespace and who has
 * them open, as a table or as JSON.
 */
#ifndef RINGTAP_REPORT_H
#define RINGTAP_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "ringtap_links.h"
#include "ringtap_users.h"

struct tap_report {
	struct tap_link *links;
	struct tap_user *users;
	size_t link_count, user_count;
};

/* Returns 0 or -errno; report_free() is due in either case. */
int report_read(struct tap_report *r);
void report_free(struct tap_report *r);

/* Have the report be of tap @name alone. Returns it, or NULL if there is none. */
const struct tap_link *report_only(struct tap_report *r, const char *name);

/*
 * Who has @link open, as "ringswitch(12),qemu(34)" with a NUL in @to of @room
 * bytes (cut, if there are more); "" for nobody, "?" for somebody we cannot see.
 */
void report_users(const struct tap_report *r, const struct tap_link *link,
		  char *to, size_t room);

void report_table(FILE *to, const struct tap_report *r);

/* An array of objects, on one line unless @pretty. Returns 0 or -ENOMEM. */
int report_json(FILE *to, const struct tap_report *r, bool pretty);

#endif
