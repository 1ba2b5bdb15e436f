/*
 * What control clients can ask for: ringswitch-control(7). A table of commands;
 * each takes arguments that have been checked against it and answers by
 * client.h, now or in pieces.
 */
#ifndef CONTROL_COMMANDS_H
#define CONTROL_COMMANDS_H

#include <jansson.h>
#include <stddef.h>

#include "client.h"
#include "endpoint.h"

struct client;
struct port;
struct sw;

/* Answer the request @line of @bytes, without its newline. */
void control_execute(struct sw *sw, struct client *c, const char *line,
		     size_t bytes);

/* The commands, by the file that they are in. */

typedef void command_fn(struct sw *sw, struct client *c, const json_t *arguments);

/* control_ports.c */
command_fn control_port_show, control_port_add, control_port_del,
	control_port_set, control_port_up, control_port_down;
/* control_listeners.c */
command_fn control_listener_show, control_listener_add, control_listener_del;
/* control_macs.c */
command_fn control_mac_show, control_mac_flush, control_mac_add,
	control_mac_del;
/* control_stats.c */
command_fn control_stats_show;
/* control_filters.c */
command_fn control_filter_show, control_filter_load;
/* control_switch.c */
command_fn control_version, control_config_show, control_restart, control_stop,
	control_monitor;

/* control_ports.c: a place in the options for what @text says, a @role; NULL with
 * an answer that says what is wrong. */
struct endpoint *control_endpoint(struct sw *sw, struct client *c,
				  enum endpoint_role role, const char *text);

/* What commands have in common (control_commands.c). */

/* The member @name, a string, or NULL. */
const char *control_string(const json_t *arguments, const char *name);

/* The port that the member "port" names; NULL with an answer if there is none
 * of that name. */
struct port *control_port(struct sw *sw, struct client *c,
			  const json_t *arguments);

/*
 * Answer with an array of the ports, or the one that "port" names, a few at a
 * time: of each, what @describe makes, the caller's. NULL is left out.
 */
void control_each_port(struct sw *sw, struct client *c, const json_t *arguments,
		       produce_fn *produce);
bool control_next_ports(struct sw *sw, struct client *c,
			json_t *(*describe)(struct sw *sw,
					    const struct port *p));

#endif
