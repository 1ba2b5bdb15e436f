#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ether_text.h"
#include "options.h"

static bool is_listener(const struct endpoint *e)
{
	return endpoint_role(e->kind) == ENDPOINT_LISTENER;
}

const char *options_append(struct options *o, const struct endpoint *e)
{
	if (is_listener(e)) {
		if (o->listener_count == LISTENERS_MAX)
			return "one of at most 256 listeners";
		o->listeners[o->listener_count++] = *e;
	} else {
		if (o->port_count == STATIC_PORTS_MAX)
			return "one of at most 256 ports";
		o->ports[o->port_count++] = *e;
	}
	return NULL;
}

/* Where nothing but taps is named, guests attach where they always have, or
 * in the directory of a switch that has a name. */
static void add_default_listener(struct options *o, const char *directory)
{
	char none[1], path[SOCKET_PATH_BYTES] = "/tmp/uml.ctl";

	if (o->listener_count || o->no_listeners)
		return;
	if (directory)
		snprintf(path, sizeof(path), "%s/uml.ctl", directory);
	for (unsigned i = 0; i < o->port_count; i++)
		if (o->ports[i].kind != PORT_TAP)
			return;
	endpoint_plain(LISTEN_UML, path,
		       &o->listeners[o->listener_count++], none, sizeof(none));
}

static struct endpoint *endpoint_at(struct options *o, unsigned i)
{
	return i < o->listener_count ? &o->listeners[i]
				     : &o->ports[i - o->listener_count];
}

/* Whether there is only one of what it names. */
static bool is_exclusive(const struct endpoint *e)
{
	return e->kind == PORT_TAP || e->kind == LISTEN_FD || e->kind == PORT_FD;
}

/* What two endpoints have in common that only one can have, or NULL. */
static const char *clash(const struct endpoint *a, const struct endpoint *b)
{
	if (*a->name && !strcmp(a->name, b->name) && !a->name_shared &&
	    !b->name_shared)
		return a->name;
	if (endpoint_makes_file(a->kind) && endpoint_makes_file(b->kind) &&
	    !strcmp(a->argument, b->argument))
		return a->argument;
	if (is_exclusive(a) && is_exclusive(b) &&
	    (a->kind == PORT_TAP) == (b->kind == PORT_TAP) &&
	    !strcmp(a->argument, b->argument))
		return a->argument;
	return NULL;
}

/* A datagram port that sends to a datagram port of ours: a loop. */
static bool sends_to_us(const struct options *o, const struct endpoint *e)
{
	if (e->kind != PORT_DGRAM)
		return false;
	for (unsigned i = 0; i < o->port_count; i++)
		if (o->ports[i].kind == PORT_DGRAM && !o->ports[i].removed &&
		    (!strcmp(e->remote, o->ports[i].argument) ||
		     !strcmp(e->argument, o->ports[i].remote)))
			return true;
	return !strcmp(e->remote, e->argument);
}

static bool is_at(const struct endpoint *socket, const char *path)
{
	return options_wants(socket) && !strcmp(socket->argument, path);
}

/* Whether @e fits with the first @count of the others. */
static int check_among(struct options *o, struct endpoint *e, unsigned count,
		       char *why, size_t why_bytes)
{
	char mac[ETHER_TEXT_BYTES];

	if (endpoint_makes_file(e->kind) && e->mode < 0)
		e->mode = o->mode;
	if (endpoint_makes_file(e->kind) && e->group == (gid_t)-1)
		e->group = o->group;
	if (sends_to_us(o, e)) {
		snprintf(why, why_bytes,
			 "dgram '%s': remote=%s is a port of this switch: a loop",
			 e->argument, e->remote);
		return -EINVAL;
	}
	if (endpoint_makes_file(e->kind) && (is_at(&o->control, e->argument) ||
					     is_at(&o->monitor, e->argument))) {
		snprintf(why, why_bytes,
			 "%s '%s' is the path of a control socket: choose another",
			 endpoint_kinds[e->kind], e->argument);
		return -EINVAL;
	}
	for (unsigned j = 0; j < count; j++)
		if (e->mac && e->mac == endpoint_at(o, j)->mac &&
		    !endpoint_at(o, j)->removed) {
			ether_text(e->mac, mac);
			snprintf(why, why_bytes,
				 "mac= '%s' is named twice: once only", mac);
			return -EINVAL;
		}
	for (unsigned j = 0; j < count; j++) {
		const char *what = endpoint_at(o, j)->removed
					   ? NULL
					   : clash(e, endpoint_at(o, j));

		if (!what)
			continue;
		snprintf(why, why_bytes, "%s '%s' is named twice: once only",
			 what == e->name ? "name=" : endpoint_kinds[e->kind],
			 what);
		return -EINVAL;
	}
	return 0;
}

/* The sockets that were not named: in the switch's directory, or else beside
 * the first of its listeners. None where there is neither. */
static void default_socket(struct options *o, const char *directory,
			   const char *word, struct endpoint *to)
{
	char path[2 * SOCKET_PATH_BYTES] = "none", unused[1];

	for (unsigned i = o->listener_count; i-- > 0 && !directory;)
		if (o->listeners[i].kind != LISTEN_FD)
			snprintf(path, sizeof(path), "%s%s.%s",
				 o->listeners[i].argument,
				 o->listeners[i].kind == LISTEN_VDE ? "/ctl"
								    : "",
				 word);
	if (directory)
		snprintf(path, sizeof(path), "%s/%s", directory, word);
	if (!endpoint_plain(CONTROL_SOCKET, path, to, unused, sizeof(unused)))
		return;
	o->no_room = true;
	endpoint_plain(CONTROL_SOCKET, "none", to, unused, sizeof(unused));
}

bool options_state(const struct options *o, char *path, size_t bytes)
{
	if (o->state) {
		snprintf(path, bytes, "%s", o->state);
		return strcmp(o->state, "none");
	}
	if (o->directory) {
		snprintf(path, bytes, "%s/state", o->directory);
		return true;
	}
	for (unsigned i = 0; i < o->listener_count; i++) {
		if (o->listeners[i].kind == LISTEN_FD)
			continue;
		snprintf(path, bytes, "%s.state", o->listeners[i].argument);
		return true;
	}
	snprintf(path, bytes, "%s.state", o->control.argument);
	return options_wants(&o->control);
}

static void complete_sockets(struct options *o, const char *directory)
{
	bool none = *o->control.argument && !options_wants(&o->control);

	if (!*o->control.argument)
		default_socket(o, directory, "control", &o->control);
	if (!*o->monitor.argument)
		default_socket(o, directory, "monitor", &o->monitor);
	else
		none = false;
	if (none)
		o->monitor = o->control;
}

int options_complete(struct options *o, const char *directory, char *why,
		     size_t why_bytes)
{
	add_default_listener(o, directory);
	complete_sockets(o, directory);
	for (unsigned i = 0; i < o->listener_count + o->port_count; i++)
		if (check_among(o, endpoint_at(o, i), i, why, why_bytes))
			return -EINVAL;
	if (!options_wants(&o->control) ||
	    strcmp(o->control.argument, o->monitor.argument))
		return 0;
	snprintf(why, why_bytes,
		 "--control and --monitor '%s': must be two different paths",
		 o->control.argument);
	return -EINVAL;
}

int options_may_add(struct options *o, struct endpoint *e, char *why,
		    size_t why_bytes)
{
	return check_among(o, e, o->listener_count + o->port_count, why,
			   why_bytes);
}

struct endpoint *options_add(struct options *o, const struct endpoint *e,
			     bool (*used)(const void *context,
					  const struct endpoint *e),
			     const void *context)
{
	struct endpoint *first = is_listener(e) ? o->listeners : o->ports;
	unsigned count = is_listener(e) ? o->listener_count : o->port_count;

	for (unsigned i = 0; i < count; i++)
		if (first[i].removed && !used(context, &first[i])) {
			first[i] = *e;
			return &first[i];
		}
	return options_append(o, e) ? NULL : &first[count];
}
