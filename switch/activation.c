#include "activation.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "endpoint.h"
#include "kept.h"
#include "options.h"
#include "port_inherit.h"

/* The names that nobody has chosen: systemd.socket(5), FileDescriptorName=, and
 * sd_listen_fds(3). */
static bool was_chosen(const char *name)
{
	const char *dot = strrchr(name, '.');

	return strcmp(name, "unknown") && strcmp(name, "connection") &&
	       !(dot && !strcmp(dot, ".socket"));
}

static int add(struct options *o, int fd, const char *name, char *why,
	       size_t why_bytes)
{
	enum endpoint_role role = inherit_listens(fd) ? ENDPOINT_LISTENER
						      : ENDPOINT_PORT;

	if (!was_chosen(name))
		name = "";
	if (*name && !endpoint_name_is_good(name)) {
		snprintf(why, why_bytes,
			 "LISTEN_FDNAMES: '%s' is no name for a port: 1 to %d letters, digits and ._+:@-",
			 name, PORT_NAME_BYTES - 1);
		return -EINVAL;
	}
	return options_inherit(o, role, fd, name, why, why_bytes);
}

/* The keeper has put them among our words (keeper_child.c), where one cannot
 * say that nobody has chosen their names. */
static void recognise(struct endpoint *e, unsigned count)
{
	for (; count; e++, count--)
		e->name_shared |= e->kind == LISTEN_FD || e->kind == PORT_FD;
}

int activation_read(struct options *o, char *why, size_t why_bytes)
{
	char **names = NULL;
	int count = sd_listen_fds_with_names(1, &names), err = 0;

	if (kept_is_by_keeper()) {
		recognise(o->listeners, o->listener_count);
		recognise(o->ports, o->port_count);
	}
	if (count < 0) {
		snprintf(why, why_bytes, "LISTEN_FDS: %s", strerror(-count));
		return count;
	}
	for (int i = 0; i < count; i++) {
		if (!err)
			err = add(o, SD_LISTEN_FDS_START + i, names[i], why,
				  why_bytes);
		free(names[i]);
	}
	free(names);
	return err;
}
