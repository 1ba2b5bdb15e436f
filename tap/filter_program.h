/*
 * BPF programs for a tap device: loading users' objects, and what to say when
 * the kernel will not have it. It needs root.
 */
#ifndef FILTER_PROGRAM_H
#define FILTER_PROGRAM_H

#include <stddef.h>
#include <stdint.h>

#include "filter.h"

/* Linux 6.1 keeps the beginning of what is longer, and the reason is at the end.
 * Pages that are not written to cost nothing. */
enum { FILTER_LOG_BYTES = 16 << 20 };

/*
 * The verifier's log of a program that was refused with -errno @err: the line
 * that says why, a part of @log, which is cut. NULL if that is not in it.
 */
const char *filter_verifier_reason(char *log, int err);

/* libbpf prints nothing from now on. */
void filter_program_quiet(void);

/* Why the kernel refuses to load anything, and what to do: for -errno @err. */
const char *filter_load_remedy(int err);

/*
 * Load the object in file @path. What is in section "socket" or "tc" is for
 * frames to the guests, in "xdp" for those to the host; one of each at most.
 * Returns 0 with its programs in @programs and FILTER_OBJECT_MAPS of its maps,
 * or fewer, in @maps (the rest -1), all the caller's, and a description ("'name'
 * to-guests (socket)") in @what; or -errno with a line in @why.
 */
int filter_object_load(const char *path, struct filter_programs *programs,
		       int maps[FILTER_OBJECT_MAPS], char *what,
		       size_t what_bytes, char *why, size_t why_bytes);

#endif
