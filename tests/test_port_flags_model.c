/*
 * Ports with any flags, that stand still, stall, go and come, against a model
 * of one loop over all of them: after every step every counter of every port
 * is the model's, and so both balances are exact.
 */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "../switch/port_security.h"
#include "../switch/port_slow.h"
#include "fake_port.h"

/* Few enough queues that no sender ever runs out of buffers: who does so is
 * test_port.c's business. */
enum { PORTS = 6, STATIONS = 9, QUEUE_MOST = 20, STEPS = 60000, LEN = 60 };

/* Besides stations: to everybody, to some group, from nobody. */
enum { TO_ALL = STATIONS, TO_GROUP, FROM_NOBODY, ADDRESSES };

/* What a storm may still send, in nanoseconds of its rate. */
struct model_storm {
	uint32_t rate;
	uint64_t level_ns, seen_ns;
};

struct model_port {
	bool up, blocked, stalled;
	uint16_t flags;
	int device; /* the station that its device is, or -1 */
	struct model_storm storms[STORM_KINDS];
	uint16_t mac_limit;
	uint32_t room, queued, queue_high, limit, max;
	struct port_counters c;
	uint64_t seen_in, seen_out, seen_drop; /* while observed */
};

struct model_station {
	int at; /* -1: not known */
	bool fixed;
};

static struct fake_net net;
static struct model_port ports[PORTS];
static struct model_station stations[STATIONS];
static struct port_counters gone;
static struct {
	uint64_t in, out, drop;
} seen[PORTS];

/* --- the model ---------------------------------------------------------- */

static void model_drop(struct model_port *p, enum drop why)
{
	p->c.drop[why]++;
	p->seen_drop += (p->flags & PORT_OBSERVED) != 0;
}

static void model_offer(struct model_port *p)
{
	p->c.offered++;
	if (p->stalled) {
		model_drop(p, DROP_STALLED);
	} else if (p->queued >= p->limit) {
		model_drop(p, DROP_QUEUE_FULL);
	} else {
		p->queued++;
		if (p->queued > p->queue_high)
			p->queue_high = p->queued;
	}
}

static void model_flush_port(struct model_port *p)
{
	uint32_t taken = p->queued < p->room ? p->queued : p->room;

	if (!p->up || p->blocked)
		return;
	p->room -= taken;
	p->queued -= taken;
	p->c.sent += taken;
	p->c.sent_bytes += (uint64_t)taken * LEN;
	p->seen_out += p->flags & PORT_OBSERVED ? taken : 0;
	p->limit = p->limit + taken < p->max ? p->limit + taken : p->max;
	p->blocked = p->queued;
}

/* The end of a round. */
static void model_flush(void)
{
	for (unsigned i = 0; i < PORTS; i++)
		model_flush_port(&ports[i]);
}

/* Whether a flood from @in is for @out, if isolation counts. */
static bool model_wants(const struct model_port *in,
			const struct model_port *out, bool unknown,
			bool isolation)
{
	return out->up && out != in && !(out->flags & PORT_ADMIN_DOWN) &&
	       !(unknown && out->flags & PORT_NO_FLOOD) &&
	       !(isolation && in->flags & out->flags & PORT_ISOLATED);
}

static void model_goes_on(struct model_port *in)
{
	in->c.forwarded++;
	in->seen_in += (in->flags & PORT_OBSERVED) != 0;
}

static bool model_pours(struct model_port *in, enum storm_kind kind)
{
	static const enum drop reasons[STORM_KINDS] = {
		DROP_STORM_BROADCAST, DROP_STORM_MULTICAST, DROP_STORM_UNKNOWN,
	};
	struct model_storm *s = &in->storms[kind];
	uint64_t frame_ns = s->rate ? 1000000000 / s->rate : 0;
	uint64_t room_ns = frame_ns * (s->rate > 50 ? s->rate / 10 : 5);

	s->level_ns += net.forward.round_ns - s->seen_ns;
	s->seen_ns = net.forward.round_ns;
	s->level_ns = s->level_ns < room_ns ? s->level_ns : room_ns;
	if (s->level_ns < frame_ns) {
		model_drop(in, reasons[kind]);
		return false;
	}
	s->level_ns -= frame_ns;
	return true;
}

static void model_flood(struct model_port *in, enum storm_kind kind)
{
	bool unknown = kind == STORM_UNKNOWN;
	unsigned wanting = 0, but_for_isolation = 0;

	if (!model_pours(in, kind))
		return;
	for (unsigned i = 0; i < PORTS; i++) {
		wanting += model_wants(in, &ports[i], unknown, true);
		but_for_isolation += model_wants(in, &ports[i], unknown, false);
	}
	if (!wanting) {
		model_drop(in, but_for_isolation ? DROP_ISOLATED : DROP_NO_PORT);
		return;
	}
	model_goes_on(in);
	in->c.flooded++;
	for (unsigned i = 0; i < PORTS; i++)
		if (model_wants(in, &ports[i], unknown, true))
			model_offer(&ports[i]);
}

static unsigned model_addresses(const struct model_port *of)
{
	unsigned n = 0;

	for (unsigned s = 0; s < STATIONS; s++)
		n += stations[s].at >= 0 && &ports[stations[s].at] == of;
	return n;
}

static bool model_spoofs(const struct model_port *in, unsigned src, bool known)
{
	for (unsigned i = 0; i < PORTS; i++)
		if (ports[i].up && &ports[i] != in &&
		    ports[i].device == (int)src)
			return true;
	return src >= STATIONS || (stations[src].at >= 0 && !known);
}

/* Whether a frame of @src, a station or nobody, may come in. */
static bool model_judges(struct model_port *in, unsigned src)
{
	bool known = src < STATIONS && stations[src].at >= 0 &&
		     &ports[stations[src].at] == in;
	bool learns = !(in->flags & (PORT_NO_LEARNING | PORT_LOCKED));

	if (in->flags & PORT_ADMIN_DOWN)
		model_drop(in, DROP_ADMIN_DOWN);
	else if (in->flags & PORT_LOCKED && !known)
		model_drop(in, DROP_LOCKED);
	else if (in->flags & PORT_NO_SPOOF && model_spoofs(in, src, known))
		model_drop(in, DROP_SPOOFED);
	else if (in->flags & PORT_MAC_LIMIT && learns && !known &&
		 src < STATIONS && model_addresses(in) >= in->mac_limit)
		model_drop(in, DROP_MAC_LIMIT);
	else
		return true;
	return false;
}

static void model_learn(const struct model_port *in, unsigned src)
{
	struct model_station *s;

	if (in->flags & (PORT_NO_LEARNING | PORT_LOCKED) || src >= STATIONS)
		return;
	s = &stations[src];
	if (s->fixed)
		return;
	/* It does not go away from a port that may not spoof. */
	if (s->at < 0 || !(ports[s->at].flags & PORT_NO_SPOOF))
		s->at = (int)(in - ports);
}

static void model_receive(struct model_port *in, unsigned src, unsigned dst)
{
	struct model_port *out;

	in->c.received++;
	in->c.received_bytes += LEN;
	if (!model_judges(in, src))
		return;
	model_learn(in, src);
	if (dst >= STATIONS || stations[dst].at < 0) {
		model_flood(in, dst == TO_ALL	  ? STORM_BROADCAST
				: dst == TO_GROUP ? STORM_MULTICAST
						  : STORM_UNKNOWN);
		return;
	}
	out = &ports[stations[dst].at];
	if (out == in) {
		model_drop(in, DROP_SAME_PORT);
	} else if (in->flags & out->flags & PORT_ISOLATED) {
		model_drop(in, DROP_ISOLATED);
	} else if (out->flags & PORT_ADMIN_DOWN) {
		model_drop(in, DROP_NO_PORT);
	} else {
		model_goes_on(in);
		model_offer(out);
	}
}

static void model_drop_queue(struct model_port *p, enum drop why)
{
	for (; p->queued; p->queued--)
		model_drop(p, why);
}

static void model_stall(struct model_port *p)
{
	if (!p->up || !p->blocked || p->stalled)
		return;
	p->stalled = true;
	p->c.stalls++;
	if (p->limit > PORT_QUEUE_PROBATION)
		p->limit = PORT_QUEUE_PROBATION;
	model_drop_queue(p, DROP_STALLED);
}

static void model_forget(unsigned at, bool fixed_too)
{
	for (unsigned s = 0; s < STATIONS; s++)
		if (stations[s].at == (int)at &&
		    (fixed_too || !stations[s].fixed))
			stations[s] = (struct model_station){ .at = -1 };
}

/* --- a step of both ----------------------------------------------------- */

static unsigned below(unsigned n)
{
	return (unsigned)random() % n;
}

static uint64_t address(unsigned s)
{
	return s == TO_ALL	  ? BROADCAST
	       : s == TO_GROUP	  ? UINT64_C(0x0100005e0001)
	       : s == FROM_NOBODY ? 0
				  : station(s);
}

static void receive(unsigned at)
{
	unsigned src = below(STATIONS), dst = below(FROM_NOBODY);

	if (below(20) == 0)
		src = STATIONS + below(ADDRESSES - STATIONS);
	net.forward.round_ns += below(50) * 100000;
	assert_int_equal(fake_receive(&net, at, address(dst), address(src),
				      LEN, 0),
			 0);
	model_receive(&ports[at], src, dst);
}

static void change_flags(unsigned at)
{
	struct model_port *p = &ports[at];
	uint16_t flags = (uint16_t)(p->flags ^ 1 << below(8));

	if (flags & ~p->flags & PORT_ADMIN_DOWN) {
		model_drop_queue(p, DROP_PORT_CLOSED);
		mac_flush_learned(net.forward.macs, net.fakes[at].port->id);
		model_forget(at, false);
	}
	net.fakes[at].port->mac_limit = p->mac_limit = (uint16_t)below(4);
	port_set_flags(&net.ports, net.fakes[at].port, flags);
	p->flags = flags;
}

static void change_storm(unsigned at)
{
	enum storm_kind kind = (enum storm_kind)below(STORM_KINDS);
	struct port *p = net.fakes[at].port;
	uint32_t rates[STORM_KINDS], rate = below(3) ? 1 + below(40) : 0;

	port_storm_rates(p, rates);
	rates[kind] = rate;
	port_set_storms(p, rates);
	ports[at].flags = port_storm_flag(ports[at].flags, rates);
	port_set_flags(&net.ports, p, ports[at].flags);
	if (ports[at].storms[kind].rate != rate)
		ports[at].storms[kind] = (struct model_storm){
			.rate = rate, .level_ns = UINT64_MAX / 2
		};
}

static void change_device(unsigned at)
{
	int device = (int)below(STATIONS + 1) - 1;

	ports[at].device = device;
	port_set_device(&net.ports, net.fakes[at].port,
			device < 0 ? 0 : address((unsigned)device));
}

static void go_or_come(unsigned at)
{
	struct model_port *p = &ports[at];

	if (p->up) {
		model_drop_queue(p, DROP_PORT_CLOSED);
		port_counters_add(&gone, &p->c);
		model_forget(at, true);
		fake_close(&net, at);
		*p = (struct model_port){ .up = false };
		return;
	}
	net.queue = 1 + below(QUEUE_MOST);
	fake_add(&net, at);
	*p = (struct model_port){ .up = true, .room = UINT32_MAX, .device = -1,
				  .limit = net.queue, .max = net.queue };
	memset(&seen[at], 0, sizeof(seen[at]));
}

static void open_or_shut(unsigned at)
{
	struct model_port *p = &ports[at];
	uint32_t room = below(3) ? below(6) : UINT32_MAX;

	net.fakes[at].room = p->room = 0;
	if (below(2))
		return;
	p->room = room;
	p->blocked = p->stalled = false;
	fake_writable(&net, at, room);
	model_flush();
}

static void all_wait_too_long(void)
{
	net.now_ms += STALL_MS;
	ports_stall_blocked(&net.ports, net.now_ms);
	for (unsigned i = 0; i < PORTS; i++)
		model_stall(&ports[i]);
}

static void change_queue(unsigned at)
{
	uint32_t frames = 1 + below(QUEUE_MOST);

	assert_int_equal(port_set_queue(net.fakes[at].port, frames), 0);
	ports[at].limit = ports[at].max = frames;
}

static void fix(unsigned at)
{
	unsigned s = below(STATIONS);

	if (below(2)) {
		assert_int_equal(mac_forget(net.forward.macs, address(s), 0),
				 stations[s].at >= 0);
		stations[s] = (struct model_station){ .at = -1 };
		return;
	}
	assert_int_equal(mac_fix(net.forward.macs, address(s),
				 net.fakes[at].port->id, 0),
			 0);
	stations[s] = (struct model_station){ .at = (int)at, .fixed = true };
}

static void step(void)
{
	unsigned at = below(PORTS), what = below(100);

	if (what < 2 || !ports[at].up)
		go_or_come(at);
	else if (what < 10)
		change_flags(at);
	else if (what < 20)
		open_or_shut(at);
	else if (what < 22)
		all_wait_too_long();
	else if (what < 25)
		change_queue(at);
	else if (what < 28)
		fix(at);
	else if (what < 30)
		change_storm(at);
	else if (what < 31)
		change_device(at);
	else
		receive(at);
	if (below(3))
		return;
	fake_flush(&net);
	model_flush();
}

static void compare(unsigned at)
{
	const struct port *p = net.fakes[at].port;
	const struct model_port *m = &ports[at];
	struct port_counters c;

	if (!m->up)
		return;
	c = port_counters(&net.ports, p);
	assert_int_equal(c.received, c.forwarded + port_dropped(&c));
	assert_int_equal(c.offered,
			 c.sent + port_undelivered(&c) + p->queue_count);
	for (int i = 0; i < DROP_COUNT; i++)
		if (c.drop[i] != m->c.drop[i])
			fail_msg("port %u: %s is %ju, should be %ju", at,
				 drop_names[i], (uintmax_t)c.drop[i],
				 (uintmax_t)m->c.drop[i]);
	assert_memory_equal(&c, &m->c, sizeof(c));
	assert_int_equal(p->queue_count, m->queued);
	assert_int_equal(p->queue_high, m->queue_high);
	assert_int_equal(p->queue_limit, m->limit);
	assert_int_equal(p->stalled, m->stalled);
	assert_int_equal(p->blocked, m->blocked);
	assert_int_equal(seen[at].in, m->seen_in);
	assert_int_equal(seen[at].out, m->seen_out);
	/* It is not told of the floods that pass a stalled port by. */
	assert_in_range(seen[at].drop, 0, m->seen_drop);
}

static void observe(struct ports *ps, struct port *p, struct frame *f,
		    enum seen what, enum drop why)
{
	unsigned at = (unsigned)p->fd;

	(void)ps, (void)why;
	assert_true(f->refs > 0);
	seen[at].in += what == SEEN_IN;
	seen[at].out += what == SEEN_OUT;
	seen[at].drop += what == SEEN_DROPPED;
}

static void start(void)
{
	static const uint8_t key[16] = "not so secret..";

	memset(ports, 0, sizeof(ports));
	memset(&gone, 0, sizeof(gone));
	memset(seen, 0, sizeof(seen));
	fake_net_init(&net, 0);
	mac_free(net.forward.macs);
	/* For ever: ageing is test_mac.c's business. */
	net.forward.macs = mac_new(256, PORTS_MAX, 0, key);
	net.ports.observe = observe;
	for (unsigned s = 0; s < STATIONS; s++)
		stations[s].at = -1;
	for (unsigned i = 0; i < PORTS; i++)
		go_or_come(i);
}

static void every_counter_is_what_a_naive_switch_would_count(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 4; seed++) {
		srandom(seed);
		start();
		for (unsigned i = 0; i < STEPS; i++) {
			step();
			for (unsigned at = 0; at < PORTS; at++)
				compare(at);
		}
		for (unsigned at = 0; at < PORTS; at++)
			if (ports[at].up)
				go_or_come(at);
		assert_memory_equal(&net.ports.memory->gone, &gone, sizeof(gone));
		assert_int_equal(net.ports.admin_down_count, 0);
		assert_int_equal(net.ports.blocked_count, 0);
		assert_int_equal(net.ports.dirty_count, 0);
		assert_int_equal(net.ports.flood_count, 0);
		fake_net_fini(&net);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_counter_is_what_a_naive_switch_would_count),
	};

	return cmocka_run_group_tests_name("port_flags_model", tests, NULL, NULL);
}
