/*
 * What the files of the hand-over (handover*.c) share with each other, and with
 * listener.c, which has records of its own.
 */
#ifndef HANDOVER_PARTS_H
#define HANDOVER_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared.h"

struct file_record;
struct held;
struct listener_record;
struct port;
struct socket_file;
struct sw;

struct handover {
	struct held **found; /* not taken yet; NULL where it has been */
	size_t found_count;
	struct shared *shared;
	int shared_fd;	       /* -1: nobody else has it */
	struct shared *before; /* of the process before us; or NULL */
	int frames_fd;	       /* what was in the switch; -1: nothing */
	bool options_changed;
};

/* Have port @p kept as it is now, or forgotten. 0, or -EAGAIN. */
int handover_port(struct sw *sw, struct port *p);

/* Put what is in @fd, as handover_frames_write() has written it, into the
 * ports; and write what is in the switch into a new file: returns its
 * descriptor or -errno. */
void handover_frames_read(struct sw *sw, int fd);
int handover_frames_write(struct sw *sw);

/* As handover_take_socket() and handover_keep_socket(), with the listener's own
 * part. */
bool handover_take_listener(struct sw *sw, uint32_t key,
			    struct listener_record *r, struct socket_file *file);
void handover_keep_listener(struct sw *sw, uint32_t key, const char *name,
			    const struct socket_file *s, unsigned serves,
			    const char *made_directory);

/* @s as a record, and back with its descriptor. */
void file_record_write(struct file_record *to, const struct socket_file *s);
void file_record_read(const struct file_record *from, int fd,
		      struct socket_file *to);

#endif
