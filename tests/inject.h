/*
 * The injection layer: any call that can fail is made to, once, on demand.
 *
 * It is linked into one build for tests and into nothing else ("make inject").
 * The linker leads every call that the switch makes of a function listed in
 * inject_calls.h here first (ld(1), --wrap); no source file of the switch knows
 * of it. Requests to the ring are looked at just before they are handed in
 * (inject_ring.c).
 *
 * Who is to fail, and how, is read from a file in memory that the test has made
 * and that all processes of a switch share: struct inject_file, named by the
 * environment variable INJECT. Calls are counted there too, for every place
 * they are made from. So nothing is opened or written once the switch runs, and
 * what it may not do in its sandbox the layer does not do, either.
 */
#ifndef INJECT_H
#define INJECT_H

#include <liburing.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INJECT_SITES 4096

/* Instead of an errno: done, but less than what was asked for. */
#define INJECT_SHORT (-1)

/* A place from which a call is made: the address behind the call, as objdump(1)
 * shows it; or one of these. */
#define INJECT_SITE_JSON 1
#define INJECT_SITE_RING(opcode, op) \
	(1ull << 32 | (uint64_t)(opcode) << 16 | (op))

struct inject_site {
	uint64_t address; /* 0: a free place in the table */
	uint64_t calls;
	uint64_t failed;
};

struct inject_order {
	uint64_t site;	/* which is to fail; 0: whichever it is */
	uint64_t nth;	/* at which of its calls, from 1; 0: never */
	uint64_t times; /* and how often one after the other */
	int64_t error;	/* with which errno, or INJECT_SHORT */
};

/* Where a frame that has a mark behind its Ethernet header kills the switch. */
enum inject_where {
	INJECT_COMES_IN, /* has been read, and is to be forwarded */
	INJECT_GOES_OUT, /* has been queued, and is to be sent */
	INJECT_WHERE_COUNT,
};

/* tests/lab_inject.py has the same. A second order is for what is called only
 * after something has failed. */
struct inject_file {
	struct inject_order orders[2];
	uint64_t calls; /* of all sites together */
	uint64_t poison[INJECT_WHERE_COUNT]; /* the mark's bytes; 0: none kills */
	struct inject_site sites[INJECT_SITES];
};

/* Count a call from @site. Returns 0 if it is to go on, or how it is to fail,
 * which is noted as done. */
int inject(uint64_t site);

/* The same for the place that a function is to return to. */
int inject_at(const void *returns_to);

/* Die as of a wild pointer if the @bytes of @frame are poison @where. */
void inject_look(enum inject_where where, const void *frame, size_t bytes);

/* What is about to be handed in at @ring, and what has come out of it. */
void inject_requests(struct io_uring *ring);
void inject_completions(struct io_uring *ring);

#endif
