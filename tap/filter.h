/*
 * What stands between one tap device and the switch: programs in the kernel,
 * our built-in one with a rule file or a user's own, and a tcpdump expression.
 *
 *     host --> BPF (socket or tc) --> read --> filter_admits() --> switch
 *     host <-- BPF (XDP) <----------- write <--------------------- switch
 *
 * Programs are loaded once, by filter_new(); this needs root. Nothing after that
 * does: what is loaded can be attached again by whoever has its descriptors, and
 * rules are replaced by writing to memory that is shared with the kernel: the
 * set that is not in force is filled, then a number is changed, and every frame
 * is judged by the one set or the other. So a filter can also be handed over,
 * as it is, to a process that takes the place of this one (filter_export()).
 *
 * The kernel cannot change a frame on its way to us, so what rules translate
 * there is translated after reading. A frame that has been judged by one set
 * and is read when the next is in force is judged once more, so that it is
 * never let through to an address that neither set lets it through to.
 */
#ifndef FILTER_H
#define FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct filter;

/* Room for a line that says what is wrong: a path, and a reason. */
enum { FILTER_WHY_BYTES = 2048 };

/* What a filter is when it is handed over. Of a user's object that is so many
 * maps at most; others live as long as its programs use them. */
enum { FILTER_OBJECT_MAPS = 5, FILTER_FDS = 11, FILTER_RECORD_BYTES = 384 };

struct filter_record {
	size_t bytes; /* of the record; 0: there is no filter */
	unsigned char record[FILTER_RECORD_BYTES];
	int fds[FILTER_FDS];
	unsigned fd_count;
};

/* Programs that have been loaded, and where they are attached: descriptors, -1
 * where there is none. */
struct filter_programs {
	int socket_fd; /* to guests: socket filter */
	int tc_fd;     /* to guests: tc */
	int xdp_fd;    /* to host */
};

struct filter_links {
	int tc_fd, xdp_fd;
};

/* Files and expression of one tap; "" where there is none. */
struct filter_options {
	const char *object, *rules, *expression;
};

static inline bool filter_is_wanted(const struct filter_options *o)
{
	return *o->object || *o->rules || *o->expression;
}

/*
 * Read and load, for tap device @tap. Returns it, the caller's, or NULL with a
 * line in @why. The strings must outlive it.
 */
struct filter *filter_new(const struct filter_options *o, const char *tap,
			  char *why, size_t why_bytes);
void filter_free(struct filter *f); /* NULL is accepted */

/* The id of the XDP program that is attached to @device; 0 if there is none. */
uint32_t filter_xdp_id(const char *device);

/*
 * Attach to device @device behind @tap_fd, and no longer where it was; throw
 * away what was waiting to be read there, which nobody has judged. Returns 0,
 * or -errno with a line in @why.
 */
int filter_open(struct filter *f, int tap_fd, const char *device,
		uint64_t now_ms, char *why, size_t why_bytes);
/* Take it off again; @tap_fd is -1 if the device has gone, or goes now. */
void filter_close(struct filter *f, int tap_fd);

/* @f is attached where @from is, which is the same filter, and no longer where
 * it was. */
void filter_take_links(struct filter *f, struct filter *from);

/* Whether a frame that has been read may go on; translates it. */
bool filter_admits(struct filter *f, uint8_t *frame, uint32_t bytes,
		   uint64_t now_ms);

/*
 * Read the rule file again, from descriptor @fd, the caller's; -1: by its path.
 * Returns 0, or -errno with a line in @why: the old rules are in force. Does
 * nothing if there is none.
 */
int filter_reload(struct filter *f, int fd, uint64_t now_ms, char *why,
		  size_t why_bytes);

/* Whether it has a program for frames to the host. */
bool filter_judges_to_host(const struct filter *f);

/* A line that says what is in force. */
void filter_describe(const struct filter *f, char *text, size_t bytes);

/* Readable when frames have been dropped; -1 if that is never told. */
int filter_samples_fd(const struct filter *f);
void filter_take_samples(struct filter *f);

/* A rule that has counted something; or the default, whose line is 0. */
struct filter_count {
	const char *direction, *action, *text;
	uint32_t line;
	bool limits; /* then @over is of frames beyond its limit */
	uint64_t frames, bytes, over;
};

/* A frame that has been dropped, or its beginning. */
struct filter_lost {
	const char *direction;
	uint32_t line;
	int64_t age_ms;
	uint32_t bytes; /* of all */
	const uint8_t *frame;
	unsigned taken; /* bytes at @frame */
};

struct filter_visitor {
	void (*count)(void *context, const struct filter_count *c);
	void (*lost)(void *context, const struct filter_lost *l);
	void *context;
};

/* Calls @v for each of them, the oldest dropped frame first. */
void filter_visit(struct filter *f, const struct filter_visitor *v);

/*
 * What another process needs to go on with @f, attached as it is: with the same
 * counters, without loading anything, and without any privilege. Descriptors in
 * @to stay the filter's. It is the same as long as @f is attached to the same
 * device: what changes is in memory that both share.
 */
void filter_export(const struct filter *f, struct filter_record *to);

/*
 * The other side of that; strings as for filter_new(). On success the
 * descriptors in @from are the filter's; otherwise it is NULL with a line in
 * @why, and they are the caller's.
 */
struct filter *filter_import(const struct filter_options *o, const char *tap,
			     const struct filter_record *from, char *why,
			     size_t why_bytes);

/*
 * Who takes the program off a device that has one of ours when it is let go of,
 * instead of filter_close(): for a process that may not do it itself.
 */
void filter_set_bare(struct filter *f,
		     void (*bare)(void *context, int tap_fd), void *context);

/* What was asked for; its strings live as long as @f. */
const struct filter_options *filter_options(const struct filter *f);

/* The rules that have counted something, and the last dropped frames, as
 * lines: README, Counters. */
void filter_report(struct filter *f, FILE *to);

#endif
