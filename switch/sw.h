/*
 * The whole state of one switch. Built in main.c, passed to everybody.
 */
#ifndef SW_H
#define SW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../tap/tap_links.h"
#include "forward.h"
#include "listener.h"
#include "loop.h"
#include "options.h"
#include "port.h"
#include "privilege.h"

struct sw {
	struct loop loop;
	struct forward forward;
	struct ports ports;
	struct listener *listeners; /* LISTENERS_MAX of them */
	uint16_t listener_count;    /* one past the last that was ever open */
	struct options *options;
	struct control *control;
	struct capture *captures;   /* all that go on, as a list */
	struct events *events;
	bool mirrors_changed;	    /* observe_find_mirrors() is to look */
	struct metrics *metrics;
	struct kept *kept; /* NULL: there is no keeper */
	struct handover *handover;
	struct opener *opener;
	struct privilege privilege;
	uint64_t now_ms; /* the time of this round */
	uint64_t started_ms, started_wall_ns;
	pid_t main_pid; /* that our starter knows: the keeper's, if there is one */
	int signal_fd;
	int notify_fd;	      /* of the service manager; -1: none */
	int link_watch_fd;    /* -1: network devices are not watched */
	struct tap_links links;
	bool watch_stdin;
	bool accept_paused;   /* some listener is */
	bool ports_looking;   /* some port looks for its other side */
	uint16_t look_at;     /* and whose turn it is */
	bool clients_retry;   /* some control client has to be looked after */
	bool warm;	      /* some port has buffers to trim */
	bool reloads;	      /* SIGHUP is to read rule files again */
	bool running;		  /* start-up is over: nothing may wait */
	bool stopping;
	bool restarting;	  /* and is to be started anew then */
	bool quiescing;		  /* nothing is asked of the kernel any more */
	bool again;		  /* it has been started anew */
};

/*
 * Open all that @o says, or take it over from the switch before us: sw->handover,
 * ->opener and ->privilege are there. Returns 0, or -errno with a line in @why;
 * sw_fini(), which accepts a half-built one, is then still to be called.
 */
int sw_init(struct sw *sw, struct options *o, char *why, size_t why_bytes);
void sw_fini(struct sw *sw);

/* The switch that these are a part of. */
static inline struct sw *sw_of_ports(struct ports *ps)
{
	return (struct sw *)((char *)ps - offsetof(struct sw, ports));
}

static inline struct sw *sw_of_forward(struct forward *fw)
{
	return (struct sw *)((char *)fw - offsetof(struct sw, forward));
}

/* Who opens what has to be opened now: NULL, we ourselves, until guests are let
 * in. */
static inline struct opener *sw_opener(const struct sw *sw)
{
	return sw->running ? sw->opener : NULL;
}

static inline uint32_t sw_now_s(const struct sw *sw)
{
	return (uint32_t)(sw->now_ms / 1000);
}

#endif
