/*
 * The whole state of one switch. Built in main.c, passed to everybody.
 */
#ifndef SW_H
#define SW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "forward.h"
#include "listener.h"
#include "loop.h"
#include "options.h"
#include "port.h"

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
	uint64_t now_ms; /* the time of this round */
	uint64_t started_ms, started_wall_ns;
	int signal_fd;
	int link_watch_fd;    /* -1: no tap */
	bool watch_stdin;
	bool accept_paused;   /* some listener is */
	bool ports_looking;   /* some port looks for its other side */
	bool clients_retry;   /* some control client has to be looked after */
	bool warm;	      /* some port has buffers to trim */
	bool reloads;	      /* SIGHUP is to read rule files again */
	bool running;		  /* start-up is over: nothing may wait */
	bool stopping;
	bool restarting;	  /* and is to start anew then */
	bool again;		  /* it has been started anew */
};

/* The switch that these are a part of. */
static inline struct sw *sw_of_ports(struct ports *ps)
{
	return (struct sw *)((char *)ps - offsetof(struct sw, ports));
}

static inline struct sw *sw_of_forward(struct forward *fw)
{
	return (struct sw *)((char *)fw - offsetof(struct sw, forward));
}

static inline uint32_t sw_now_s(const struct sw *sw)
{
	return (uint32_t)(sw->now_ms / 1000);
}

#endif
