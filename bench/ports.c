/* Joining, and being learned. See ports.h. */
#include "ports.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "now.h"
#include "pattern.h"

enum {
	ANNOUNCE_TIMEOUT_MS = 500,
	ANNOUNCE_TRIES = 4,
	ANNOUNCE_STRANGERS = 64,	/* other frames looked at per try */
	/* Until a switch has seen that the last user of a dgram port is gone. */
	TAKE_OVER_MS = 20,
	TAKE_OVER_TRIES = 150,
};

void ports_mac(uint8_t mac[MAC_BYTES], unsigned int index, uint64_t number)
{
	pattern_mac(mac, MAC_PORT, (uint32_t)(number * PORTS_MAX + index));
}

static const struct peer_end *end_of(const struct ports *ports,
				     const struct plan *plan,
				     unsigned int index)
{
	return index < plan->ports && plan_is_far_end(plan->pattern, index) ?
	       &ports->setup.far : &ports->setup.near;
}

static int complain(const struct peer_end *end, const char *what,
		    const char *why)
{
	fprintf(stderr, "ringbench: %s:%s: %s: %s\n", peer_kind_name[end->kind],
		end->path, what, why);
	return -EIO;
}

static int join(struct ports *ports, const struct plan *plan,
		unsigned int index)
{
	const struct peer_end *end = end_of(ports, plan, index);
	int err = peer_open(&ports->peer[index], end, index);
	char what[48];

	if (err) {
		sprintf(what, "port %u cannot attach", index);
		return complain(end, what, peer_why(end->kind, err));
	}
	ports->count = index + 1;
	return 0;
}

/* Whether the frame numbered @seq of @from comes. */
static bool comes(const struct peer *to, const struct peer *from, uint64_t seq)
{
	uint8_t frame[FRAME_MIN_BYTES];
	struct pattern p;

	for (int i = 0; i < ANNOUNCE_STRANGERS; i++) {
		const ssize_t n = peer_recv_one(to, frame, sizeof(frame),
						ANNOUNCE_TIMEOUT_MS);

		if (n < 0)
			return false;
		if (n == sizeof(frame) &&
		    pattern_read(frame, sizeof(frame), &p) == PATTERN_ANNOUNCE &&
		    p.seq == seq && !memcmp(&p.due_ns, from->mac, MAC_BYTES))
			return true;
	}
	return false;
}

/* A switch is still connected to who had our name before. */
static int send_patiently(const struct peer *from, uint8_t *frame, size_t len)
{
	int err = peer_send_one(from, frame, len, false);

	for (int i = 0; i < TAKE_OVER_TRIES && from->kind == PEER_DGRAM &&
	     (err == -EPERM || err == -ECONNREFUSED); i++) {
		sleep_until_ns(now_ns() + TAKE_OVER_MS * NS_PER_MS);
		err = peer_send_one(from, frame, len, false);
	}
	return err;
}

/*
 * Let the switch learn where the @number-th address of port @from is, by a frame
 * to @dst that port @to sees come out. The switch has looked at the frame then,
 * so no pause is needed.
 */
static int announce(const struct ports *ports, unsigned int from,
		    unsigned int to, const uint8_t dst[MAC_BYTES],
		    uint64_t number)
{
	const struct peer *sender = &ports->peer[from];
	struct pattern p = { .seq = number };
	uint8_t frame[FRAME_MIN_BYTES], src[MAC_BYTES];
	int err = 0;

	ports_mac(src, from, number);
	memcpy(&p.due_ns, sender->mac, MAC_BYTES);
	pattern_write(frame, sizeof(frame), dst, src, TYPE_ANNOUNCE, &p);
	for (int i = 0; !err && i < ANNOUNCE_TRIES; i++) {
		err = send_patiently(sender, frame, sizeof(frame));
		if (!err && comes(&ports->peer[to], sender, number))
			return 0;
	}
	return err ? err : -ETIMEDOUT;
}

static int complain_silence(const struct ports *ports, const struct plan *plan,
			    unsigned int from, unsigned int to, int err)
{
	const struct peer_end *end = end_of(ports, plan, from);
	char what[64];

	sprintf(what, "no frame of port %u reaches port %u", from, to);
	return complain(end, what, err == -ETIMEDOUT ?
			"none came within two seconds" :
			peer_why(end->kind, err));
}

/* Port 0 is whom the others announce themselves to, once it knows of one. */
static int announce_port(const struct ports *ports, const struct plan *plan,
			 unsigned int index)
{
	const uint8_t *dst = index == 1 ? mac_broadcast : ports->peer[0].mac;
	int err = announce(ports, index, 0, dst, 0);

	if (err)
		return complain_silence(ports, plan, index, 0, err);
	if (index != 1)
		return 0;
	err = announce(ports, 0, 1, ports->peer[1].mac, 0);
	return err ? complain_silence(ports, plan, 0, 1, err) : 0;
}

static int announce_addresses(const struct ports *ports,
			      const struct plan *plan, unsigned int index)
{
	const unsigned int to = index == 0;
	int err = 0;

	if (!plan_receives(plan, index))
		return 0;
	for (uint64_t i = 1; !err && i < ports->addresses; i++)
		err = announce(ports, index, to, ports->peer[to].mac, i);
	return err ? complain_silence(ports, plan, index, to, err) : 0;
}

static unsigned int receivers_of(const struct plan *plan)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < plan->ports; i++)
		count += plan_receives(plan, i);
	return count;
}

/*
 * All join before the first is learned: vde_switch forgets all addresses when a
 * port joins, and would flood from then on what is sent to those before.
 */
static int join_all(struct ports *ports, const struct plan *plan)
{
	const unsigned int total = ports->busy + ports->setup.idle;
	const unsigned int receivers = receivers_of(plan);
	int err = 0;

	ports->addresses = (ports->setup.addresses + receivers - 1) / receivers;
	if (!ports->addresses)
		ports->addresses = 1;
	for (unsigned int i = 0; !err && i < total; i++)
		err = join(ports, plan, i);
	for (unsigned int i = 1; !err && i < total; i++)
		err = announce_port(ports, plan, i);
	for (unsigned int i = 0; !err && i < ports->busy; i++)
		err = announce_addresses(ports, plan, i);
	for (unsigned int i = 0; !err && i < total; i++)
		peer_drain(&ports->peer[i]);
	return err;
}

static struct ports *ports_new(unsigned int count)
{
	struct ports *ports = calloc(1, sizeof(*ports) +
				     count * sizeof(ports->peer[0]));

	if (!ports)
		fputs("ringbench: no memory for the ports\n", stderr);
	return ports;
}

struct ports *ports_join(const struct ports_setup *setup,
			 const struct plan *plan)
{
	struct ports *ports = ports_new(plan->ports + setup->idle);

	if (!ports)
		return NULL;
	ports->setup = *setup;
	ports->busy = plan->ports;
	if (join_all(ports, plan)) {
		ports_free(ports);
		return NULL;
	}
	return ports;
}

struct ports *ports_direct(const struct peer ends[2])
{
	struct ports *ports = ports_new(2);

	if (!ports)
		return NULL;
	ports->busy = ports->count = 2;
	ports->addresses = 1;
	memcpy(ports->peer, ends, 2 * sizeof(ports->peer[0]));
	return ports;
}

void ports_free(struct ports *ports)
{
	if (!ports)
		return;
	for (unsigned int i = 0; i < ports->count; i++)
		peer_close(&ports->peer[i]);
	free(ports);
}
