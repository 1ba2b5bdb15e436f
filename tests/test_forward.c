#include "test.h"

#include <errno.h>
#include <string.h>

#include "../switch/ether.h"
#include "fake_port.h"

/* As ether.h has them, the first byte lowest: 01:00:5e:00:00:01 and so on. */
#define MULTICAST UINT64_C(0x0100005e0001)
#define STP	  UINT64_C(0x000000c28001)
#define PAUSE	  UINT64_C(0x010000c28001)
#define LACP	  UINT64_C(0x020000c28001)
#define LLDP	  UINT64_C(0x0e0000c28001)

static struct fake_net net;

static int set_up(void **state)
{
	(void)state;
	fake_net_init(&net, 4);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	fake_net_fini(&net);
	return 0;
}

static void send(unsigned from, uint64_t dst, uint64_t src)
{
	assert_int_equal(fake_receive(&net, from, dst, src, 60, 0), 0);
	fake_flush(&net);
}

static void learn_all(void)
{
	for (unsigned i = 0; i < 4; i++)
		send(i, BROADCAST, station(i));
	for (unsigned i = 0; i < 4; i++)
		net.fakes[i].taken = 0;
}

static void expect_taken(unsigned a, unsigned b, unsigned c, unsigned d)
{
	assert_int_equal(net.fakes[0].taken, a);
	assert_int_equal(net.fakes[1].taken, b);
	assert_int_equal(net.fakes[2].taken, c);
	assert_int_equal(net.fakes[3].taken, d);
}

static uint64_t dropped(unsigned at, enum drop why)
{
	return net.fakes[at].port->counters->drop[why];
}

static void unknown_unicast_goes_to_all_but_the_sender(void **state)
{
	(void)state;
	send(0, station(3), station(0));
	expect_taken(0, 1, 1, 1);
}

static void known_unicast_goes_to_its_port_only(void **state)
{
	(void)state;
	learn_all();
	send(0, station(2), station(0));
	expect_taken(0, 0, 1, 0);
}

static void groups_go_to_all_but_the_sender(void **state)
{
	static const uint64_t groups[] = { BROADCAST, MULTICAST, STP,
					   PAUSE,     LACP,	 LLDP };

	(void)state;
	learn_all();
	for (unsigned i = 0; i < ARRAY_SIZE(groups); i++)
		send(1, groups[i], station(1));
	expect_taken(6, 0, 6, 6);
}

static void a_hub_sends_known_unicast_to_all_but_the_sender(void **state)
{
	(void)state;
	learn_all();
	net.forward.hub = true;
	send(0, station(2), station(0));
	expect_taken(0, 1, 1, 1);
}

static void a_frame_never_returns_to_its_port(void **state)
{
	(void)state;
	learn_all();
	send(1, station(1), station(1));
	expect_taken(0, 0, 0, 0);
	assert_int_equal(dropped(1, DROP_SAME_PORT), 1);
}

static void runts_are_dropped_and_counted(void **state)
{
	(void)state;
	for (uint32_t len = 0; len < ETHER_HEADER_BYTES; len++)
		fake_receive(&net, 0, BROADCAST, station(0), len, 0);
	forward_empty(&net.forward, net.fakes[0].port);
	fake_flush(&net);
	expect_taken(0, 0, 0, 0);
	assert_int_equal(dropped(0, DROP_RUNT), ETHER_HEADER_BYTES + 1);
	fake_receive(&net, 0, BROADCAST, station(0), ETHER_HEADER_BYTES, 0);
	fake_flush(&net);
	expect_taken(0, 1, 1, 1);
}

static void a_frame_cut_by_its_buffer_is_dropped(void **state)
{
	(void)state;
	fake_receive(&net, 0, BROADCAST, station(0), 2049, 0);
	fake_flush(&net);
	expect_taken(0, 0, 0, 0);
	assert_int_equal(dropped(0, DROP_RX_TOO_LONG), 1);
}

static void a_frame_too_long_for_one_receiver_reaches_the_others(void **state)
{
	(void)state;
	net.fakes[2].port->frame_max = 1526;
	fake_receive(&net, 0, BROADCAST, station(0), 1527, 0);
	fake_flush(&net);
	expect_taken(0, 1, 0, 1);
	assert_int_equal(dropped(2, DROP_TOO_LONG), 1);
}

static void a_group_address_is_never_learned(void **state)
{
	(void)state;
	send(0, BROADCAST, BROADCAST);
	send(1, BROADCAST, 0);
	assert_int_equal(mac_count(net.forward.macs, 1000), 0);
	assert_int_equal(mac_counters(net.forward.macs)->learned, 0);
}

static void a_station_that_moves_is_followed(void **state)
{
	(void)state;
	learn_all();
	send(3, BROADCAST, station(2));
	send(0, station(2), station(0));
	expect_taken(1, 1, 1, 1);
	assert_int_equal(mac_counters(net.forward.macs)->moved, 1);
}

static void a_closed_ports_station_is_unknown_again(void **state)
{
	(void)state;
	learn_all();
	fake_close(&net, 2);
	send(0, station(2), station(0));
	assert_int_equal(net.fakes[1].taken, 1);
	assert_int_equal(net.fakes[3].taken, 1);
}

static void the_next_port_in_its_place_gets_none_of_its_frames(void **state)
{
	(void)state;
	learn_all();
	net.fakes[2].room = 0;
	send(0, station(2), station(0));
	fake_close(&net, 2);
	fake_add(&net, 2);
	fake_flush(&net);
	assert_int_equal(net.fakes[2].taken, 0);
	assert_int_equal(net.ports.memory->gone.drop[DROP_PORT_CLOSED], 1);
}

static void alone_a_port_floods_to_nobody(void **state)
{
	(void)state;
	for (unsigned i = 1; i < 4; i++)
		fake_close(&net, i);
	send(0, BROADCAST, station(0));
	assert_int_equal(dropped(0, DROP_NO_PORT), 1);
}

static void received_is_forwarded_and_dropped(void **state)
{
	const struct port_counters *c = net.fakes[0].port->counters;

	(void)state;
	learn_all();
	for (uint32_t len = 0; len < 100; len++)
		fake_receive(&net, 0, len % 5 ? station(len % 4) : BROADCAST,
			     station(0), len, 0);
	fake_flush(&net);
	assert_int_equal(c->received, 101);
	assert_int_equal(c->received, c->forwarded + port_dropped(c));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(unknown_unicast_goes_to_all_but_the_sender),
		TEST(known_unicast_goes_to_its_port_only),
		TEST(groups_go_to_all_but_the_sender),
		TEST(a_hub_sends_known_unicast_to_all_but_the_sender),
		TEST(a_frame_never_returns_to_its_port),
		TEST(runts_are_dropped_and_counted),
		TEST(a_frame_cut_by_its_buffer_is_dropped),
		TEST(a_frame_too_long_for_one_receiver_reaches_the_others),
		TEST(a_group_address_is_never_learned),
		TEST(a_station_that_moves_is_followed),
		TEST(a_closed_ports_station_is_unknown_again),
		TEST(the_next_port_in_its_place_gets_none_of_its_frames),
		TEST(alone_a_port_floods_to_nobody),
		TEST(received_is_forwarded_and_dropped),
	};

	return cmocka_run_group_tests_name("forward", tests, NULL, NULL);
}
