/*
 * What the kernel's sockets and taps cost on this machine with no switch at all: a
 * yardstick for switches on it. One that sends many frames with one call may take
 * less than this, one frame a call and nobody to be woken, but hardly does.
 */
#ifndef BENCH_FLOOR_H
#define BENCH_FLOOR_H

#include <jansson.h>

#include "settings.h"
#include "traffic.h"

/*
 * Measure the kinds that are wanted, or all. Of each: send_ns and receive_ns, a
 * system call with one frame on the processor that does it, where nobody waits;
 * then a sender and a receiver with nothing between them, as fast as it goes and
 * with lone frames. What cannot be measured is named with the reason. Returns 0
 * with *@result, the caller's, or -errno after saying what went wrong.
 */
int floor_measure(const struct settings *s, const struct traffic *t,
		  json_t **result);

/*
 * Read the file that --floor names, which is what floor_measure() has made. Returns
 * a new object, or NULL after saying what is wrong with it, as frames of another
 * size.
 */
json_t *floor_read(const struct settings *s);

/* Add to @result how many times the @floor it is. */
void floor_compare(const struct settings *s, const json_t *floor,
		   json_t *result);

#endif
