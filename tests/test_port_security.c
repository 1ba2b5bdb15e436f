/*
 * What a guest may not do to the others where that is switched on: spoofing,
 * storms. That it stays exact in any order is test_port_flags_model.c.
 */
#include "test.h"

#include "../switch/ether.h"
#include "../switch/port_security.h"
#include "fake_port.h"

enum { STRANGER = 99, HOST = 77 };

static const uint64_t multicast = UINT64_C(0x0100005e0001);
static const uint64_t bridges = UINT64_C(0x000000c28001); /* 01:80:c2:00:00:00 */

static struct fake_net net;

static int set_up(void **state)
{
	(void)state;
	fake_net_init(&net, 4);
	net.forward.round_ns = UINT64_C(5000000000);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	fake_net_fini(&net);
	return net.ports.device_count;
}

static struct port *port_at(unsigned at)
{
	return net.fakes[at].port;
}

static uint64_t dropped(unsigned at, enum drop why)
{
	return port_counters(&net.ports, port_at(at)).drop[why];
}

static void set(unsigned at, uint16_t flags)
{
	port_set_flags(&net.ports, port_at(at), flags);
}

static void send(unsigned from, uint64_t dst, uint64_t src)
{
	assert_int_equal(fake_receive(&net, from, dst, src, 60, 0), 0);
	fake_flush(&net);
}

static void expect_taken(unsigned a, unsigned b, unsigned c, unsigned d)
{
	const unsigned wanted[] = { a, b, c, d };

	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(net.fakes[i].taken, wanted[i]);
		net.fakes[i].taken = 0;
	}
}

static uint16_t where(uint64_t addr)
{
	return mac_lookup(net.forward.macs, addr,
			  (uint32_t)(net.now_ms / 1000));
}

static void learn_all(void)
{
	for (unsigned i = 0; i < 4; i++)
		send(i, BROADCAST, station(i));
	expect_taken(3, 3, 3, 3);
}

/* --- no spoofing ------------------------------------------------------ */

static void what_is_no_stations_address_is_no_source(void **state)
{
	(void)state;
	set(0, PORT_NO_SPOOF);
	send(0, BROADCAST, 0);
	send(0, BROADCAST, BROADCAST);
	send(0, BROADCAST, multicast);
	send(0, BROADCAST, bridges);
	send(0, station(1), 0);
	expect_taken(0, 0, 0, 0);
	assert_int_equal(dropped(0, DROP_SPOOFED), 5);
}

static void an_address_is_not_taken_from_who_has_it(void **state)
{
	(void)state;
	learn_all();
	set(0, PORT_NO_SPOOF);
	send(0, station(2), station(1));
	send(0, BROADCAST, station(1));
	expect_taken(0, 0, 0, 0);
	assert_int_equal(dropped(0, DROP_SPOOFED), 2);
	assert_int_equal(where(station(1)), port_at(1)->id);
}

static void who_does_not_spoof_has_as_many_addresses_as_he_likes(void **state)
{
	(void)state;
	set(0, PORT_NO_SPOOF);
	for (unsigned i = 20; i < 25; i++)
		send(0, BROADCAST, station(i));
	expect_taken(0, 5, 5, 5);
	assert_int_equal(where(station(24)), port_at(0)->id);
}

static void an_address_is_free_when_its_owner_has_been_silent(void **state)
{
	(void)state;
	learn_all();
	set(0, PORT_NO_SPOOF);
	net.now_ms += 301 * 1000;
	send(0, BROADCAST, station(1));
	expect_taken(0, 1, 1, 1);
	assert_int_equal(where(station(1)), port_at(0)->id);
}

static void an_address_is_free_when_its_owner_has_gone(void **state)
{
	(void)state;
	learn_all();
	set(0, PORT_NO_SPOOF);
	fake_close(&net, 1);
	send(0, BROADCAST, station(1));
	assert_int_equal(dropped(0, DROP_SPOOFED), 0);
}

static void what_is_fixed_to_another_port_is_its_own(void **state)
{
	(void)state;
	mac_fix(net.forward.macs, station(50), port_at(3)->id, 0);
	set(0, PORT_NO_SPOOF);
	send(0, BROADCAST, station(50));
	expect_taken(0, 0, 0, 0);
	assert_int_equal(dropped(0, DROP_SPOOFED), 1);
}

/* Otherwise a neighbour without the setting, or a loop that sends a broadcast
 * back, would shut its owner out. */
static void what_lives_on_such_a_port_cannot_be_taken_away(void **state)
{
	(void)state;
	learn_all();
	set(0, PORT_NO_SPOOF);
	send(1, BROADCAST, station(0));
	expect_taken(1, 0, 1, 1);
	assert_int_equal(where(station(0)), port_at(0)->id);
	send(0, BROADCAST, station(0));
	expect_taken(0, 1, 1, 1);
	assert_int_equal(mac_counters(net.forward.macs)->moved, 0);
	assert_int_equal(mac_counters(net.forward.macs)->refused, 1);
	assert_int_equal(mac_port_count(net.forward.macs, port_at(0)->id), 1);
	assert_int_equal(mac_port_count(net.forward.macs, port_at(1)->id), 1);
}

/* Who claims it does not keep it alive. */
static void what_lived_on_such_a_port_may_move_when_it_has_aged(void **state)
{
	(void)state;
	learn_all();
	set(0, PORT_NO_SPOOF);
	net.now_ms += 299 * 1000;
	send(1, BROADCAST, station(0));
	assert_int_equal(where(station(0)), port_at(0)->id);
	net.now_ms += 2 * 1000;
	send(1, BROADCAST, station(0));
	assert_int_equal(where(station(0)), port_at(1)->id);
}

static unsigned learned_events;

static void count_learned(struct forward *fw, struct port *in, uint64_t src,
			  enum mac_learned what)
{
	(void)fw, (void)in, (void)src, (void)what;
	learned_events++;
}

static void what_did_not_move_is_not_told(void **state)
{
	(void)state;
	learn_all();
	set(0, PORT_NO_SPOOF);
	net.forward.learned = count_learned;
	learned_events = 0;
	send(1, BROADCAST, station(0));
	assert_int_equal(learned_events, 0);
	send(1, BROADCAST, station(2));
	assert_int_equal(learned_events, 1);
}

static void elsewhere_addresses_move_as_ever(void **state)
{
	(void)state;
	learn_all();
	set(0, PORT_NO_SPOOF);
	send(1, BROADCAST, station(2));
	assert_int_equal(where(station(2)), port_at(1)->id);
}

static void the_address_of_a_device_is_no_guests(void **state)
{
	(void)state;
	port_set_device(&net.ports, port_at(3), station(HOST));
	set(0, PORT_NO_SPOOF);
	set(3, PORT_NO_SPOOF);
	send(0, BROADCAST, station(HOST)); /* before the host has said a word */
	expect_taken(0, 0, 0, 0);
	assert_int_equal(dropped(0, DROP_SPOOFED), 1);
	send(3, BROADCAST, station(HOST));
	expect_taken(1, 1, 1, 0);
	send(1, BROADCAST, station(HOST)); /* it was not asked of this one */
	assert_int_equal(dropped(1, DROP_SPOOFED), 0);
}

/* Learned before the setting, or the device was there. */
static void a_device_has_its_address_back_at_once(void **state)
{
	(void)state;
	send(0, BROADCAST, station(HOST));
	set(0, PORT_NO_SPOOF);
	port_set_device(&net.ports, port_at(3), station(HOST));
	send(0, BROADCAST, station(HOST));
	assert_int_equal(dropped(0, DROP_SPOOFED), 1);
}

static void a_device_may_get_another_address_or_go(void **state)
{
	(void)state;
	set(0, PORT_NO_SPOOF);
	port_set_device(&net.ports, port_at(3), station(HOST));
	port_set_device(&net.ports, port_at(2), station(HOST + 1));
	port_set_device(&net.ports, port_at(3), station(HOST + 2));
	send(0, BROADCAST, station(HOST));
	assert_int_equal(dropped(0, DROP_SPOOFED), 0);
	send(0, BROADCAST, station(HOST + 2));
	assert_int_equal(dropped(0, DROP_SPOOFED), 1);
	fake_close(&net, 3);
	send(0, BROADCAST, station(HOST + 2));
	assert_int_equal(dropped(0, DROP_SPOOFED), 1);
	send(0, BROADCAST, station(HOST + 1));
	assert_int_equal(dropped(0, DROP_SPOOFED), 2);
	port_set_device(&net.ports, port_at(2), 0);
	send(0, BROADCAST, station(HOST + 1));
	assert_int_equal(dropped(0, DROP_SPOOFED), 2);
}

/* --- storms --------------------------------------------------------------- */

static void limit(unsigned at, enum storm_kind kind, uint32_t rate)
{
	uint32_t rates[STORM_KINDS];

	port_storm_rates(port_at(at), rates);
	rates[kind] = rate;
	port_set_storms(port_at(at), rates);
	set(at, port_storm_flag(port_at(at)->flags, rates));
}

static void storm(unsigned at, uint64_t dst, unsigned frames)
{
	while (frames--)
		send(at, dst, station(at));
}

static void each_kind_of_storm_has_its_own_limit(void **state)
{
	(void)state;
	limit(0, STORM_BROADCAST, 60);
	limit(0, STORM_MULTICAST, 70);
	limit(0, STORM_UNKNOWN, 80);
	storm(0, BROADCAST, 20);
	storm(0, multicast, 20);
	storm(0, station(STRANGER), 20);
	expect_taken(0, 6 + 7 + 8, 6 + 7 + 8, 6 + 7 + 8);
	assert_int_equal(dropped(0, DROP_STORM_BROADCAST), 14);
	assert_int_equal(dropped(0, DROP_STORM_MULTICAST), 13);
	assert_int_equal(dropped(0, DROP_STORM_UNKNOWN), 12);
}

static void what_has_no_limit_is_not_limited(void **state)
{
	(void)state;
	limit(0, STORM_MULTICAST, 1);
	storm(0, BROADCAST, 50);
	storm(0, station(STRANGER), 50);
	expect_taken(0, 100, 100, 100);
}

static void whose_destination_is_known_is_no_storm(void **state)
{
	(void)state;
	learn_all();
	limit(0, STORM_UNKNOWN, 1);
	storm(0, station(1), 50);
	expect_taken(0, 50, 0, 0);
	limit(0, STORM_MULTICAST, 1);
	net.forward.hub = true;
	storm(0, station(1), 50);
	expect_taken(0, 50, 50, 50);
}

static void a_storm_is_its_ports_and_not_the_others(void **state)
{
	(void)state;
	limit(0, STORM_BROADCAST, 10);
	storm(0, BROADCAST, 100);
	storm(1, BROADCAST, 100);
	expect_taken(100, 5, 105, 105);
}

static void when_time_goes_on_so_do_frames(void **state)
{
	(void)state;
	limit(0, STORM_BROADCAST, 100);
	storm(0, BROADCAST, 50);
	net.forward.round_ns += 50 * 1000000;
	storm(0, BROADCAST, 50);
	expect_taken(0, 15, 15, 15);
}

static void a_limit_that_stays_is_not_filled_up_by_setting_others(void **state)
{
	(void)state;
	limit(0, STORM_BROADCAST, 10);
	storm(0, BROADCAST, 50);
	limit(0, STORM_UNKNOWN, 10);
	storm(0, BROADCAST, 50);
	expect_taken(0, 5, 5, 5);
	limit(0, STORM_BROADCAST, 0);
	storm(0, BROADCAST, 50);
	expect_taken(0, 50, 50, 50);
	limit(0, STORM_UNKNOWN, 0);
	assert_int_equal(port_at(0)->flags & PORT_STORM, 0);
}

/* The next guest in its place, or the same again, begins anew. */
static void limits_go_with_their_port(void **state)
{
	(void)state;
	limit(0, STORM_BROADCAST, 10);
	storm(0, BROADCAST, 50);
	fake_close(&net, 0);
	fake_add(&net, 0);
	storm(0, BROADCAST, 50);
	assert_int_equal(dropped(0, DROP_STORM_BROADCAST), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_no_stations_address_is_no_source),
		TEST(an_address_is_not_taken_from_who_has_it),
		TEST(who_does_not_spoof_has_as_many_addresses_as_he_likes),
		TEST(an_address_is_free_when_its_owner_has_been_silent),
		TEST(an_address_is_free_when_its_owner_has_gone),
		TEST(what_is_fixed_to_another_port_is_its_own),
		TEST(what_lives_on_such_a_port_cannot_be_taken_away),
		TEST(what_lived_on_such_a_port_may_move_when_it_has_aged),
		TEST(what_did_not_move_is_not_told),
		TEST(elsewhere_addresses_move_as_ever),
		TEST(the_address_of_a_device_is_no_guests),
		TEST(a_device_has_its_address_back_at_once),
		TEST(a_device_may_get_another_address_or_go),
		TEST(each_kind_of_storm_has_its_own_limit),
		TEST(what_has_no_limit_is_not_limited),
		TEST(whose_destination_is_known_is_no_storm),
		TEST(a_storm_is_its_ports_and_not_the_others),
		TEST(when_time_goes_on_so_do_frames),
		TEST(a_limit_that_stays_is_not_filled_up_by_setting_others),
		TEST(limits_go_with_their_port),
	};

	return cmocka_run_group_tests_name("port_security", tests, NULL, NULL);
}
