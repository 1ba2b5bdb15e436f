/*
 * Any bytes as what happens at a switch of six ports: frames of every length from
 * and to a few addresses, settings, ports that are full, that stall, that go and
 * come, and time. Whatever it is, every frame is accounted for, at every port,
 * and in the end all buffers are back.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "../switch/port_slow.h"
#include "fake_port.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum { PORTS = 6, ADDRESSES = 16, STEP_BYTES = 4 };

static struct fake_net net;

static uint64_t address(uint8_t at)
{
	static const uint64_t others[] = { BROADCAST, 0, UINT64_C(0x0e0000c28001),
					   UINT64_C(0x0100005e0001) };

	at %= ADDRESSES;
	return at < 4 ? others[at] : station(at - 4u);
}

static uint32_t length(uint8_t at)
{
	static const uint32_t lengths[] = { 0, 1, 13, 14, 17, 18, 60, 1514,
					    1518, 1519, 2048, 2049, 65535 };

	return lengths[at % (sizeof(lengths) / sizeof(*lengths))];
}

static uint64_t sum_of_drops(const struct port_counters *c, unsigned from,
			     unsigned to)
{
	uint64_t sum = 0;

	for (unsigned i = from; i < to; i++)
		sum += c->drop[i];
	return sum;
}

static void check_books(void)
{
	for (unsigned i = 0; i < PORTS; i++) {
		const struct port *p = net.fakes[i].port;
		struct port_counters c;

		if (!p)
			continue;
		c = port_counters(&net.ports, p);
		assert(c.received == c.forwarded +
		       sum_of_drops(&c, 0, DROP_FIRST_EGRESS));
		assert(c.offered == c.sent + p->queue_count +
		       sum_of_drops(&c, DROP_FIRST_EGRESS, DROP_COUNT));
		assert(p->queue_count <= p->queue_mask + 1);
		assert(c.flooded <= c.forwarded);
	}
}

/* Half of them do not take the longest frames. */
static void add(unsigned at)
{
	fake_add(&net, at);
	if (at % 2)
		net.fakes[at].port->frame_max = 1514;
}

static void set(struct port *p, uint8_t what, uint8_t value)
{
	uint16_t known = PORT_ISOLATED | PORT_NO_LEARNING | PORT_NO_FLOOD |
			 PORT_LOCKED | PORT_MAC_LIMIT | PORT_ADMIN_DOWN |
			 PORT_NO_SPOOF;

	p->mac_limit = value % 8;
	if (what % 2)
		port_set_flags(&net.ports, p,
			       (uint16_t)((what << 8 | value) & known));
	else
		assert(!port_set_queue(p, 1 + value));
}

static void one(const uint8_t step[STEP_BYTES])
{
	unsigned at = step[0] % PORTS;
	struct fake *fake = &net.fakes[at];

	switch (step[0] / PORTS % 8) {
	case 0:
		net.now_ms += step[1] * 16u;
		ports_stall_blocked(&net.ports, net.now_ms);
		break;
	case 1:
		if (fake->port)
			set(fake->port, step[1], step[2]);
		break;
	case 2:
		if (fake->port && step[1] < 16)
			fake_close(&net, at);
		else if (!fake->port)
			add(at);
		break;
	case 3:
		if (fake->port)
			fake->room = step[1];
		break;
	case 4:
		if (fake->port && fake->port->blocked)
			fake_writable(&net, at, step[1]);
		break;
	default:
		if (fake->port)
			fake_receive(&net, at, address(step[1]),
				     address(step[2]), length(step[3]), 0);
		if (step[3] & 0x80)
			fake_flush(&net);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	fake_net_init(&net, 0);
	for (unsigned i = 0; i < PORTS; i++)
		add(i);
	for (; len >= STEP_BYTES; bytes += STEP_BYTES, len -= STEP_BYTES)
		one(bytes);
	fake_flush(&net);
	check_books();
	fake_net_fini(&net);
	return 0;
}
