/*
 * Ports that take frames slowly, or not at all: queued frames hold buffers of
 * their senders, and a sender without buffers is not read.
 *
 * One that takes nothing for too long, or next to nothing, is `stalled`: its
 * queue is dropped, and frames for it are dropped at once. Floods then pass it
 * by without touching it (ports->flood), so that a thousand dead guests cost
 * what none cost. When it takes a frame again it is as good as before, but with
 * a short queue that grows by what it takes.
 *
 * A sender that has run out of buffers gets some back sooner: flooded frames
 * from every port that stands still for a moment, and, if it sends to several
 * ports, what a slow one holds beyond its share. How slow is in limits.h.
 */
#ifndef PORT_SLOW_H
#define PORT_SLOW_H

#include <stdbool.h>
#include <stdint.h>

struct port;
struct ports;

/* @p has a queue from now on: what it takes is measured from here. */
void port_note_pace(struct port *p, uint64_t now_ms);

/*
 * @p has no buffer left to be read into; it waits in ports->starved. If it has
 * sent to several ports, those that are slow give back what is beyond their
 * share of its buffers, now or when they are found to be.
 */
void port_starve(struct ports *ps, struct port *p, uint64_t now_ms);
/* Whether enough buffers have come back; if so it is starved no longer. */
bool port_fed(struct ports *ps, uint16_t starved_at);

/* Take buffers back from the ports that have been blocked for too long. */
void ports_stall_blocked(struct ports *ps, uint64_t now_ms);

#endif
