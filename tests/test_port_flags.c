/*
 * Ports that are not like others: isolated, locked, switched off and so on.
 * That all of this stays exact in any order is test_port_flags_model.c.
 */
#include "test.h"

#include "../switch/ether.h"
#include "../switch/port_slow.h"
#include "fake_port.h"

enum { STRANGER = 99 };

static struct fake_net net;

static int set_up(void **state)
{
	(void)state;
	fake_net_init(&net, 4);
	return 0;
}

static struct port *port_at(unsigned at)
{
	return net.fakes[at].port;
}

static struct port_counters counters(unsigned at)
{
	return port_counters(&net.ports, port_at(at));
}

static uint64_t dropped(unsigned at, enum drop why)
{
	return counters(at).drop[why];
}

/* Whatever a test did: both balances of every port are exact. */
static int tear_down(void **state)
{
	int wrong = 0;

	(void)state;
	for (unsigned at = 0; at < FAKE_PORTS; at++) {
		struct port_counters c;

		if (!net.fakes[at].port)
			continue;
		c = counters(at);
		wrong += c.received != c.forwarded + port_dropped(&c);
		wrong += c.offered != c.sent + port_undelivered(&c) +
					      port_at(at)->queue_count;
	}
	fake_net_fini(&net);
	wrong += net.ports.admin_down_count || net.ports.up_count ||
		 net.ports.flood_count;
	return wrong;
}

static void set(unsigned at, uint8_t flags)
{
	port_set_flags(&net.ports, port_at(at), flags);
}

static void send(unsigned from, uint64_t dst, uint64_t src)
{
	assert_int_equal(fake_receive(&net, from, dst, src, 60, 0), 0);
	fake_flush(&net);
}

static void forget_taken(void)
{
	for (unsigned i = 0; i < 4; i++)
		net.fakes[i].taken = 0;
}

static void learn_all(void)
{
	for (unsigned i = 0; i < 4; i++)
		send(i, BROADCAST, station(i));
	forget_taken();
}

static void expect_taken(unsigned a, unsigned b, unsigned c, unsigned d)
{
	assert_int_equal(net.fakes[0].taken, a);
	assert_int_equal(net.fakes[1].taken, b);
	assert_int_equal(net.fakes[2].taken, c);
	assert_int_equal(net.fakes[3].taken, d);
	forget_taken();
}

static void fix(uint64_t addr, unsigned at)
{
	assert_int_equal(mac_fix(net.forward.macs, addr, port_at(at)->id, 1000),
			 0);
}

static uint16_t where(uint64_t addr)
{
	return mac_lookup(net.forward.macs, addr,
			  (uint32_t)(net.now_ms / 1000));
}

static void stall(unsigned at)
{
	net.fakes[at].room = 0;
	send((at + 3) % 4, station(at), station((at + 3) % 4));
	net.now_ms += STALL_MS;
	ports_stall_blocked(&net.ports, net.now_ms);
	assert_true(port_at(at)->stalled);
}

/* --- isolated --------------------------------------------------------- */

static void isolated_ports_exchange_nothing(void **state)
{
	(void)state;
	learn_all();
	set(0, PORT_ISOLATED);
	set(1, PORT_ISOLATED);
	send(0, BROADCAST, station(0));
	expect_taken(0, 0, 1, 1);
	send(0, station(STRANGER), station(0));
	expect_taken(0, 0, 1, 1);
	send(0, station(1), station(0));
	expect_taken(0, 0, 0, 0);
	assert_int_equal(dropped(0, DROP_ISOLATED), 1);
}

static void isolated_ports_reach_the_others_and_are_reached(void **state)
{
	(void)state;
	learn_all();
	set(0, PORT_ISOLATED);
	set(1, PORT_ISOLATED);
	send(0, station(2), station(0));
	send(2, station(0), station(2));
	expect_taken(1, 0, 1, 0);
	send(2, BROADCAST, station(2));
	expect_taken(1, 1, 0, 1);
}

static void what_an_isolated_port_does_not_get_is_not_offered_to_it(void **state)
{
	uint64_t offered;

	(void)state;
	learn_all();
	set(0, PORT_ISOLATED);
	set(1, PORT_ISOLATED);
	offered = counters(1).offered;
	send(0, BROADCAST, station(0));
	send(0, station(1), station(0));
	assert_int_equal(counters(1).offered, offered);
	assert_int_equal(counters(0).flooded, 2);
}

static void isolation_holds_in_a_hub(void **state)
{
	(void)state;
	learn_all();
	net.forward.hub = true;
	set(0, PORT_ISOLATED);
	set(1, PORT_ISOLATED);
	send(0, station(1), station(0));
	expect_taken(0, 0, 1, 1);
}

static void among_isolated_ports_only_a_flood_is_dropped_as_isolated(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++)
		set(i, PORT_ISOLATED);
	send(0, BROADCAST, station(0));
	expect_taken(0, 0, 0, 0);
	assert_int_equal(dropped(0, DROP_ISOLATED), 1);
	assert_int_equal(counters(0).flooded, 0);
}

static void a_flag_taken_back_is_forgotten(void **state)
{
	(void)state;
	learn_all();
	set(0, PORT_ISOLATED | PORT_NO_FLOOD);
	set(1, PORT_ISOLATED | PORT_NO_FLOOD);
	set(1, 0);
	send(0, BROADCAST, station(0));
	send(0, station(1), station(0));
	send(2, station(STRANGER), station(2));
	expect_taken(0, 3, 1, 2);
}

/* --- flood ------------------------------------------------------------ */

static void without_flood_unknown_unicast_passes_by(void **state)
{
	(void)state;
	learn_all();
	set(1, PORT_NO_FLOOD);
	send(0, station(STRANGER), station(0));
	expect_taken(0, 0, 1, 1);
	assert_int_equal(counters(1).offered, 3);
}

static void without_flood_groups_and_its_own_addresses_still_come(void **state)
{
	(void)state;
	learn_all();
	set(1, PORT_NO_FLOOD);
	send(0, BROADCAST, station(0));
	send(0, UINT64_C(0x0100005e0001), station(0));
	send(0, station(1), station(0));
	expect_taken(0, 3, 2, 2);
}

static void an_unknown_address_that_nobody_wants_is_for_no_port(void **state)
{
	(void)state;
	for (unsigned i = 1; i < 4; i++)
		set(i, PORT_NO_FLOOD);
	send(0, station(STRANGER), station(0));
	expect_taken(0, 0, 0, 0);
	assert_int_equal(dropped(0, DROP_NO_PORT), 1);
	send(0, BROADCAST, station(0));
	expect_taken(0, 1, 1, 1);
}

/* The sender's isolation has nothing to do with it. */
static void nor_is_it_called_isolated_if_nobody_else_is(void **state)
{
	(void)state;
	set(0, PORT_ISOLATED);
	for (unsigned i = 1; i < 4; i++)
		set(i, PORT_NO_FLOOD);
	send(0, station(STRANGER), station(0));
	assert_int_equal(dropped(0, DROP_ISOLATED), 0);
	assert_int_equal(dropped(0, DROP_NO_PORT), 1);
}

/* --- learning, locked, mac-limit -------------------------------------- */

static void without_learning_sources_are_not_noted(void **state)
{
	(void)state;
	set(0, PORT_NO_LEARNING);
	send(0, BROADCAST, station(0));
	expect_taken(0, 1, 1, 1);
	assert_int_equal(where(station(0)), MAC_NONE);
	send(1, station(0), station(1));
	expect_taken(1, 0, 1, 1);
}

static void without_learning_nothing_moves_to_it(void **state)
{
	(void)state;
	learn_all();
	set(0, PORT_NO_LEARNING);
	send(0, BROADCAST, station(2));
	assert_int_equal(where(station(2)), port_at(2)->id);
}

static void a_locked_port_takes_its_own_addresses_only(void **state)
{
	(void)state;
	learn_all();
	set(0, PORT_LOCKED);
	send(0, BROADCAST, station(0));
	expect_taken(0, 1, 1, 1);
	send(0, BROADCAST, station(STRANGER)); /* unknown */
	send(0, BROADCAST, station(1));	       /* another port's */
	send(0, BROADCAST, 0);
	send(0, BROADCAST, BROADCAST);
	expect_taken(0, 0, 0, 0);
	assert_int_equal(dropped(0, DROP_LOCKED), 4);
	assert_int_equal(where(station(1)), port_at(1)->id);
}

static void a_locked_port_learns_nothing_but_what_is_fixed(void **state)
{
	(void)state;
	set(0, PORT_LOCKED);
	fix(station(0), 0);
	send(0, BROADCAST, station(0));
	send(0, BROADCAST, station(5));
	expect_taken(0, 1, 1, 1);
	assert_int_equal(where(station(5)), MAC_NONE);
	send(1, station(0), station(1));
	expect_taken(1, 0, 0, 0);
}

/* It is not kept young by what is sent. */
static void what_a_locked_port_had_learned_before_ages(void **state)
{
	(void)state;
	learn_all();
	set(0, PORT_LOCKED);
	net.now_ms += 299 * 1000;
	send(0, BROADCAST, station(0));
	assert_int_equal(dropped(0, DROP_LOCKED), 0);
	net.now_ms += 2 * 1000;
	send(0, BROADCAST, station(0));
	assert_int_equal(dropped(0, DROP_LOCKED), 1);
}

static void limit(unsigned at, uint16_t most)
{
	port_at(at)->mac_limit = most;
	set(at, PORT_MAC_LIMIT);
}

static void a_port_has_as_many_addresses_as_it_may(void **state)
{
	(void)state;
	limit(0, 3);
	for (unsigned i = 10; i < 15; i++)
		send(0, BROADCAST, station(i));
	expect_taken(0, 3, 3, 3);
	assert_int_equal(dropped(0, DROP_MAC_LIMIT), 2);
	assert_int_equal(mac_port_count(net.forward.macs, port_at(0)->id), 3);
	for (unsigned i = 10; i < 13; i++)
		send(0, BROADCAST, station(i));
	expect_taken(0, 3, 3, 3);
}

static void a_source_that_is_never_learned_is_not_limited(void **state)
{
	(void)state;
	limit(0, 1);
	send(0, BROADCAST, station(10));
	send(0, BROADCAST, 0);
	send(0, BROADCAST, UINT64_C(0x0100005e0001));
	expect_taken(0, 3, 3, 3);
	assert_int_equal(dropped(0, DROP_MAC_LIMIT), 0);
}

static void beyond_the_limit_nothing_moves_there(void **state)
{
	(void)state;
	learn_all();
	limit(0, 1);
	send(0, BROADCAST, station(2));
	assert_int_equal(where(station(2)), port_at(2)->id);
	assert_int_equal(dropped(0, DROP_MAC_LIMIT), 1);
}

static void a_forgotten_address_makes_room_for_another(void **state)
{
	(void)state;
	limit(0, 1);
	send(0, BROADCAST, station(10));
	assert_true(mac_forget(net.forward.macs, station(10), 1000));
	send(0, BROADCAST, station(11));
	assert_int_equal(dropped(0, DROP_MAC_LIMIT), 0);
	send(1, BROADCAST, station(11)); /* moves away */
	send(0, BROADCAST, station(12));
	assert_int_equal(dropped(0, DROP_MAC_LIMIT), 0);
	assert_int_equal(where(station(12)), port_at(0)->id);
}

static void an_address_that_has_aged_out_makes_room_for_another(void **state)
{
	(void)state;
	limit(0, 1);
	send(0, BROADCAST, station(10));
	net.now_ms += 301 * 1000;
	send(0, BROADCAST, station(11));
	assert_int_equal(dropped(0, DROP_MAC_LIMIT), 0);
	assert_int_equal(where(station(11)), port_at(0)->id);
}

/* --- admin down ------------------------------------------------------- */

static void a_port_that_is_off_sends_and_gets_nothing(void **state)
{
	uint64_t offered;

	(void)state;
	learn_all();
	offered = counters(1).offered;
	set(1, PORT_ADMIN_DOWN);
	send(1, BROADCAST, station(1));
	send(1, station(0), station(5));
	expect_taken(0, 0, 0, 0);
	assert_int_equal(dropped(1, DROP_ADMIN_DOWN), 2);
	assert_int_equal(where(station(5)), MAC_NONE);
	send(0, BROADCAST, station(0));
	send(0, station(STRANGER), station(0));
	expect_taken(0, 0, 2, 2);
	assert_int_equal(counters(1).offered, offered);
}

static void unicast_to_a_port_that_is_off_has_no_port(void **state)
{
	(void)state;
	learn_all();
	fix(station(1), 1);
	set(1, PORT_ADMIN_DOWN);
	send(0, station(1), station(0));
	expect_taken(0, 0, 0, 0);
	assert_int_equal(dropped(0, DROP_NO_PORT), 1);
}

static void what_was_queued_is_dropped_when_a_port_is_switched_off(void **state)
{
	(void)state;
	learn_all();
	net.fakes[1].room = 0;
	for (unsigned i = 0; i < 5; i++)
		send(0, station(1), station(0));
	set(1, PORT_ADMIN_DOWN);
	assert_int_equal(dropped(1, DROP_PORT_CLOSED), 5);
	assert_int_equal(port_at(1)->queue_count, 0);
	assert_int_equal(port_at(0)->pool->available, PORT_BUFFERS);
	set(1, 0);
	fake_writable(&net, 1, 10);
	send(0, station(1), station(0));
	expect_taken(0, 1, 0, 0);
}

static void with_all_others_off_a_flood_has_no_port(void **state)
{
	(void)state;
	for (unsigned i = 1; i < 4; i++)
		set(i, PORT_ADMIN_DOWN);
	send(0, BROADCAST, station(0));
	assert_int_equal(dropped(0, DROP_NO_PORT), 1);
	set(3, 0);
	send(0, BROADCAST, station(0));
	expect_taken(0, 0, 0, 1);
	assert_int_equal(dropped(0, DROP_NO_PORT), 1);
}

static void a_port_that_is_off_may_go_and_come_back_on(void **state)
{
	(void)state;
	set(1, PORT_ADMIN_DOWN);
	set(1, PORT_ADMIN_DOWN | PORT_ISOLATED);
	assert_int_equal(net.ports.admin_down_count, 1);
	fake_close(&net, 1);
	assert_int_equal(net.ports.admin_down_count, 0);
	fake_add(&net, 1);
	assert_int_equal(port_at(1)->flags, 0);
	send(0, BROADCAST, station(0));
	expect_taken(0, 1, 1, 1);
}

/* --- stalled as well -------------------------------------------------- */

/* Floods that are not for it do not count as missed. */
static void a_stalled_port_misses_only_what_was_for_it(void **state)
{
	uint64_t before;

	(void)state;
	learn_all();
	set(1, PORT_NO_FLOOD | PORT_ISOLATED);
	set(2, PORT_ISOLATED);
	stall(1);
	before = dropped(1, DROP_STALLED);
	send(0, station(STRANGER), station(0));
	send(2, BROADCAST, station(2));
	assert_int_equal(dropped(1, DROP_STALLED), before);
	send(0, BROADCAST, station(0));
	send(0, station(1), station(0));
	assert_int_equal(dropped(1, DROP_STALLED), before + 2);
}

static void flags_that_change_during_a_stall_count_from_then_on(void **state)
{
	uint64_t before;

	(void)state;
	learn_all();
	stall(1);
	before = dropped(1, DROP_STALLED);
	send(0, station(STRANGER), station(0));
	set(1, PORT_NO_FLOOD);
	assert_int_equal(dropped(1, DROP_STALLED), before + 1);
	send(0, station(STRANGER), station(0));
	send(0, BROADCAST, station(0));
	assert_int_equal(dropped(1, DROP_STALLED), before + 2);
	set(1, 0);
	send(0, station(STRANGER), station(0));
	assert_int_equal(dropped(1, DROP_STALLED), before + 3);
	fake_writable(&net, 1, 10);
	assert_int_equal(dropped(1, DROP_STALLED), before + 3);
	forget_taken();
	send(0, station(STRANGER), station(0));
	expect_taken(0, 1, 1, 1);
}

/* A thousand dead ports cost a flood what none cost, unless they are asked
 * whether it is for them. */
static void a_stalled_port_that_takes_every_flood_is_not_asked(void **state)
{
	(void)state;
	learn_all();
	stall(1);
	assert_int_equal(net.ports.flood_count, 3);
	set(1, PORT_OBSERVED | PORT_LOCKED);
	assert_int_equal(net.ports.flood_count, 3);
	set(1, PORT_ISOLATED);
	assert_int_equal(net.ports.flood_count, 4);
	set(1, 0);
	assert_int_equal(net.ports.flood_count, 3);
}

static void a_stalled_port_that_is_off_misses_nothing(void **state)
{
	uint64_t before;

	(void)state;
	learn_all();
	stall(1);
	send(0, BROADCAST, station(0));
	before = counters(1).offered;
	set(1, PORT_ADMIN_DOWN);
	send(0, BROADCAST, station(0));
	assert_int_equal(counters(1).offered, before);
	set(1, 0);
	send(0, BROADCAST, station(0));
	assert_int_equal(counters(1).offered, before + 1);
	assert_int_equal(dropped(1, DROP_STALLED), before - 3 + 1);
}

static void a_stall_that_ends_while_a_port_is_off_leaves_it_off(void **state)
{
	uint64_t before;

	(void)state;
	learn_all();
	stall(1);
	set(1, PORT_ADMIN_DOWN);
	fake_writable(&net, 1, 10);
	before = counters(1).offered;
	send(0, BROADCAST, station(0));
	assert_int_equal(counters(1).offered, before);
	set(1, 0);
	forget_taken();
	send(0, BROADCAST, station(0));
	expect_taken(0, 1, 1, 1);
}

/* All others are dead: their sender is told nothing else than before. */
static void a_flood_to_stalled_ports_only_is_forwarded(void **state)
{
	(void)state;
	learn_all();
	set(3, PORT_ADMIN_DOWN);
	set(2, PORT_NO_FLOOD);
	stall(1);
	send(0, station(STRANGER), station(0));
	assert_int_equal(dropped(0, DROP_NO_PORT), 0);
	set(1, PORT_NO_FLOOD);
	send(0, station(STRANGER), station(0));
	assert_int_equal(dropped(0, DROP_NO_PORT), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(isolated_ports_exchange_nothing),
		TEST(isolated_ports_reach_the_others_and_are_reached),
		TEST(what_an_isolated_port_does_not_get_is_not_offered_to_it),
		TEST(isolation_holds_in_a_hub),
		TEST(among_isolated_ports_only_a_flood_is_dropped_as_isolated),
		TEST(a_flag_taken_back_is_forgotten),
		TEST(without_flood_unknown_unicast_passes_by),
		TEST(without_flood_groups_and_its_own_addresses_still_come),
		TEST(an_unknown_address_that_nobody_wants_is_for_no_port),
		TEST(nor_is_it_called_isolated_if_nobody_else_is),
		TEST(without_learning_sources_are_not_noted),
		TEST(without_learning_nothing_moves_to_it),
		TEST(a_locked_port_takes_its_own_addresses_only),
		TEST(a_locked_port_learns_nothing_but_what_is_fixed),
		TEST(what_a_locked_port_had_learned_before_ages),
		TEST(a_port_has_as_many_addresses_as_it_may),
		TEST(a_source_that_is_never_learned_is_not_limited),
		TEST(beyond_the_limit_nothing_moves_there),
		TEST(a_forgotten_address_makes_room_for_another),
		TEST(an_address_that_has_aged_out_makes_room_for_another),
		TEST(a_port_that_is_off_sends_and_gets_nothing),
		TEST(unicast_to_a_port_that_is_off_has_no_port),
		TEST(what_was_queued_is_dropped_when_a_port_is_switched_off),
		TEST(with_all_others_off_a_flood_has_no_port),
		TEST(a_port_that_is_off_may_go_and_come_back_on),
		TEST(a_stalled_port_misses_only_what_was_for_it),
		TEST(flags_that_change_during_a_stall_count_from_then_on),
		TEST(a_stalled_port_that_takes_every_flood_is_not_asked),
		TEST(a_stalled_port_that_is_off_misses_nothing),
		TEST(a_stall_that_ends_while_a_port_is_off_leaves_it_off),
		TEST(a_flood_to_stalled_ports_only_is_forwarded),
	};

	return cmocka_run_group_tests_name("port_flags", tests, NULL, NULL);
}
