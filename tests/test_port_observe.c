/*
 * What an observer is told of frames, in which order; and one that sends copies
 * to others meanwhile, as mirrors do.
 */
#include "test.h"

#include <errno.h>
#include <string.h>

#include "../switch/ether.h"
#include "../switch/port_slow.h"
#include "fake_port.h"

enum { TOLD_MOST = 256 };

struct told {
	int port;
	enum seen seen;
	enum drop why;
	const struct frame *frame;
	uint32_t mark;
};

static struct fake_net net;
static struct told told[TOLD_MOST];
static unsigned told_count;
static int mirror[FAKE_PORTS]; /* to whom, or -1 */
static struct {
	int port;
	enum port_news news;
} news[TOLD_MOST];
static unsigned news_count;

static void observe(struct ports *ps, struct port *p, struct frame *f,
		    enum seen seen, enum drop why)
{
	struct told *t = &told[told_count++];

	assert_in_range(told_count, 1, TOLD_MOST);
	assert_true(f->refs > 0); /* it can be looked at */
	*t = (struct told){ p->fd, seen, why, f, 0 };
	memcpy(&t->mark, f->data + ETHER_HEADER_BYTES, sizeof(t->mark));
	if (mirror[p->fd] >= 0 && seen != SEEN_DROPPED)
		port_send(ps, net.fakes[mirror[p->fd]].port, f);
}

static void notify(struct ports *ps, struct port *p, enum port_news what)
{
	(void)ps;
	news[news_count].port = p->fd;
	news[news_count++].news = what;
}

static int set_up(void **state)
{
	(void)state;
	fake_net_init(&net, 4);
	for (unsigned i = 0; i < 4; i++)
		fake_receive(&net, i, BROADCAST, station(i), 60, 0);
	fake_flush(&net);
	for (unsigned i = 0; i < 4; i++)
		net.fakes[i].taken = 0;
	net.ports.observe = observe;
	net.ports.notify = notify;
	told_count = news_count = 0;
	memset(mirror, -1, sizeof(mirror));
	return 0;
}

static int tear_down(void **state)
{
	int leaked = 0;

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		if (net.fakes[i].port) {
			net.fakes[i].room = 0;
			fake_writable(&net, i, UINT32_MAX);
		}
	for (unsigned i = 0; i < 4; i++)
		if (net.fakes[i].port)
			leaked += net.fakes[i].port->pool->available !=
				  PORT_BUFFERS;
	fake_net_fini(&net);
	return leaked;
}

static struct port *port_at(unsigned at)
{
	return net.fakes[at].port;
}

static void watch(unsigned at)
{
	port_set_flags(&net.ports, port_at(at),
		       (uint8_t)(port_at(at)->flags | PORT_OBSERVED));
}

static void send(unsigned from, uint64_t dst, uint32_t mark)
{
	assert_int_equal(fake_receive(&net, from, dst, station(from), 60, mark),
			 0);
}

/* The next that was told is this; @why counts for what is dropped. */
static void expect(unsigned *at, int port, enum seen seen, enum drop why,
		   uint32_t mark)
{
	assert_true(*at < told_count);
	assert_int_equal(told[*at].port, port);
	assert_int_equal(told[*at].seen, seen);
	assert_int_equal(told[*at].mark, mark);
	if (seen == SEEN_DROPPED)
		assert_int_equal(told[*at].why, why);
	++*at;
}

static void expect_end(unsigned at)
{
	assert_int_equal(told_count, at);
}

/* --- order and number --------------------------------------------------- */

static void a_frame_is_seen_in_at_its_sender_then_out_at_its_receiver(void **state)
{
	unsigned at = 0;

	(void)state;
	watch(0);
	watch(1);
	send(0, station(1), 5);
	expect(&at, 0, SEEN_IN, 0, 5);
	expect_end(at); /* the kernel has not taken it yet */
	fake_flush(&net);
	expect(&at, 1, SEEN_OUT, 0, 5);
	expect_end(at);
}

static void a_flood_is_seen_in_once_and_out_once_at_each(void **state)
{
	unsigned outs[4] = { 0 };

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		watch(i);
	send(2, BROADCAST, 7);
	assert_int_equal(told_count, 1);
	assert_int_equal(told[0].port, 2);
	assert_int_equal(told[0].seen, SEEN_IN);
	fake_flush(&net);
	assert_int_equal(told_count, 4);
	for (unsigned i = 1; i < 4; i++) {
		assert_int_equal(told[i].seen, SEEN_OUT);
		assert_int_equal(told[i].mark, 7);
		outs[told[i].port]++;
	}
	assert_int_equal(outs[2], 0);
	assert_true(outs[0] == 1 && outs[1] == 1 && outs[3] == 1);
}

static void frames_are_seen_out_in_the_order_they_go(void **state)
{
	unsigned at = 0;

	(void)state;
	watch(1);
	net.fakes[1].room = 0;
	for (uint32_t mark = 0; mark < 100; mark++)
		send(0, station(1), mark);
	fake_flush(&net);
	expect_end(0);
	fake_writable(&net, 1, 60);
	assert_int_equal(told_count, 60);
	fake_writable(&net, 1, 60);
	for (uint32_t mark = 0; mark < 100; mark++)
		expect(&at, 1, SEEN_OUT, 0, mark);
	expect_end(at);
}

static void nobody_is_told_of_other_ports(void **state)
{
	(void)state;
	watch(3);
	send(0, station(1), 0);
	send(1, station(0), 0);
	send(1, station(1), 0);
	fake_flush(&net);
	expect_end(0);
	port_set_flags(&net.ports, port_at(3), 0);
	send(0, BROADCAST, 0);
	fake_flush(&net);
	expect_end(0);
}

/* --- drops ---------------------------------------------------------------- */

static void what_its_sender_loses_is_seen_dropped_and_not_in(void **state)
{
	unsigned at = 0;

	(void)state;
	watch(0);
	send(0, station(0), 1);
	expect(&at, 0, SEEN_DROPPED, DROP_SAME_PORT, 1);
	fake_receive(&net, 0, BROADCAST, station(0), 4000, 2);
	expect(&at, 0, SEEN_DROPPED, DROP_RX_TOO_LONG, 2);
	fake_receive(&net, 0, BROADCAST, station(0), 13, 3);
	expect(&at, 0, SEEN_DROPPED, DROP_RUNT, 3);
	port_set_flags(&net.ports, port_at(0), PORT_OBSERVED | PORT_LOCKED);
	fake_receive(&net, 0, BROADCAST, station(8), 60, 4);
	expect(&at, 0, SEEN_DROPPED, DROP_LOCKED, 4);
	port_at(0)->mac_limit = 1;
	port_set_flags(&net.ports, port_at(0), PORT_OBSERVED | PORT_MAC_LIMIT);
	fake_receive(&net, 0, BROADCAST, station(8), 60, 5);
	expect(&at, 0, SEEN_DROPPED, DROP_MAC_LIMIT, 5);
	port_set_flags(&net.ports, port_at(0), PORT_OBSERVED | PORT_ADMIN_DOWN);
	send(0, BROADCAST, 6);
	expect(&at, 0, SEEN_DROPPED, DROP_ADMIN_DOWN, 6);
	expect_end(at);
}

static void what_a_filter_refuses_is_seen_dropped(void **state)
{
	struct frame *f = pool_take(port_at(0)->pool, 0, 60);
	unsigned at = 0;

	(void)state;
	watch(0);
	memset(f->data, 0, 60);
	forward_refused(&net.forward, port_at(0), f);
	expect(&at, 0, SEEN_DROPPED, DROP_FILTER, 0);
	expect_end(at);
	frame_unref(f);
}

static void isolation_is_told_as_the_reason(void **state)
{
	unsigned at = 0;

	(void)state;
	port_set_flags(&net.ports, port_at(0), PORT_OBSERVED | PORT_ISOLATED);
	port_set_flags(&net.ports, port_at(1), PORT_OBSERVED | PORT_ISOLATED);
	send(0, station(1), 1);
	expect(&at, 0, SEEN_DROPPED, DROP_ISOLATED, 1);
	expect_end(at);
}

static void what_its_receiver_loses_is_seen_dropped_there(void **state)
{
	unsigned at = 0;

	(void)state;
	watch(1);
	assert_int_equal(port_set_queue(port_at(1), 2), 0);
	net.fakes[1].room = 0;
	for (uint32_t mark = 0; mark < 3; mark++)
		send(0, station(1), mark);
	expect(&at, 1, SEEN_DROPPED, DROP_QUEUE_FULL, 2);
	port_at(1)->frame_max = 50;
	send(0, station(1), 3);
	expect(&at, 1, SEEN_DROPPED, DROP_TOO_LONG, 3);
	fake_flush(&net);
	net.now_ms += STALL_MS;
	ports_stall_blocked(&net.ports, net.now_ms);
	expect(&at, 1, SEEN_DROPPED, DROP_STALLED, 0);
	expect(&at, 1, SEEN_DROPPED, DROP_STALLED, 1);
	send(0, station(1), 4);
	expect(&at, 1, SEEN_DROPPED, DROP_STALLED, 4);
	expect_end(at);
}

static void a_copy_that_is_lost_is_told_after_its_frame_came_in(void **state)
{
	unsigned at = 0;

	(void)state;
	watch(0);
	watch(1);
	watch(2);
	assert_int_equal(port_set_queue(port_at(1), 1), 0);
	port_at(2)->frame_max = 50;
	send(0, station(1), 1);
	send(0, station(1), 2);
	expect(&at, 0, SEEN_IN, 0, 1);
	expect(&at, 0, SEEN_IN, 0, 2);
	expect(&at, 1, SEEN_DROPPED, DROP_QUEUE_FULL, 2);
	fake_flush(&net);
	expect(&at, 1, SEEN_OUT, 0, 1);
	send(0, BROADCAST, 3);
	expect(&at, 0, SEEN_IN, 0, 3);
	expect(&at, 2, SEEN_DROPPED, DROP_TOO_LONG, 3);
	fake_flush(&net);
	expect(&at, 1, SEEN_OUT, 0, 3);
	expect_end(at);
}

static void what_the_kernel_refuses_is_seen_dropped_and_not_out(void **state)
{
	unsigned at = 0;

	(void)state;
	watch(1);
	net.fakes[1].error = -ENETDOWN;
	send(0, station(1), 1);
	fake_flush(&net);
	expect(&at, 1, SEEN_DROPPED, DROP_LINK_DOWN, 1);
	net.fakes[1].error = -EINVAL;
	send(0, station(1), 2);
	fake_flush(&net);
	expect(&at, 1, SEEN_DROPPED, DROP_SEND_ERROR, 2);
	expect_end(at);
}

static void what_a_leaving_port_had_queued_is_seen_dropped(void **state)
{
	unsigned at = 0;

	(void)state;
	watch(1);
	net.fakes[1].room = 0;
	send(0, station(1), 1);
	send(0, station(1), 2);
	fake_flush(&net);
	fake_close(&net, 1);
	expect(&at, 1, SEEN_DROPPED, DROP_PORT_CLOSED, 1);
	expect(&at, 1, SEEN_DROPPED, DROP_PORT_CLOSED, 2);
	expect_end(at);
}

static void what_a_slow_port_gives_back_is_seen_dropped(void **state)
{
	(void)state;
	watch(1);
	net.fakes[1].room = 0;
	send(0, station(2), 0); /* it has others to send to */
	send(0, station(1), 0);
	fake_flush(&net);
	while (!fake_receive(&net, 0, station(1), station(0), 60, 1))
		;
	net.now_ms += TICK_MS;
	ports_stall_blocked(&net.ports, net.now_ms);
	assert_int_equal(told_count,
			 port_at(1)->counters->drop[DROP_QUEUE_FULL]);
	assert_int_equal(told_count, PORT_BUFFERS - PORT_BUFFERS_SHARE);
	for (unsigned i = 0; i < told_count; i++)
		assert_int_equal(told[i].why, DROP_QUEUE_FULL);
}

/* --- copies --------------------------------------------------------------- */

static void copies_made_while_others_are_flushed_go_in_the_same_round(void **state)
{
	(void)state;
	watch(0);
	watch(1);
	mirror[0] = mirror[1] = 3;
	send(0, station(1), 5);
	fake_flush(&net);
	assert_int_equal(net.fakes[1].taken, 1);
	assert_int_equal(net.fakes[3].taken, 2); /* received, and sent */
	assert_int_equal(net.fakes[3].marks[0], 5);
	assert_int_equal(net.fakes[3].marks[1], 5);
	assert_int_equal(net.ports.dirty_count, 0);
}

static void a_mirror_gets_each_frame_of_each_port_once(void **state)
{
	const struct port_counters *c = port_at(3)->counters;
	uint64_t before = c->offered;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		watch(i);
		mirror[i] = 3;
	}
	for (uint32_t round = 0; round < 50; round++) {
		for (unsigned from = 0; from < 3; from++)
			send(from, station((from + 1) % 3), round);
		fake_flush(&net);
		told_count = 0;
	}
	assert_int_equal(net.fakes[3].taken, 50 * 3 * 2);
	assert_int_equal(c->offered - before, 50 * 3 * 2);
	assert_int_equal(net.ports.dirty_count, 0);
}

/* It is in the list once, and is flushed after those that it copies. */
static void a_port_that_is_dirty_already_takes_copies_too(void **state)
{
	(void)state;
	watch(1);
	mirror[1] = 2;
	send(0, station(1), 1);
	send(0, station(2), 2);
	send(0, station(1), 3);
	assert_int_equal(net.ports.dirty_count, 2);
	fake_flush(&net);
	assert_int_equal(net.fakes[1].taken, 2);
	assert_int_equal(net.fakes[2].taken, 3);
	assert_int_equal(net.ports.dirty_count, 0);
	assert_false(port_at(1)->dirty || port_at(2)->dirty);
}

static void a_mirror_that_stands_still_costs_its_ports_nothing(void **state)
{
	(void)state;
	watch(1);
	mirror[1] = 3;
	assert_int_equal(port_set_queue(port_at(3), 4), 0);
	net.fakes[3].room = 0;
	for (uint32_t mark = 0; mark < 100; mark++) {
		send(0, station(1), mark);
		fake_flush(&net);
	}
	assert_int_equal(net.fakes[1].taken, 100);
	assert_int_equal(port_at(1)->counters->drop[DROP_QUEUE_FULL], 0);
	assert_int_equal(port_at(3)->counters->drop[DROP_QUEUE_FULL], 96);
	assert_int_equal(port_at(3)->queue_count, 4);
}

static void copies_of_drops_are_not_made(void **state)
{
	(void)state;
	watch(0);
	mirror[0] = 3;
	send(0, station(0), 1);
	fake_flush(&net);
	assert_int_equal(net.fakes[3].taken, 0);
}

/* --- news ------------------------------------------------------------------ */

static void expect_news(unsigned at, int port, enum port_news what)
{
	assert_true(at < news_count);
	assert_int_equal(news[at].port, port);
	assert_int_equal(news[at].news, what);
}

static void ports_that_come_stall_and_go_are_told_once_each(void **state)
{
	(void)state;
	fake_add(&net, 4);
	net.fakes[4].room = 0;
	send(0, BROADCAST, 0);
	fake_flush(&net);
	for (int i = 0; i < 3; i++) {
		net.now_ms += STALL_MS;
		ports_stall_blocked(&net.ports, net.now_ms);
	}
	fake_writable(&net, 4, 10);
	fake_close(&net, 4);
	expect_news(0, 4, PORT_NEWS_UP);
	expect_news(1, 4, PORT_NEWS_STALL);
	expect_news(2, 4, PORT_NEWS_STALL_END);
	expect_news(3, 4, PORT_NEWS_DOWN);
	assert_int_equal(news_count, 4);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_frame_is_seen_in_at_its_sender_then_out_at_its_receiver),
		TEST(a_flood_is_seen_in_once_and_out_once_at_each),
		TEST(frames_are_seen_out_in_the_order_they_go),
		TEST(nobody_is_told_of_other_ports),
		TEST(what_its_sender_loses_is_seen_dropped_and_not_in),
		TEST(what_a_filter_refuses_is_seen_dropped),
		TEST(isolation_is_told_as_the_reason),
		TEST(what_its_receiver_loses_is_seen_dropped_there),
		TEST(a_copy_that_is_lost_is_told_after_its_frame_came_in),
		TEST(what_the_kernel_refuses_is_seen_dropped_and_not_out),
		TEST(what_a_leaving_port_had_queued_is_seen_dropped),
		TEST(what_a_slow_port_gives_back_is_seen_dropped),
		TEST(copies_made_while_others_are_flushed_go_in_the_same_round),
		TEST(a_mirror_gets_each_frame_of_each_port_once),
		TEST(a_port_that_is_dirty_already_takes_copies_too),
		TEST(a_mirror_that_stands_still_costs_its_ports_nothing),
		TEST(copies_of_drops_are_not_made),
		TEST(ports_that_come_stall_and_go_are_told_once_each),
	};

	return cmocka_run_group_tests_name("port_observe", tests, NULL, NULL);
}
