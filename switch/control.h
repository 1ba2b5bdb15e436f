/*
 * The control sockets: one that may do everything, and one that may only look.
 * A request a line and a reply a line, both JSON: ringswitch-control(7).
 *
 * Nobody who connects here may hold frames up. All of a client's work is cut
 * into small steps (a request, or a few ports of a long answer), of which one is
 * done at the end of a round; while frames flow, steps get a fifth of the time.
 * A client that does not read is not read either, and keeps a bounded amount
 * of memory.
 */
#ifndef CONTROL_H
#define CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sw;

struct control_counters {
	uint64_t clients, monitors; /* connected now, to either socket */
	uint64_t requests;
	uint64_t events_lost; /* whose client was too slow */
	uint64_t captures;    /* that go on */
	uint64_t capture_frames, capture_dropped; /* copies, of all captures */
};

/*
 * Make the sockets that the options want. Returns 0, or -errno with a line in
 * @why; control_close() is then still to be called.
 */
int control_open(struct sw *sw, char *why, size_t why_bytes);
void control_close(struct sw *sw);

/* Accept clients. */
void control_start(struct sw *sw);

/* Somebody knocks at the first or second socket. */
void control_on_door(struct sw *sw, uint16_t door);
/* Try again where accepting had to pause, and with those who do not read. */
void control_resume(struct sw *sw);
void control_tick(struct sw *sw);

/* Client @index of generation @gen has said something or gone; or reads on. */
void control_on_input(struct sw *sw, uint16_t index, uint32_t gen, int events);
void control_on_output(struct sw *sw, uint16_t index, uint32_t gen, int events);

struct client;

/* Something has been put for @c outside a step: it is to be sent. */
void control_say(struct sw *sw, struct client *c);
/* An event could not be told. */
void control_lost_event(struct sw *sw);

/* What client @index of generation @gen wants compiled is. */
void control_on_compiled(struct sw *sw, uint16_t index, uint32_t gen);

/* What a client waits for may have happened. */
void control_poke(struct sw *sw);

/*
 * The end of a round: do one step, unless frames come in (@traffic) and it is
 * not time yet.
 */
void control_run(struct sw *sw, bool traffic);
/* How long may be waited for the next round: UINT64_MAX if there is nothing to
 * do. */
uint64_t control_wait_ns(const struct sw *sw, bool traffic);

/* Valid as long as the switch is; the second for those who count. */
const struct control_counters *control_counters(const struct sw *sw);
struct control_counters *control_counters_of(struct sw *sw);

#endif
