#include "test.h"

#include <stdio.h>

#include <string.h>

#include "fake_port.h"

#include "../switch/port_name.h"

static struct fake_net net;

static int setup(void **state)
{
	(void)state;
	fake_net_init(&net, 3);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fake_net_fini(&net);
	return 0;
}

static const char *name_of(unsigned at)
{
	return net.fakes[at].port->name;
}

/* Another port, which asks for a name or a number. */
static struct port *add(unsigned at, const char *name, unsigned number)
{
	fake_add_named(&net, at, name, number);
	return net.fakes[at].port;
}

static void who_asks_for_nothing_gets_kind_and_lowest_free_number(void **state)
{
	(void)state;
	assert_string_equal(name_of(0), "fake1");
	assert_string_equal(name_of(2), "fake3");
	fake_close(&net, 1);
	fake_add(&net, 1);
	assert_string_equal(name_of(1), "fake2");
}

static void a_name_that_is_free_is_given(void **state)
{
	(void)state;
	assert_string_equal(add(3, "web", 0)->name, "web");
	assert_int_equal(net.fakes[3].port->number, 0);
	assert_ptr_equal(port_by_name(&net.ports, "web"), net.fakes[3].port);
	assert_null(port_by_name(&net.ports, "we"));
}

static void a_name_that_somebody_has_is_given_with_a_number(void **state)
{
	(void)state;
	add(3, "web", 0);
	assert_string_equal(add(4, "web", 0)->name, "web.2");
	assert_string_equal(add(5, "web", 0)->name, "web.3");
	fake_close(&net, 4);
	assert_string_equal(add(6, "web", 0)->name, "web.2");
}

static void the_longest_name_has_room_for_its_number(void **state)
{
	const char *longest = "1234567890123456789012345678901";

	(void)state;
	assert_string_equal(add(3, longest, 0)->name, longest);
	assert_string_equal(add(4, longest, 0)->name,
			    "12345678901234567890123456.2");
}

static void a_number_that_is_free_is_given(void **state)
{
	(void)state;
	assert_string_equal(add(3, NULL, 7)->name, "fake7");
	assert_int_equal(net.fakes[3].port->number, 7);
	assert_string_equal(add(4, NULL, PORTS_MAX)->name, "fake4096");
}

static void a_number_that_somebody_has_is_not_given(void **state)
{
	(void)state;
	assert_string_equal(add(3, NULL, 2)->name, "fake4");
}

static void a_number_is_of_one_port_whatever_its_kind(void **state)
{
	(void)state;
	strcpy(net.fakes[1].port->name, "other2");
	assert_string_equal(add(3, NULL, 2)->name, "fake4");
}

static void a_number_whose_name_somebody_has_is_not_given(void **state)
{
	(void)state;
	add(3, "fake4", 0);
	add(4, NULL, 0);
	assert_string_equal(name_of(4), "fake5");
}

/* One frame from the port at @from to everybody. */
static void speak(unsigned from)
{
	fake_receive(&net, from, BROADCAST, station(from), 60, 1);
	fake_flush(&net);
}

static void who_comes_back_under_its_name_goes_on_counting(void **state)
{
	(void)state;
	add(3, "web", 0);
	speak(3);
	speak(0);
	fake_close(&net, 3);
	assert_int_equal(net.ports.memory->gone.received, 1);
	assert_int_equal(net.ports.memory->gone.sent, 1);
	add(4, "web", 0);
	assert_int_equal(net.ports.memory->gone.received, 0);
	assert_int_equal(net.ports.memory->gone.sent, 0);
	assert_int_equal(net.fakes[4].port->counters->received, 1);
	assert_int_equal(net.fakes[4].port->counters->sent, 1);
	speak(4);
	fake_close(&net, 4);
	assert_int_equal(net.ports.memory->gone.received, 2);
}

static void who_comes_back_under_its_number_goes_on_counting(void **state)
{
	(void)state;
	add(3, NULL, 9);
	speak(3);
	fake_close(&net, 3);
	assert_int_equal(add(3, NULL, 9)->counters->received, 1);
}

static void an_automatic_name_begins_at_nothing(void **state)
{
	(void)state;
	speak(1);
	fake_close(&net, 1);
	fake_add(&net, 1);
	assert_string_equal(name_of(1), "fake2");
	assert_int_equal(net.fakes[1].port->counters->received, 0);
	fake_close(&net, 1);
	assert_int_equal(add(1, "fake2", 0)->counters->received, 0);
}

/* However many names come and go: memory has a limit, and no count is lost. */
static void as_many_names_are_kept_as_there_is_room_for(void **state)
{
	char name[PORT_NAME_BYTES];

	(void)state;
	for (unsigned i = 0; i < 2 * PORT_NAMES_KEPT; i++) {
		snprintf(name, sizeof(name), "guest-%u", i);
		add(3, name, 0);
		speak(3);
		fake_close(&net, 3);
	}
	assert_int_equal(net.ports.memory->gone.received, 2 * PORT_NAMES_KEPT);
	assert_int_equal(add(3, name, 0)->counters->received, 1);
	snprintf(name, sizeof(name), "guest-%u", PORT_NAMES_KEPT + 1);
	assert_int_equal(add(4, name, 0)->counters->received, 1);
	assert_int_equal(add(5, "guest-0", 0)->counters->received, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(who_asks_for_nothing_gets_kind_and_lowest_free_number),
		TEST(a_name_that_is_free_is_given),
		TEST(a_name_that_somebody_has_is_given_with_a_number),
		TEST(the_longest_name_has_room_for_its_number),
		TEST(a_number_that_is_free_is_given),
		TEST(a_number_that_somebody_has_is_not_given),
		TEST(a_number_is_of_one_port_whatever_its_kind),
		TEST(a_number_whose_name_somebody_has_is_not_given),
		TEST(who_comes_back_under_its_name_goes_on_counting),
		TEST(who_comes_back_under_its_number_goes_on_counting),
		TEST(an_automatic_name_begins_at_nothing),
		TEST(as_many_names_are_kept_as_there_is_room_for),
	};

	return cmocka_run_group_tests_name("port_name", tests, NULL, NULL);
}
