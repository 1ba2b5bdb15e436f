/*
 * Ports: the table of attachments, and each port's send queue.
 *
 * What all kinds of ports have in common is here; what they do differently is
 * behind `struct port_ops`. No sockets and no io_uring in this file: the tests
 * put a fake kind behind it.
 *
 * Life of a port: FREE -> JOINING (a connection that has not yet said who it
 * is; only some kinds) -> UP -> CLOSING (nothing goes in or out, the kernel
 * still owes completions) -> FREE, with a new generation.
 *
 * Sending: port_send() queues, port_flush() at the end of a round hands over
 * what is queued. A receiver that is full is `blocked`: the queue absorbs the
 * burst until the kernel says it takes more. What happens to one that is slow is
 * in port_slow.h.
 *
 * Counting: received = forwarded + dropped for each port as a sender, and
 * offered = sent + undelivered + queued as a receiver. Always.
 */
#ifndef PORT_H
#define PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frame.h"
#include "latency.h"
#include "limits.h"
#include "storm.h"

struct endpoint;
struct filter;
struct kept;
struct port;
struct ports;
struct socket_file;
struct stream;
struct sw;

enum { PORT_NONE = UINT16_MAX }; /* no port's id */

enum port_state {
	PORT_FREE,
	PORT_JOINING,
	PORT_UP,
	PORT_CLOSING,
};

/* Why a frame went no further. First those that concern its sender's frame as
 * a whole, then those that concern one receiver's copy. */
enum drop {
	DROP_RUNT,	  /* shorter than an Ethernet header, or empty */
	DROP_RX_TOO_LONG, /* longer than any frame of this kind of port */
	DROP_SAME_PORT,	  /* its destination is where it came from */
	DROP_NO_PORT,	  /* nobody else is there */
	DROP_FILTER,	  /* a filter at its port does not let it in */
	DROP_ISOLATED,	  /* its destination is isolated, as its sender is */
	DROP_LOCKED,	  /* its source does not belong to its port */
	DROP_MAC_LIMIT,	  /* its source is one more than its port may have */
	DROP_SPOOFED,	  /* its source is somebody else's, or nobody's */
	DROP_STORM_BROADCAST, /* more of them than its port may send */
	DROP_STORM_MULTICAST,
	DROP_STORM_UNKNOWN, /* the same, to addresses that nobody has */
	DROP_ADMIN_DOWN,  /* its port has been switched off */
	DROP_CRASH,	  /* the switch was restarted while it was handled */

	DROP_QUEUE_FULL,  /* the receiver is slow */
	DROP_STALLED,	  /* the receiver takes nothing */
	DROP_TOO_LONG,	  /* longer than the receiver can take */
	DROP_LINK_DOWN,	  /* the receiver's network device is down or gone */
	DROP_SEND_ERROR,  /* the kernel refused it for another reason */
	DROP_PORT_CLOSED, /* the receiver went while the frame was queued */
	DROP_CRASH_QUEUED, /* or the switch was restarted after a crash */
	DROP_COUNT,
	DROP_FIRST_EGRESS = DROP_QUEUE_FULL,
};

struct port_counters {
	/* as a sender */
	uint64_t received, received_bytes, forwarded;
	uint64_t flooded; /* of the forwarded ones */
	/* as a receiver */
	uint64_t offered, sent, sent_bytes;
	uint64_t stalls;
	uint64_t drop[DROP_COUNT];
};

/* How a port differs from others; bits of port->flags. */
enum {
	PORT_ISOLATED = 1 << 0,	   /* exchanges nothing with others like it */
	PORT_NO_LEARNING = 1 << 1, /* source addresses are not noted */
	PORT_NO_FLOOD = 1 << 2,	   /* unicast to unknown addresses passes it by */
	PORT_LOCKED = 1 << 3,	   /* only sources that the table has there */
	PORT_MAC_LIMIT = 1 << 4,   /* to port->mac_limit */
	PORT_ADMIN_DOWN = 1 << 5,  /* as if it were not there */
	PORT_OBSERVED = 1 << 6,	   /* ports->observe is told of its frames */
	PORT_NO_SPOOF = 1 << 7,	   /* no source that is another's */
	PORT_STORM = 1 << 8,	   /* some of port->storms have a limit */
	/* Those by which not every flood is for it. */
	PORT_FLOOD_VARIES = PORT_ISOLATED | PORT_NO_FLOOD,
	/* Those by which its senders' addresses are judged. */
	PORT_JUDGES_SOURCE = PORT_NO_LEARNING | PORT_LOCKED | PORT_MAC_LIMIT |
			     PORT_ADMIN_DOWN | PORT_NO_SPOOF,
};

/* What an observer is told of a frame. */
enum seen {
	SEEN_IN,      /* came in, and goes on */
	SEEN_OUT,     /* the kernel has taken it */
	SEEN_DROPPED, /* and why */
};

/* What happens to ports, for those who want to know. */
enum port_news {
	PORT_NEWS_UP,
	PORT_NEWS_DOWN, /* it is being taken out; its counters are still there */
	PORT_NEWS_STALL,
	PORT_NEWS_STALL_END,
};

/* Requests that the kernel has and will answer: bits of port->armed. */
enum {
	ARMED_RECV = 1 << 0,
	ARMED_WRITABLE = 1 << 1,
	ARMED_CONTROL = 1 << 2,
};

/* The members that may be NULL are said to be. */
struct port_ops {
	const char *kind; /* of the port, if nothing else is found out */
	unsigned batch; /* frames that send is given at most, 1..SEND_BATCH */

	/*
	 * Hand @n frames to the kernel, in order, without waiting. Returns how
	 * many it took (a short count means: full for now), or -EAGAIN if it
	 * takes none now, or another -errno that concerns the first only.
	 * Must not close the port, but may mark it with port_fail(). A frame
	 * of which it took a part is among those taken; the kind keeps the rest
	 * and sets p->unfinished. It is then called again, if need be with @n
	 * 0, and goes on with that first.
	 */
	int (*send)(struct sw *sw, struct port *p,
		    struct frame *const *frames, unsigned n);

	/* Ask to be told by port_writable() when the port takes frames. */
	void (*wait_writable)(struct sw *sw, struct port *p);

	/* Ask the kernel for frames; called when up and after ARMED_RECV has
	 * been cleared. Does nothing if the kind has nothing to read from. */
	void (*arm_recv)(struct sw *sw, struct port *p);

	/* The answer to arm_recv: @res and @flags as in io_uring_enter(2). */
	void (*on_recv)(struct sw *sw, struct port *p, int res, uint32_t flags);

	/* The answer to a request under ARMED_CONTROL; NULL if the kind makes
	 * none. */
	void (*on_control)(struct sw *sw, struct port *p, int res);

	/* Give back descriptors; no request is outstanding any more. */
	void (*release)(struct port *p);
};

/* What a port has been set to. */
struct port_settings {
	uint16_t flags; /* without PORT_OBSERVED */
	uint16_t mac_limit;
	uint32_t storm_rates[STORM_KINDS];
	uint32_t queue; /* frames */
	char mirror_name[PORT_NAME_BYTES];
};

struct port {
	/* for every frame */
	const struct port_ops *ops;
	struct pool *pool;
	struct frame **queue; /* a ring of queue_mask + 1 */
	uint32_t queue_head, queue_count, queue_mask;
	uint32_t queue_limit; /* how many may be in it now */
	uint32_t queue_max;   /* and at most */
	uint32_t frame_max;   /* longest frame that it can take, bytes */
	bool tags_extra;      /* a tagged one may be 4 bytes longer */
	bool dirty;	      /* is in ports->dirty */
	bool blocked, stalled;
	uint16_t flags;	      /* PORT_ISOLATED and so on */
	bool unfinished; /* a frame that counts as sent is not out entirely */
	bool lagging; /* has been blocked since its queue was last empty */
	/* Where its last unicast frame went (or PORT_NONE), and how many have
	 * gone there in a row. */
	uint16_t last_to;
	uint64_t run_frames;
	enum port_state state;
	uint16_t id;
	uint16_t flood_at; /* place in ports->flood, or PORT_NONE */
	uint16_t blocked_at; /* and in ports->blocked */
	uint16_t mac_limit;
	struct storm storms[STORM_KINDS];
	uint64_t device; /* address of its network device; 0: it has none */
	uint32_t queue_high; /* most frames that have waited at once */
	struct latency *latency; /* of frames sent to it; NULL until the first */
	struct port *mirror;	 /* gets a copy of all its frames; or NULL */
	struct pool *copies;	 /* of frames mirrored to it; or NULL */
	uint16_t captures;	 /* that it is in */
	uint16_t number; /* in its name; 0 if there is none */
	bool named;	 /* its name was asked for, and is remembered */
	bool changed;	 /* in what is handed on to another process */
	bool quarantined; /* its frames have crashed the switch: not read */
	bool kept;	 /* there are settings from the last time */
	struct port_settings last;
	uint32_t gen;
	int fd; /* frames */
	unsigned armed;
	unsigned cancels; /* cancel requests not yet answered */
	bool cancel_failed; /* one of them */
	uint64_t flood_mark; /* floods that others had sent when it stalled */
	uint64_t since_ms;   /* joining since; or has had a queue, and taken
			      * fewer than STALL_FRAMES, since */
	uint64_t since_sent; /* counters.sent at that time */
	uint64_t pace_ms, pace_sent, pace_bytes; /* counters at a tick */
	uint64_t slow_until_ms;
	uint64_t last_recv_ms;
	struct port_counters *counters; /* in struct ports_memory */
	const char *failed; /* why it is to be closed at the end of the round */
	const char *kind; /* as its name begins */
	char name[PORT_NAME_BYTES];
	char description[DESCRIPTION_BYTES]; /* what its guest says of itself */
	char mirror_name[PORT_NAME_BYTES];   /* "": none */
	const struct endpoint *endpoint;     /* where it came from */

	/* Whether a frame that it has received may go on; it may be changed.
	 * NULL: all may. */
	bool (*admit)(struct sw *sw, struct port *p, struct frame *f);

	/* Look whether its other side is back. Returns whether to look again
	 * soon. NULL if it is closed when that goes. */
	bool (*reattach)(struct sw *sw, struct port *p);

	/* by kind */
	int control_fd; /* -1 if the kind has none */
	bool is_vde;
	uint32_t request_bytes;
	uint8_t request[JOIN_BYTES];
	uint32_t peer_pid, peer_uid;
	bool asked;	   /* the opener has been, for its data socket */
	uint64_t guest[2]; /* tells its guest's socket from others: opener_wire.h */
	bool link_down; /* its network device is */
	uint32_t link_index; /* of that; 0: unknown */
	bool detached;	/* its other side is not there now */
	bool looking;	/* reattach is to be called in the next tick */
	int look_error; /* why that could not be, as has been said; or 0 */
	uint16_t pause_ms; /* between two attempts to connect again */
	uint64_t retry_at_ms, connected_ms;
	struct stream *stream;
	struct socket_file *file;
	struct filter *filter;
};

/* What is kept of a port that had asked for its name, while it is away. */
struct port_past {
	char name[PORT_NAME_BYTES]; /* "": free */
	struct port_counters counters;
	struct port_settings settings;
};

/* What may outlive the process; zero at first. */
struct ports_memory {
	struct port_counters gone; /* the sum of ports that have been closed */
	struct port_past past[PORT_NAMES_KEPT];
	struct port_counters counters[PORTS_MAX]; /* by id */
};

struct ports {
	struct port *by_id[PORTS_MAX]; /* NULL where FREE for the first time */
	bool numbers[PORTS_MAX];       /* in use in names, less 1 */
	uint16_t id_end;	       /* one past the highest in use ever */
	struct port *flood[PORTS_MAX]; /* up and not stalled */
	struct port *blocked[PORTS_MAX]; /* those that are, and not stalled */
	struct port *dirty[PORTS_MAX]; /* a ring: has frames to flush */
	struct port *starved[PORTS_MAX];
	struct port *closing[PORTS_MAX];
	uint16_t flood_count, dirty_head, dirty_count, starved_count, closing_count;
	uint16_t up_count, joining_count, blocked_count, failed_count;
	uint16_t admin_down_count; /* of those that are up */
	struct port *devices[PORTS_MAX]; /* ports that have one */
	uint16_t device_count;
	bool changed; /* some port has */
	uint64_t floods; /* frames flooded, by anybody */
	/* ports_init() makes some, and who wants it elsewhere says where before
	 * there is any port. */
	struct ports_memory *memory, *own_memory;
	struct latency gone_latency;
	uint16_t past_next; /* the place to be taken when all are */
	struct kept *kept;  /* is told whose frames are being sent; or NULL */

	/* Who is told of the frames of ports that are PORT_OBSERVED, in the
	 * order in which they go; @why only of those that are dropped. Must
	 * not change any port, but may port_send() to others. */
	void (*observe)(struct ports *ps, struct port *p, struct frame *f,
			enum seen seen, enum drop why);
	/* Who is told what happens to ports; NULL: nobody. */
	void (*notify)(struct ports *ps, struct port *p, enum port_news news);
};

extern const char *const drop_names[DROP_COUNT];

/* Returns 0 or -ENOMEM. */
int ports_init(struct ports *ps);
/* Frees the memory of all ports; they must be FREE. */
void ports_fini(struct ports *ps);

/*
 * A port of kind @ops in state JOINING, at @now_ms, with room for @queue
 * frames (0: PORT_QUEUE). Takes the lowest free id. NULL if PORTS_MAX are there
 * or memory is short.
 */
struct port *port_new(struct ports *ps, const struct port_ops *ops,
		      uint32_t queue, uint64_t now_ms);
/* The same with an id that is free. */
struct port *port_new_at(struct ports *ps, const struct port_ops *ops,
			 uint32_t queue, uint64_t now_ms, uint16_t id);

/*
 * A joining port with its descriptor and pool set takes part from now on, under
 * the name that port_name.h has given it.
 */
void port_up(struct ports *ps, struct port *p);

/*
 * Queue @f for @p. Takes its own reference; the caller keeps theirs. Returns
 * 0, or -ENOBUFS: the frame has been counted under its reason, and nothing
 * else has changed.
 */
int port_send(struct ports *ps, struct port *p, struct frame *f);

/* The same for one that is refused, for @why. */
void port_refuse(struct ports *ps, struct port *p, struct frame *f,
		 enum drop why);

/*
 * @f, which has come from @p or was on its way to it (by @why), goes no
 * further: count it, and tell who watches. Its reference stays as it is.
 */
void port_drop(struct ports *ps, struct port *p, struct frame *f,
	       enum drop why);

/* The flags of @p are @flags from now on. Switching it off drops what is
 * queued. */
void port_set_flags(struct ports *ps, struct port *p, uint16_t flags);

/* Room for @frames, 1..PORT_QUEUE_MAX, from now on; what waits beyond them may
 * go on waiting. Returns 0 or -ENOMEM. */
int port_set_queue(struct port *p, uint32_t frames);

/* Hand over what is queued on every dirty port. */
void ports_flush(struct ports *ps, struct sw *sw, uint64_t now_ms);

/* The kernel says that @p takes frames again. */
void port_writable(struct ports *ps, struct port *p);

/*
 * Take from @p what is queued for it, and send it nothing until it takes a
 * frame again: for port_slow.c, which knows when.
 */
void port_stall(struct ports *ps, struct port *p);

/* What @p is to those who look from outside has changed: its descriptors, name or
 * settings. */
void port_changed(struct ports *ps, struct port *p);

/* @f waits again for @p, as it did in another process: nothing is counted. False
 * if there is no room. */
bool port_requeue(struct ports *ps, struct port *p, struct frame *f);

/* To be closed at the end of the round, for @why (a literal); the first reason
 * counts. */
void port_fail(struct ports *ps, struct port *p, const char *why);

/*
 * Take @p, joining or up, out of everything: queue, lists, counters. It is
 * CLOSING and in ports->closing until port_free().
 */
void port_detach(struct ports *ps, struct port *p);

/* A CLOSING port without outstanding requests becomes FREE. */
void port_free(struct ports *ps, struct port *p);

/* The counters of @p as they are now, floods that passed it by included. */
struct port_counters port_counters(const struct ports *ps,
				   const struct port *p);
void port_counters_add(struct port_counters *to,
		       const struct port_counters *more);
void port_counters_subtract(struct port_counters *from,
			    const struct port_counters *less);
uint64_t port_dropped(const struct port_counters *c);
uint64_t port_undelivered(const struct port_counters *c);

/* The frame at @place in the queue of @p, 0 being the first to go. */
static inline struct frame **port_queue_at(const struct port *p, uint32_t place)
{
	return &p->queue[(p->queue_head + place) & p->queue_mask];
}

/* The port of @e, which has one at most and is not a listener; or NULL. */
static inline struct port *port_of_endpoint(const struct ports *ps,
					    const struct endpoint *e)
{
	for (uint16_t i = 0; i < ps->id_end; i++)
		if (ps->by_id[i]->endpoint == e &&
		    ps->by_id[i]->state != PORT_FREE && !ps->by_id[i]->failed)
			return ps->by_id[i];
	return NULL;
}

/* The live port of an id and generation, or NULL. */
static inline struct port *ports_find(const struct ports *ps, uint16_t id,
				      uint32_t gen)
{
	struct port *p = id < PORTS_MAX ? ps->by_id[id] : NULL;

	return p && p->gen == gen && p->state != PORT_FREE ? p : NULL;
}

#endif
