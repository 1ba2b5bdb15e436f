/*
 * Where a frame goes. One function, called once for every frame that comes in;
 * knows ports by their queues and addresses by their table, and nothing of
 * where either comes from.
 */
#ifndef FORWARD_H
#define FORWARD_H

#include <stdbool.h>
#include <stdint.h>

#include "mac.h"

struct frame;
struct port;
struct ports;

struct forward {
	struct ports *ports;
	struct mac_table *macs;
	bool hub; /* to everybody, always */
	uint64_t frames;   /* that have come in */
	uint64_t round_ns; /* when this round's were read */
	/* Who is told that @src is new on @in, or has moved there; NULL:
	 * nobody. */
	void (*learned)(struct forward *fw, struct port *in, uint64_t src,
			enum mac_learned what);
};

/*
 * @f has come in on @in at @now_s. Its length is what was sent, which may be
 * more than its buffer holds: then it is dropped. The reference stays the
 * caller's; queues take their own.
 */
void forward_frame(struct forward *fw, struct port *in, struct frame *f,
		   uint32_t now_s);

/* An empty frame has come in on @in: counted and dropped. */
void forward_empty(struct forward *fw, struct port *in);

/* The same for one that a filter does not let in. */
void forward_refused(struct forward *fw, struct port *in, struct frame *f);

#endif
