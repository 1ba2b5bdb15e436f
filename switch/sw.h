/*
 * The whole state of one switch. Built in main.c, passed to everybody.
 */
#ifndef SW_H
#define SW_H

#include <stdbool.h>
#include <stdint.h>

#include "forward.h"
#include "listen.h"
#include "loop.h"
#include "options.h"
#include "port.h"

struct sw {
	struct loop loop;
	struct forward forward;
	struct ports ports;
	struct listener listener;
	const struct options *options;
	uint64_t now_ms; /* the time of this round */
	int signal_fd;
	int link_watch_fd;    /* -1: no tap */
	bool watch_stdin;
	bool accept_paused;   /* out of descriptors or ports */
	bool taps_detached;   /* some tap waits for its device to come back */
	bool warm;	      /* some port has buffers to trim */
	bool stopping;
};

static inline uint32_t sw_now_s(const struct sw *sw)
{
	return (uint32_t)(sw->now_ms / 1000);
}

#endif
