/*
 * A port's queue: given another size while frames wait in it, how full it has
 * been, and whose the frames are that go out of it.
 */
#include "test.h"

#include "../switch/kept.h"
#include "../switch/port_slow.h"
#include "fake_port.h"

enum { USUAL = 20, USUAL_RING = 32 };

static struct fake_net net;

static int set_up(void **state)
{
	(void)state;
	fake_net_init(&net, 4);
	return 0;
}

/* Whatever a test did: what it queued has come out, and its buffers back. */
static int tear_down(void **state)
{
	int leaked = 0;

	(void)state;
	net.fakes[1].room = 0;
	fake_writable(&net, 1, UINT32_MAX);
	for (unsigned i = 0; i < 4; i++)
		leaked += net.fakes[i].port->pool->available != PORT_BUFFERS;
	fake_net_fini(&net);
	return leaked;
}

static struct port *receiver(void)
{
	return net.fakes[1].port;
}

static void resize(uint32_t frames)
{
	assert_int_equal(port_set_queue(receiver(), frames), 0);
}

/* @n frames with marks from @mark on for port 1, from whom there is. */
static void offer(unsigned n, uint32_t mark)
{
	static const unsigned senders[] = { 0, 2, 3 };

	for (unsigned i = 0; i < n; i++, mark++) {
		unsigned from = senders[mark % ARRAY_SIZE(senders)];

		/* The first ones are flooded: nobody knows it yet. */
		assert_int_equal(fake_receive(&net, from, station(1),
					      station(from), 60, mark),
				 0);
	}
}

static void let_out(void)
{
	net.fakes[1].room = 0;
	fake_writable(&net, 1, UINT32_MAX);
}

/* Frames @mark, ... of @n are what has been taken. */
static void expect_marks(unsigned n, uint32_t mark)
{
	assert_int_equal(net.fakes[1].taken, n);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(net.fakes[1].marks[i], mark + i);
	net.fakes[1].taken = 0;
}

static void begin(void)
{
	/* Known from here on. */
	fake_receive(&net, 1, BROADCAST, station(1), 60, 0);
	fake_flush(&net);
	net.fakes[1].taken = 0;
}

/* @fill frames wait from place @head of the ring on. */
static void given_a_queue(unsigned head, unsigned fill)
{
	resize(USUAL);
	for (unsigned i = 0; i < head; i++) {
		offer(1, i);
		fake_flush(&net);
	}
	expect_marks(head, 0);
	net.fakes[1].room = 0;
	offer(fill, 1000);
	fake_flush(&net);
	assert_int_equal(receiver()->queue_count, fill);
	assert_int_equal(receiver()->queue_head, head % USUAL_RING);
}

static void check_size(unsigned head, unsigned fill, uint32_t frames)
{
	uint64_t full = receiver()->counters->drop[DROP_QUEUE_FULL];
	unsigned more = fill < frames ? frames - fill : 0;

	given_a_queue(head, fill);
	resize(frames);
	assert_int_equal(receiver()->queue_count, fill);
	/* As many as there is room for now, and three more. */
	offer(more + 3, 1000 + fill);
	assert_int_equal(receiver()->counters->drop[DROP_QUEUE_FULL], full + 3);
	let_out();
	expect_marks(fill + more, 1000);
}

static void a_queue_of_any_fill_and_place_becomes_any_size_in_order(void **state)
{
	static const uint32_t sizes[] = { 1,  2,  3,  7,  8,  9,  15, 16,
					  17, 19, 20, 21, 31, 32, 33, 65 };

	(void)state;
	begin();
	for (unsigned head = 0; head < USUAL_RING; head++)
		for (unsigned fill = 0; fill <= USUAL; fill++)
			for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++)
				check_size(head, fill, sizes[i]);
}

static void what_waits_beyond_a_shorter_queue_goes_on_waiting(void **state)
{
	(void)state;
	begin();
	given_a_queue(30, 10);
	resize(3);
	assert_int_equal(receiver()->queue_count, 10);
	offer(1, 9999);
	assert_int_equal(receiver()->counters->drop[DROP_QUEUE_FULL], 1);
	net.fakes[1].room = 0;
	fake_writable(&net, 1, 8);
	expect_marks(8, 1000);
	offer(2, 1010); /* one of them fits */
	assert_int_equal(receiver()->counters->drop[DROP_QUEUE_FULL], 2);
	let_out();
	expect_marks(3, 1008);
}

static void the_shortest_and_the_longest_queue_hold_what_they_say(void **state)
{
	(void)state;
	begin();
	resize(1);
	net.fakes[1].room = 0;
	offer(2, 0);
	assert_int_equal(receiver()->queue_count, 1);
	resize(PORT_QUEUE_MAX);
	offer(200, 1);
	assert_int_equal(receiver()->queue_limit, PORT_QUEUE_MAX);
	let_out();
	expect_marks(201, 0);
}

static void after_a_stall_the_queue_grows_to_its_new_size(void **state)
{
	(void)state;
	begin();
	net.fakes[1].room = 0;
	offer(1, 0);
	fake_flush(&net);
	resize(40);
	net.now_ms += STALL_MS;
	ports_stall_blocked(&net.ports, net.now_ms);
	assert_int_equal(receiver()->queue_limit, PORT_QUEUE_PROBATION);
	let_out();
	for (unsigned i = 0; i < 100; i++) {
		offer(1, i);
		fake_flush(&net);
	}
	assert_int_equal(receiver()->queue_limit, 40);
	net.fakes[1].taken = 0;
}

/* A port of another size comes into the place of one that was resized. */
static void the_next_port_in_its_place_has_the_room_it_asks_for(void **state)
{
	(void)state;
	resize(3);
	fake_close(&net, 1);
	net.queue = 50;
	fake_add(&net, 1);
	begin();
	net.fakes[1].room = 0;
	offer(51, 0);
	assert_int_equal(receiver()->queue_count, 50);
	let_out();
	expect_marks(50, 0);
}

/* --- the high-water mark ------------------------------------------------ */

static void queue_high_is_the_most_that_has_waited_at_once(void **state)
{
	(void)state;
	begin();
	given_a_queue(0, 7);
	assert_int_equal(receiver()->queue_high, 7);
	let_out();
	assert_int_equal(receiver()->queue_high, 7);
	net.fakes[1].room = 0;
	offer(6, 0);
	fake_flush(&net);
	assert_int_equal(receiver()->queue_high, 7);
	offer(2, 6);
	assert_int_equal(receiver()->queue_high, 8);
	let_out();
	net.fakes[1].taken = 0;
}

static void queue_high_does_not_count_what_is_dropped(void **state)
{
	(void)state;
	begin();
	given_a_queue(0, USUAL);
	offer(5, 0);
	assert_int_equal(receiver()->queue_high, USUAL);
}

static void another_port_begins_at_no_high(void **state)
{
	(void)state;
	begin();
	given_a_queue(0, 7);
	fake_close(&net, 1);
	fake_add(&net, 1);
	assert_int_equal(receiver()->queue_high, 0);
}

/* Whose fault it would be, by the keeper's page, if the switch died now. */
static volatile uint32_t page;
static struct kept kept = { .blame = &page };

static void given_a_keeper(void)
{
	begin();
	page = KEEPER_NOBODY;
	net.ports.kept = &kept;
}

static void what_goes_out_is_its_senders_fault_and_then_nobodys(void **state)
{
	(void)state;
	given_a_keeper();
	offer(1, 1);
	fake_flush(&net);
	assert_int_equal(net.fakes[1].blamed, net.fakes[2].port->id);
	assert_int_equal(page, KEEPER_NOBODY);
}

/* The kernel gets them all in one call. */
static void frames_of_several_at_once_are_nobodys_fault(void **state)
{
	(void)state;
	given_a_keeper();
	offer(2, 1);
	fake_flush(&net);
	assert_int_equal(net.fakes[1].taken, 2);
	assert_int_equal(net.fakes[1].blamed, KEEPER_NOBODY);
}

/* Its place may be another's by now. */
static void nor_are_those_of_one_that_has_left_its(void **state)
{
	(void)state;
	given_a_keeper();
	net.fakes[1].room = 0;
	offer(1, 1);
	fake_flush(&net);
	fake_close(&net, 2);
	fake_add(&net, 2);
	let_out();
	assert_int_equal(net.fakes[1].taken, 1);
	assert_int_equal(net.fakes[1].blamed, KEEPER_NOBODY);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_queue_of_any_fill_and_place_becomes_any_size_in_order),
		TEST(what_waits_beyond_a_shorter_queue_goes_on_waiting),
		TEST(the_shortest_and_the_longest_queue_hold_what_they_say),
		TEST(after_a_stall_the_queue_grows_to_its_new_size),
		TEST(the_next_port_in_its_place_has_the_room_it_asks_for),
		TEST(queue_high_is_the_most_that_has_waited_at_once),
		TEST(queue_high_does_not_count_what_is_dropped),
		TEST(another_port_begins_at_no_high),
		TEST(what_goes_out_is_its_senders_fault_and_then_nobodys),
		TEST(frames_of_several_at_once_are_nobodys_fault),
		TEST(nor_are_those_of_one_that_has_left_its),
	};

	return cmocka_run_group_tests_name("port_queue", tests, NULL, NULL);
}
