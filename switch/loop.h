/*
 * The event loop: one ring, one thread.
 *
 * A round: wait for completions, hand each to its handler, then what was
 * deferred: flush the ports that have frames queued, read on where buffers
 * have come back, close what is to be closed. Nothing is submitted anywhere
 * but at the start of the next round (unless the submission queue is full);
 * loop_wait.c does that, and waits.
 * Requests are put together in loop_submit.c, their answers are handed out in
 * loop.c; loop_ring.c makes the ring, and says what it may be used for.
 *
 * A completion is recognised by 64 bits that we chose: what was asked, for
 * which port, and that port's generation; never a pointer or a descriptor, so
 * that one that is late for a closed port is seen to be.
 */
#ifndef LOOP_H
#define LOOP_H

#include <liburing.h>
#include <stdbool.h>
#include <stdint.h>

#include "limits.h"

struct port;
struct sw;

/* liburing 2.3 (Debian 12) does not know it. Value: linux/io_uring.h, 6.7. */
#define LOOP_OP_READ_MULTISHOT 49

enum loop_op {
	LOOP_ACCEPT,   /* somebody knocks; "port" is the listener */
	LOOP_CONTROL,  /* a port's other descriptor: a control connection */
	LOOP_RECV,     /* a frame, or why not */
	LOOP_WRITABLE, /* a blocked port takes frames again */
	LOOP_CANCEL,   /* a cancel request of a closing port */
	LOOP_SIGNAL,
	LOOP_LINK,     /* something has changed on some network device */
	LOOP_STDIN,
	LOOP_TICK,
	LOOP_TRIM,
	LOOP_SECOND,	 /* somebody wants to know once a second */
	LOOP_WATCHDOG,
	LOOP_DOOR,	 /* a control client knocks; "port" is which socket */
	LOOP_CLIENT_IN,	 /* a control client has said something; "port" is who */
	LOOP_CLIENT_OUT, /* or listens again */
	LOOP_COMPILED,	 /* what that client wants is */
	LOOP_METRICS,	 /* HTTP clients have something to say */
	LOOP_OPENER,	 /* the opener has: a guest joins */
	LOOP_KEEPER,	 /* our keeper has died */
};

union loop_ref {
	struct {
		uint16_t op;
		uint16_t port;
		uint32_t gen;
	};
	uint64_t bits;
};

struct loop_counters {
	uint64_t rounds;
	uint64_t completions; /* answers of the kernel */
	uint64_t submissions; /* requests to it, sends apart */
	uint64_t frames_max;  /* most that came in in one round */
};

struct loop {
	struct io_uring ring;
	bool open;
	bool multishot_read; /* on tap devices */
	bool fixed_files; /* it takes registered descriptors only */
	bool tick_armed, trim_armed, second_armed;
	uint64_t traffic_ms; /* when frames came in last */
	uint32_t busy_poll_us;
	uint64_t watchdog_ms; /* how often systemd is told; 0: never */
	struct __kernel_timespec tick, trim, second, watchdog;
	struct loop_counters counters;
	uint8_t files[LOOP_FILES_MAX]; /* what is known of a descriptor */
};

/*
 * Make the ring, find out what the kernel has, leaving out what @without
 * (options.h) forbids, and shut out all that is not needed. Before sleeping,
 * @busy_poll_us are spent on looking. Who calls this is the only process that can
 * use it. Returns 0, or -errno with a line in @why.
 */
int loop_init(struct loop *loop, unsigned without, uint32_t busy_poll_us,
	      char *why, size_t why_bytes);
void loop_fini(struct loop *loop);

/*
 * The ring is to know @fd, which is open and O_NONBLOCK (if that matters) by
 * now: every descriptor that a request names, from when it is ours until just
 * before it is closed. Returns 0, or -errno; it is then tried again with every
 * request that names it, and these answer -EBADF until that succeeds, so that
 * callers need not care. -EMFILE is for ever: its number is LOOP_FILES_MAX or
 * more.
 */
int loop_file_add(struct loop *loop, int fd);

/* And no longer: before @fd is closed, or else its other side does not see the
 * end. Requests under way go on. Nothing happens to one that has not been
 * added, or to -1. */
void loop_file_remove(struct loop *loop, int fd);

/* Those of @p, which has no requests under way. */
void loop_port_files_remove(struct sw *sw, const struct port *p);

/* For loop_submit.c: let @sqe name its descriptor in the way that the ring
 * wants. */
void loop_file_use(struct loop *loop, struct io_uring_sqe *sqe);

/* Whether frames come in, now or a moment ago. */
bool loop_has_traffic(const struct sw *sw);

/* Hand in what there is, and wait for something to happen, unless there is
 * something to do meanwhile. */
void loop_wait(struct sw *sw);

/* Run until sw->stopping. */
void loop_run(struct sw *sw);

/* Take every request of ports and listeners back, after loop_run(), and hand out
 * what has come meanwhile: what is then in the switch is in queues and streams. */
void loop_quiesce(struct sw *sw);

/* Close every port, and wait for what the kernel still owes them. */
void loop_close_ports(struct sw *sw);

/*
 * A submission for @p, still to be filled by an io_uring_prep function and
 * then by loop_tag(). @armed is the bit in p->armed that it is noted under;
 * returns NULL if it is armed already.
 */
struct io_uring_sqe *loop_port_sqe(struct sw *sw, struct port *p,
				   unsigned armed);
void loop_tag(struct sw *sw, struct io_uring_sqe *sqe, enum loop_op op,
	      const struct port *p);

/* Take back the requests of @p in @armed (ARMED_*); they complete as
 * cancelled, or as they would have. */
void loop_cancel(struct sw *sw, struct port *p, unsigned armed);

/*
 * The number under which the kernel knows the port's buffers. Linux 6.1 keeps
 * groups below 64 in an array and does not forget how far an unregistered one
 * had been read (io_uring/kbuf.c, io_register_pbuf_ring): the next pool of the
 * same number would be read from its middle. From 64 on it does forget.
 */
static inline uint16_t loop_buffer_group(uint16_t port_id)
{
	return (uint16_t)(port_id + 64);
}

/* Register the port's pool with the kernel, and take it back. */
int loop_register_pool(struct sw *sw, struct port *p);
void loop_unregister_pool(struct sw *sw, struct port *p);

/* Close now the ports that port_fail() has marked: for somebody who needs
 * their names. */
void loop_close_failed(struct sw *sw);

/* Accept connections at a listener; and no longer. */
void loop_arm_accept(struct sw *sw, uint16_t listener);
void loop_cancel_accept(struct sw *sw, uint16_t listener);

/* Complete as @op @after_ms from now; *@after is used until then. */
void loop_arm_timeout(struct sw *sw, struct __kernel_timespec *after,
		      uint64_t after_ms, enum loop_op op);

/* Call tap_ports_on_link() when sw->link_watch_fd, which has been opened while
 * the switch runs, has something to say. */
void loop_watch_links(struct sw *sw);

/* Call events_second() in a second. */
void loop_arm_second(struct sw *sw);

/* Say once, as @op of @which in its generation @gen, that @fd has some of
 * @events (poll(2)); and take that back. */
void loop_arm_poll(struct sw *sw, int fd, short events, enum loop_op op,
		   uint16_t which, uint32_t gen);
void loop_cancel_poll(struct sw *sw, enum loop_op op, uint16_t which,
		      uint32_t gen);

#endif
