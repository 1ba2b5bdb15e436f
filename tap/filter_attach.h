/*
 * BPF programs at a tap device.
 *
 * What is attached goes when we go: XDP and tc programs are held by links, and
 * a socket filter is the device's, which goes with us or, if it is persistent,
 * loses it when we let go of it (or when tap_open() gets it the next time).
 */
#ifndef FILTER_ATTACH_H
#define FILTER_ATTACH_H

#include <stddef.h>

#include "filter.h"

/*
 * Attach @programs to tap device @device, whose descriptor is @tap_fd, and
 * throw away what was waiting to be read there, which nobody has judged. Needs
 * no privilege. Returns 0, or -errno with a line in @why, and nothing is
 * attached.
 */
int filter_attach(const struct filter_programs *programs, int tap_fd,
		  const char *device, struct filter_links *links, char *why,
		  size_t why_bytes);
/* @tap_fd is -1 if the device has gone, or somebody else is to take the socket
 * program off. */
void filter_detach(struct filter_links *links, int tap_fd);
/* The socket program only. */
void filter_bare(int tap_fd);

#endif
