/*
 * A kind of port without sockets: what is sent to it is kept, and the test
 * says how much it takes.
 */
#ifndef FAKE_PORT_H
#define FAKE_PORT_H

#include <stddef.h>
#include <stdint.h>

#include "../switch/forward.h"
#include "../switch/mac.h"
#include "../switch/port.h"

enum { FAKE_PORTS = 16, FAKE_TAKEN_MAX = 4096 };

#define BROADCAST UINT64_C(0xffffffffffff)

/* The address of the station behind port @at: first byte 02. */
static inline uint64_t station(unsigned at)
{
	return 0x02 | (uint64_t)(at + 1) << 40;
}

struct fake {
	struct port *port;
	unsigned room;	/* frames it takes before it is full */
	int error;	/* if not 0, what every send answers */
	bool splits;	/* of the last frame for which it has room it takes a
			 * part only */
	unsigned taken; /* frames so far */
	uint32_t marks[FAKE_TAKEN_MAX]; /* the mark of each (fake_receive) */
	unsigned waits; /* times it was asked to say when it has room */
	uint32_t blamed; /* whose frames the keeper, if there is one, has been
			  * told that it was given last */
};

struct fake_net {
	struct ports ports;
	struct forward forward;
	struct fake fakes[FAKE_PORTS];
	uint64_t now_ms;
	uint32_t queue; /* room of ports still to be added; 0: the usual */
};

/* A switch with @count ports that take everything. */
void fake_net_init(struct fake_net *net, unsigned count);
void fake_net_fini(struct fake_net *net);

/* One more port, at index @at. */
void fake_add(struct fake_net *net, unsigned at);
/* The same for one that asks for a name or a number. */
void fake_add_named(struct fake_net *net, unsigned at, const char *name,
		    unsigned number);
/* Close the port at @at at once, as if nothing were outstanding. */
void fake_close(struct fake_net *net, unsigned at);

/*
 * Port @from receives a frame of @len bytes from @src to @dst that carries
 * @mark. Returns 0, or -ENOBUFS if the port has no buffer left.
 */
int fake_receive(struct fake_net *net, unsigned from, uint64_t dst,
		 uint64_t src, uint32_t len, uint32_t mark);

/* The end of a round. */
void fake_flush(struct fake_net *net);

/* The port at @at takes @room more frames, and says so. */
void fake_writable(struct fake_net *net, unsigned at, unsigned room);

#endif
