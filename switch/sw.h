/*
 * The whole state of one switch. Built in main.c, passed to everybody.
 */
#ifndef SW_H
#define SW_H

#include <stdbool.h>
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
	struct listener *listeners;
	uint16_t listener_count;
	const struct options *options;
	uint64_t now_ms; /* the time of this round */
	int signal_fd;
	int link_watch_fd;    /* -1: no tap */
	bool watch_stdin;
	bool accept_paused;   /* some listener is */
	bool ports_looking;   /* some port looks for its other side */
	bool warm;	      /* some port has buffers to trim */
	bool reloads;	      /* SIGHUP is to read rule files again */
	bool stopping;
};

static inline uint32_t sw_now_s(const struct sw *sw)
{
	return (uint32_t)(sw->now_ms / 1000);
}

#endif
