#include "test.h"

#include <errno.h>

#include "../switch/ether.h"
#include "../switch/port_slow.h"
#include "fake_port.h"

static struct fake_net net;

static int set_up(void **state)
{
	(void)state;
	fake_net_init(&net, 4);
	for (unsigned i = 0; i < 4; i++)
		fake_receive(&net, i, BROADCAST, station(i), 60, 0);
	fake_flush(&net);
	for (unsigned i = 0; i < 4; i++)
		net.fakes[i].taken = 0;
	return 0;
}

/* Whatever a test did: every buffer has come back when its ports are gone. */
static int tear_down(void **state)
{
	struct pool *pools[FAKE_PORTS] = { NULL };
	int leaked = 0;

	(void)state;
	for (unsigned i = 0; i < FAKE_PORTS; i++)
		if (net.fakes[i].port) {
			net.fakes[i].room = UINT32_MAX;
			net.fakes[i].error = 0;
			port_writable(&net.ports, net.fakes[i].port);
			pools[i] = net.fakes[i].port->pool;
		}
	fake_flush(&net);
	for (unsigned i = 0; i < FAKE_PORTS; i++)
		if (pools[i] && pools[i]->available != pools[i]->count)
			leaked++;
	fake_net_fini(&net);
	return leaked;
}

static int unicast(unsigned from, unsigned to, uint32_t mark)
{
	return fake_receive(&net, from, station(to), station(from), 60, mark);
}

static struct port *port_at(unsigned at)
{
	return net.fakes[at].port;
}

/* Send from @from to @to until the sender has no buffer left, or as many as it
 * can have; returns how many it could. */
static unsigned send_all_credit(unsigned from, unsigned to)
{
	unsigned sent = 0;

	while (sent < PORT_BUFFERS && unicast(from, to, sent) == 0)
		sent++;
	port_starve(&net.ports, net.fakes[from].port, net.now_ms);
	return sent;
}

static void tick_after(uint64_t ms)
{
	net.now_ms += ms;
	ports_stall_blocked(&net.ports, net.now_ms);
}

static void frames_leave_in_the_order_they_came(void **state)
{
	(void)state;
	net.fakes[1].room = 0;
	for (uint32_t i = 0; i < 100; i++)
		unicast(0, 1, i);
	fake_flush(&net);
	for (unsigned room = 0; net.fakes[1].taken < 100; room++)
		fake_writable(&net, 1, room % 7);
	for (uint32_t i = 0; i < 100; i++)
		assert_int_equal(net.fakes[1].marks[i], i);
}

static void a_full_receiver_is_asked_once_when_it_has_room(void **state)
{
	(void)state;
	net.fakes[1].room = 3;
	for (uint32_t i = 0; i < 10; i++) {
		unicast(0, 1, i);
		fake_flush(&net);
	}
	assert_int_equal(net.fakes[1].taken, 3);
	assert_int_equal(net.fakes[1].waits, 1);
	assert_int_equal(port_at(1)->queue_count, 7);
}

static void one_busy_sender_is_slowed_down_and_loses_nothing(void **state)
{
	unsigned sent;

	(void)state;
	net.fakes[1].room = 0;
	unicast(0, 1, 0);
	fake_flush(&net); /* full from here on */
	sent = 1 + send_all_credit(0, 1);
	assert_int_equal(sent, PORT_BUFFERS);
	assert_int_equal(net.ports.starved_count, 1);
	assert_int_equal(port_undelivered(port_at(1)->counters), 0);
	fake_writable(&net, 1, PORT_BUFFERS);
	assert_int_equal(net.fakes[1].taken, PORT_BUFFERS);
}

static void a_starved_sender_is_read_again_when_enough_has_come_back(void **state)
{
	(void)state;
	net.fakes[1].room = 0;
	send_all_credit(0, 1);
	fake_flush(&net);
	fake_writable(&net, 1, PORT_BUFFERS_REARM - 1);
	assert_false(port_fed(&net.ports, 0));
	fake_writable(&net, 1, 1);
	assert_true(port_fed(&net.ports, 0));
	assert_int_equal(net.ports.starved_count, 0);
}

/* More senders than the queue has room for. */
static void a_queue_has_a_limit_and_what_is_beyond_is_counted(void **state)
{
	(void)state;
	fake_add(&net, 4);
	fake_add(&net, 5);
	net.fakes[1].room = 0;
	for (unsigned from = 0; from < 6; from++)
		if (from != 1)
			send_all_credit(from, 1);
	fake_flush(&net);
	assert_int_equal(port_at(1)->queue_count, PORT_QUEUE);
	assert_int_equal(port_at(1)->counters->drop[DROP_QUEUE_FULL],
			 5 * PORT_BUFFERS - PORT_QUEUE);
}

static void a_port_that_stands_still_is_stalled_and_gives_buffers_back(void **state)
{
	(void)state;
	net.fakes[1].room = 0;
	send_all_credit(0, 1);
	fake_flush(&net);
	tick_after(STALL_STARVED_MS - 1);
	assert_false(port_at(1)->stalled);
	tick_after(1);
	assert_true(port_at(1)->stalled);
	assert_int_equal(port_at(0)->pool->available, PORT_BUFFERS);
	assert_int_equal(port_at(1)->counters->drop[DROP_STALLED], PORT_BUFFERS);
}

static void while_nobody_is_starved_a_port_may_stand_still_longer(void **state)
{
	(void)state;
	net.fakes[1].room = 0;
	unicast(0, 1, 0);
	fake_flush(&net);
	tick_after(STALL_MS - 1);
	assert_false(port_at(1)->stalled);
	tick_after(1);
	assert_true(port_at(1)->stalled);
}

static void of_many_that_stand_still_those_that_go_on_are_not_stalled(void **state)
{
	(void)state;
	fake_add(&net, 4);
	for (unsigned at = 1; at < 5; at++) {
		net.fakes[at].room = 0;
		unicast(0, at, at);
	}
	fake_flush(&net);
	assert_int_equal(net.ports.blocked_count, 4);
	fake_writable(&net, 2, UINT32_MAX);
	fake_writable(&net, 4, UINT32_MAX);
	assert_int_equal(net.ports.blocked_count, 2);
	tick_after(STALL_MS);
	for (unsigned at = 1; at < 5; at++)
		assert_int_equal(port_at(at)->stalled, at % 2);
	assert_int_equal(net.ports.blocked_count, 0);
	fake_writable(&net, 1, 1);
	assert_int_equal(net.ports.blocked_count, 0);
}

static void a_port_that_takes_next_to_nothing_is_stalled_too(void **state)
{
	(void)state;
	net.fakes[1].room = 0;
	send_all_credit(0, 1);
	fake_flush(&net);
	for (int i = 0; i < 10; i++) {
		net.now_ms += STALL_STARVED_MS / 10;
		fake_writable(&net, 1, 1);
	}
	tick_after(0);
	assert_true(port_at(1)->stalled);
}

static void a_slow_port_that_keeps_taking_is_not_stalled(void **state)
{
	(void)state;
	net.fakes[1].room = 0;
	for (int i = 0; i < 50; i++) {
		send_all_credit(0, 1);
		net.now_ms += STALL_STARVED_MS / 2;
		fake_writable(&net, 1, STALL_FRAMES);
		tick_after(0);
		assert_false(port_at(1)->stalled);
	}
	assert_int_equal(port_undelivered(port_at(1)->counters), 0);
}

static void stall(unsigned at)
{
	net.fakes[at].room = 0;
	unicast(0, at, 0);
	fake_flush(&net);
	tick_after(STALL_MS);
	assert_true(port_at(at)->stalled);
}

static void frames_for_a_stalled_port_are_dropped_at_once(void **state)
{
	(void)state;
	stall(1);
	assert_int_equal(unicast(0, 1, 1), 0);
	assert_int_equal(port_at(1)->queue_count, 0);
	assert_int_equal(port_at(1)->counters->drop[DROP_STALLED], 2);
}

static void floods_pass_a_stalled_port_by_and_are_counted(void **state)
{
	struct port_counters before, after;

	(void)state;
	stall(1);
	before = port_counters(&net.ports, port_at(1));
	for (uint32_t i = 0; i < 30; i++)
		fake_receive(&net, 0, BROADCAST, station(0), 60, i);
	/* Its own are not offered to it. */
	for (uint32_t i = 0; i < 5; i++)
		fake_receive(&net, 1, BROADCAST, station(1), 60, i);
	fake_flush(&net);
	assert_int_equal(port_at(1)->queue_count, 0);
	assert_int_equal(net.fakes[2].taken, 35);
	after = port_counters(&net.ports, port_at(1));
	assert_int_equal(after.offered - before.offered, 30);
	assert_int_equal(after.drop[DROP_STALLED] - before.drop[DROP_STALLED], 30);
}

static void a_stalled_port_that_takes_again_gets_floods_again(void **state)
{
	(void)state;
	stall(1);
	fake_receive(&net, 0, BROADCAST, station(0), 60, 1);
	fake_writable(&net, 1, 10);
	assert_false(port_at(1)->stalled);
	fake_receive(&net, 0, BROADCAST, station(0), 60, 77);
	fake_flush(&net);
	assert_int_equal(net.fakes[1].taken, 1);
	assert_int_equal(net.fakes[1].marks[0], 77);
	/* One while stalling, one flood missed. */
	assert_int_equal(port_at(1)->counters->drop[DROP_STALLED], 2);
}

static void after_a_stall_the_queue_is_short_and_grows_by_what_is_taken(void **state)
{
	(void)state;
	stall(1);
	net.fakes[1].room = 0;
	port_writable(&net.ports, port_at(1));
	for (uint32_t i = 0; i < 100; i++)
		unicast(0, 1, i);
	assert_int_equal(port_at(1)->queue_count, PORT_QUEUE_PROBATION);
	fake_writable(&net, 1, UINT32_MAX);
	assert_int_equal(port_at(1)->queue_limit, 2 * PORT_QUEUE_PROBATION);
	for (uint32_t i = 0; i < 2000; i++) {
		unicast(0, 1, i);
		fake_flush(&net);
	}
	assert_int_equal(port_at(1)->queue_limit, PORT_QUEUE);
}

/* A busy sender never lets the queue run empty. */
static void the_queue_grows_back_even_if_it_is_never_empty(void **state)
{
	(void)state;
	stall(1);
	fake_writable(&net, 1, 0);
	for (uint32_t i = 0; i < 200; i++) {
		send_all_credit(0, 1);
		fake_flush(&net);
		fake_writable(&net, 1, 5);
	}
	assert_int_equal(port_at(1)->queue_limit, PORT_QUEUE);
}

static void a_starved_pair_makes_nobody_else_impatient(void **state)
{
	(void)state;
	net.fakes[1].room = net.fakes[3].room = 0;
	send_all_credit(0, 1);
	unicast(2, 3, 0);
	fake_flush(&net);
	tick_after(STALL_STARVED_MS);
	assert_true(port_at(1)->stalled);
	assert_false(port_at(3)->stalled);
}

/* Port 1 is slow, port 2 is not: what is for port 2 must get through. */
static void a_sender_to_several_is_not_held_up_by_the_slowest(void **state)
{
	uint64_t began_ms = net.now_ms;
	unsigned to_fast = 0;

	(void)state;
	net.fakes[1].room = 0;
	for (uint32_t i = 0; i < 20 * PORT_BUFFERS; i++) {
		unicast(0, 1, i);
		to_fast += unicast(0, 2, i) == 0;
		fake_flush(&net);
		if (net.ports.starved_count && !port_fed(&net.ports, 0))
			tick_after(TICK_MS);
		if (net.ports.starved_count)
			port_fed(&net.ports, 0);
	}
	/* It was waited for once, to see how slow it is. */
	assert_int_equal(net.now_ms, began_ms + TICK_MS);
	assert_in_range(to_fast, 19 * PORT_BUFFERS, 20 * PORT_BUFFERS);
	assert_int_equal(net.fakes[2].taken, to_fast);
	assert_in_range(port_at(1)->counters->drop[DROP_QUEUE_FULL],
			15 * PORT_BUFFERS, 20 * PORT_BUFFERS);
	/* What was kept is the oldest, in order. */
	fake_writable(&net, 1, UINT32_MAX);
	for (uint32_t i = 0; i < PORT_BUFFERS_SHARE; i++)
		assert_int_equal(net.fakes[1].marks[i], i);
}

/* Port 1 is slower than port 2, but lives: what is for it is not dropped. */
static void a_sender_to_several_waits_for_one_that_takes_its_time(void **state)
{
	unsigned waited = 0;

	(void)state;
	net.fakes[1].room = 0;
	for (uint32_t i = 0; i < 40 * PORT_BUFFERS; i++) {
		while (unicast(0, 1 + i % 2, i)) {
			fake_writable(&net, 1, SLOW_TICK_FRAMES / 4);
			fake_flush(&net);
			if (++waited % 4 == 0)
				tick_after(TICK_MS);
			port_fed(&net.ports, 0);
		}
		fake_flush(&net);
	}
	assert_in_range(waited, 20, 40);
	assert_int_equal(port_at(1)->counters->drop[DROP_QUEUE_FULL], 0);
}

/* Bytes count as well: long frames come at a slower pace. */
static void a_receiver_of_long_frames_is_not_slow(void **state)
{
	(void)state;
	net.fakes[1].room = 0;
	unicast(0, 1, 0);
	fake_flush(&net);
	port_at(1)->counters->sent_bytes += SLOW_TICK_FRAMES * 1514;
	tick_after(TICK_MS);
	assert_int_equal(port_at(1)->slow_until_ms, 0);
	tick_after(TICK_MS);
	assert_int_equal(port_at(1)->slow_until_ms, net.now_ms + SLOW_MS);
}

static void a_sender_that_goes_back_to_one_port_loses_nothing_again(void **state)
{
	uint64_t dropped;

	(void)state;
	net.fakes[1].room = 0;
	for (uint32_t i = 0; i < PORT_BUFFERS / 2; i++)
		unicast(0, 1, i);
	unicast(0, 2, 0);
	fake_flush(&net);
	send_all_credit(0, 1);
	tick_after(TICK_MS);
	dropped = port_at(1)->counters->drop[DROP_QUEUE_FULL];
	assert_int_equal(dropped, PORT_BUFFERS - PORT_BUFFERS_SHARE);
	assert_true(port_fed(&net.ports, 0));
	fake_writable(&net, 1, UINT32_MAX);
	for (uint32_t i = 0; i < SINGLE_RUN_FRAMES; i++) {
		unicast(0, 1, i);
		fake_flush(&net);
	}
	net.fakes[1].room = 0;
	unicast(0, 1, 0);
	fake_flush(&net);
	send_all_credit(0, 1);
	assert_int_equal(port_at(1)->counters->drop[DROP_QUEUE_FULL], dropped);
}

/* What was for it alone waits longer than what was for everybody. */
static void a_port_that_sleeps_for_a_moment_misses_floods_only(void **state)
{
	(void)state;
	net.fakes[1].room = 0;
	unicast(0, 1, 1);
	for (uint32_t i = 0; i < PORT_BUFFERS / 2; i++)
		fake_receive(&net, 0, BROADCAST, station(0), 60, 2);
	send_all_credit(0, 1);
	fake_flush(&net);
	tick_after(STALL_FLOODED_MS);
	assert_int_equal(port_at(1)->queue_count, PORT_BUFFERS / 2);
	tick_after(STALL_STARVED_MS - STALL_FLOODED_MS - 1);
	fake_writable(&net, 1, UINT32_MAX);
	assert_int_equal(net.fakes[1].taken, PORT_BUFFERS / 2);
	assert_int_equal(port_at(1)->counters->stalls, 0);
}

static void dead_ports_cost_a_sender_no_credit(void **state)
{
	(void)state;
	for (unsigned at = 4; at < FAKE_PORTS; at++) {
		fake_add(&net, at);
		net.fakes[at].room = 0;
	}
	while (!fake_receive(&net, 0, BROADCAST, station(0), 60, 0))
		fake_flush(&net);
	tick_after(STALL_FLOODED_MS);
	assert_int_equal(port_at(0)->pool->available, PORT_BUFFERS);
	assert_true(port_fed(&net.ports, 0));
	while (!fake_receive(&net, 0, BROADCAST, station(0), 60, 0))
		fake_flush(&net);
	tick_after(STALL_STARVED_MS);
	for (uint32_t i = 0; i < 10 * PORT_BUFFERS; i++) {
		assert_int_equal(fake_receive(&net, 0, BROADCAST, station(0),
					      60, i), 0);
		fake_flush(&net);
	}
	assert_int_equal(net.fakes[2].taken, 12 * PORT_BUFFERS);
}

static void a_refused_frame_is_counted_and_the_next_ones_go_on(void **state)
{
	(void)state;
	net.fakes[1].error = -ENETDOWN;
	unicast(0, 1, 0);
	unicast(0, 1, 1);
	fake_flush(&net);
	net.fakes[1].error = -EINVAL;
	unicast(0, 1, 2);
	fake_flush(&net);
	net.fakes[1].error = 0;
	unicast(0, 1, 3);
	fake_flush(&net);
	assert_int_equal(port_at(1)->counters->drop[DROP_LINK_DOWN], 2);
	assert_int_equal(port_at(1)->counters->drop[DROP_SEND_ERROR], 1);
	assert_int_equal(net.fakes[1].marks[0], 3);
}

/* Frames of a port that has gone are still delivered, and its buffers go with
 * the last of them (the address sanitizer watches). */
static void a_port_may_go_while_its_frames_wait_for_others(void **state)
{
	(void)state;
	net.fakes[1].room = 0;
	unicast(0, 1, 5);
	unicast(0, 1, 6);
	fake_flush(&net);
	fake_close(&net, 0);
	fake_writable(&net, 1, 10);
	assert_int_equal(net.fakes[1].taken, 2);
	assert_int_equal(net.fakes[1].marks[1], 6);
}

static void a_port_may_go_in_any_state(void **state)
{
	(void)state;
	stall(1);
	net.fakes[2].room = 0;
	unicast(0, 2, 0);
	fake_flush(&net);
	unicast(0, 3, 0); /* dirty */
	for (unsigned at = 1; at < 4; at++)
		fake_close(&net, at);
	assert_int_equal(net.ports.blocked_count, 0);
	assert_int_equal(net.ports.dirty_count, 0);
	assert_int_equal(net.ports.flood_count, 1);
	assert_int_equal(port_at(0)->pool->available, PORT_BUFFERS);
}

static void a_place_is_used_again_with_another_generation(void **state)
{
	uint16_t id = port_at(1)->id;
	uint32_t gen = port_at(1)->gen;

	(void)state;
	fake_close(&net, 1);
	assert_null(ports_find(&net.ports, id, gen));
	fake_add(&net, 1);
	assert_int_equal(port_at(1)->id, id);
	assert_null(ports_find(&net.ports, id, gen));
	assert_ptr_equal(ports_find(&net.ports, id, gen + 1), port_at(1));
	assert_string_equal(port_at(1)->name, "fake2");
}

static void offered_is_sent_undelivered_and_queued(void **state)
{
	struct port_counters c;

	(void)state;
	net.fakes[1].room = 50;
	for (unsigned round = 0; round < 20; round++) {
		for (unsigned from = 0; from < 4; from++) {
			fake_receive(&net, from, BROADCAST, station(from), 60, 0);
			unicast(from, 1, 0);
		}
		fake_flush(&net);
		tick_after(round % 5 * STALL_MS / 4);
		if (round % 7 == 6)
			fake_writable(&net, 1, 3);
	}
	c = port_counters(&net.ports, port_at(1));
	assert_int_equal(c.offered, c.sent + port_undelivered(&c) +
					    port_at(1)->queue_count);
	assert_int_not_equal(port_undelivered(&c), 0);
}

static void a_tap_takes_a_tagged_frame_four_bytes_longer(void **state)
{
	struct port *p = port_at(1);
	struct frame *f = pool_take(port_at(0)->pool, 0, 1518);

	(void)state;
	p->frame_max = 1514;
	p->tags_extra = true;
	f->data[12] = 0x08;
	assert_int_equal(port_send(&net.ports, p, f), -ENOBUFS);
	f->data[12] = 0x81;
	assert_int_equal(port_send(&net.ports, p, f), 0);
	frame_unref(f);
	fake_flush(&net);
}

static void a_port_has_as_much_room_as_it_was_given(void **state)
{
	(void)state;
	net.queue = 5;
	fake_add(&net, 4);
	net.fakes[4].room = 0;
	fake_receive(&net, 4, BROADCAST, station(4), 60, 0);
	fake_flush(&net);
	for (uint32_t mark = 0; mark < 9; mark++)
		unicast(0, 4, mark);
	assert_int_equal(port_at(4)->queue_count, 5);
	assert_int_equal(port_at(4)->counters->drop[DROP_QUEUE_FULL], 4);
	net.fakes[4].room = 100;
	fake_flush(&net);
	assert_int_equal(net.fakes[4].taken, 5);
	for (uint32_t mark = 0; mark < 5; mark++)
		assert_int_equal(net.fakes[4].marks[mark], mark);
}

static void a_long_queue_keeps_the_order_around_its_end(void **state)
{
	(void)state;
	net.queue = PORT_QUEUE_MAX;
	fake_add(&net, 4);
	fake_receive(&net, 4, BROADCAST, station(4), 60, 0);
	fake_flush(&net);
	for (uint32_t mark = 0; mark < 3 * PORT_QUEUE_MAX; mark++) {
		unicast(0, 4, mark);
		if (mark % 100 == 99)
			fake_flush(&net);
	}
	fake_flush(&net);
	assert_int_equal(net.fakes[4].taken, 3 * PORT_QUEUE_MAX);
	for (uint32_t i = 1; i < FAKE_TAKEN_MAX; i++) {
		uint32_t at = (net.fakes[4].taken + i) % FAKE_TAKEN_MAX;
		uint32_t before = (at + FAKE_TAKEN_MAX - 1) % FAKE_TAKEN_MAX;

		assert_int_equal(net.fakes[4].marks[at],
				 net.fakes[4].marks[before] + 1);
	}
}

/* A stream that has taken a part of its last frame: nothing is queued, but it
 * has to be told when the rest can go. */
static void a_frame_partly_out_is_waited_for(void **state)
{
	(void)state;
	net.fakes[1].splits = true;
	net.fakes[1].room = 2;
	unicast(0, 1, 1);
	unicast(0, 1, 2);
	fake_flush(&net);
	assert_int_equal(port_at(1)->queue_count, 0);
	assert_int_equal(net.fakes[1].taken, 2);
	assert_true(port_at(1)->blocked);
	assert_int_equal(net.fakes[1].waits, 1);
	fake_writable(&net, 1, 100);
	fake_flush(&net);
	assert_false(port_at(1)->unfinished);
	assert_false(port_at(1)->blocked);
	assert_int_equal(net.fakes[1].taken, 2);
}

static void a_stalled_port_finishes_its_frame(void **state)
{
	(void)state;
	net.fakes[1].splits = true;
	net.fakes[1].room = 1;
	unicast(0, 1, 1);
	unicast(0, 1, 2);
	fake_flush(&net);
	net.now_ms += STALL_MS;
	ports_stall_blocked(&net.ports, net.now_ms);
	assert_true(port_at(1)->stalled);
	assert_true(port_at(1)->unfinished);
	fake_writable(&net, 1, 100);
	fake_flush(&net);
	assert_false(port_at(1)->unfinished);
	assert_int_equal(net.fakes[1].marks[0], 1);
	assert_int_equal(net.fakes[1].taken, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(frames_leave_in_the_order_they_came),
		TEST(a_full_receiver_is_asked_once_when_it_has_room),
		TEST(one_busy_sender_is_slowed_down_and_loses_nothing),
		TEST(a_starved_sender_is_read_again_when_enough_has_come_back),
		TEST(a_queue_has_a_limit_and_what_is_beyond_is_counted),
		TEST(a_port_that_stands_still_is_stalled_and_gives_buffers_back),
		TEST(while_nobody_is_starved_a_port_may_stand_still_longer),
		TEST(of_many_that_stand_still_those_that_go_on_are_not_stalled),
		TEST(a_port_that_takes_next_to_nothing_is_stalled_too),
		TEST(a_slow_port_that_keeps_taking_is_not_stalled),
		TEST(frames_for_a_stalled_port_are_dropped_at_once),
		TEST(floods_pass_a_stalled_port_by_and_are_counted),
		TEST(a_stalled_port_that_takes_again_gets_floods_again),
		TEST(after_a_stall_the_queue_is_short_and_grows_by_what_is_taken),
		TEST(the_queue_grows_back_even_if_it_is_never_empty),
		TEST(a_starved_pair_makes_nobody_else_impatient),
		TEST(a_sender_to_several_is_not_held_up_by_the_slowest),
		TEST(a_sender_to_several_waits_for_one_that_takes_its_time),
		TEST(a_receiver_of_long_frames_is_not_slow),
		TEST(a_sender_that_goes_back_to_one_port_loses_nothing_again),
		TEST(a_port_that_sleeps_for_a_moment_misses_floods_only),
		TEST(dead_ports_cost_a_sender_no_credit),
		TEST(a_refused_frame_is_counted_and_the_next_ones_go_on),
		TEST(a_port_may_go_while_its_frames_wait_for_others),
		TEST(a_port_may_go_in_any_state),
		TEST(a_place_is_used_again_with_another_generation),
		TEST(offered_is_sent_undelivered_and_queued),
		TEST(a_tap_takes_a_tagged_frame_four_bytes_longer),
		TEST(a_port_has_as_much_room_as_it_was_given),
		TEST(a_long_queue_keeps_the_order_around_its_end),
		TEST(a_frame_partly_out_is_waited_for),
		TEST(a_stalled_port_finishes_its_frame),
	};

	return cmocka_run_group_tests_name("port", tests, NULL, NULL);
}
