/*
 * BPF programs at a tap device: loading users' objects, attaching, and what to
 * say when the kernel will not have it.
 *
 * What is attached goes when we go: XDP and tc programs are held by links, and
 * a socket filter is the device's, which goes with us or, if it is persistent,
 * loses it when we let go of it (or when tap_open() gets it the next time).
 */
#ifndef FILTER_PROGRAM_H
#define FILTER_PROGRAM_H

#include <bpf/libbpf.h>
#include <stddef.h>
#include <stdint.h>

/* Programs that have been loaded; -1 where there is none. Descriptors of
 * whoever has loaded them. */
struct filter_programs {
	int socket_fd; /* to guests: socket filter */
	int tc_fd;     /* to guests: tc */
	int xdp_fd;    /* to host */
};

/* Where they are attached; links are -1 where there is none. */
struct filter_links {
	int tc_fd, xdp_fd;
};

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
 * Returns the object, the caller's, with its programs in @programs and a
 * description ("'name' to-guests (socket)") in @what; or NULL with a line in
 * @why.
 */
struct bpf_object *filter_object_load(const char *path,
				      struct filter_programs *programs,
				      char *what, size_t what_bytes, char *why,
				      size_t why_bytes);

/*
 * Attach @programs to tap device @device, whose descriptor is @tap_fd. Returns
 * 0, or -errno with a line in @why; nothing is attached then.
 */
int filter_attach(const struct filter_programs *programs, int tap_fd,
		  const char *device, struct filter_links *links, char *why,
		  size_t why_bytes);
/* @tap_fd is -1 if the device has gone. */
void filter_detach(struct filter_links *links, int tap_fd);

#endif
