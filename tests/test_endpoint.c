#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../switch/endpoint.h"
#include "../switch/port.h"

static struct endpoint e;
static char why[256];

static int parse(enum endpoint_role role, const char *text)
{
	why[0] = '\0';
	return endpoint_parse(role, text, &e, why, sizeof(why));
}

static void refused(enum endpoint_role role, const char *text,
		    const char *naming)
{
	assert_int_equal(parse(role, text), -EINVAL);
	if (!strstr(why, naming))
		fail_msg("'%s' does not name '%s'", why, naming);
	assert_null(strchr(why, '\n'));
}

static void every_kind_is_known_in_its_role(void **state)
{
	static const struct {
		enum endpoint_role role;
		const char *text;
		enum endpoint_kind kind;
		const char *argument;
	} cases[] = {
		{ ENDPOINT_LISTENER, "uml:/run/u", LISTEN_UML, "/run/u" },
		{ ENDPOINT_LISTENER, "vde:/run/d", LISTEN_VDE, "/run/d" },
		{ ENDPOINT_LISTENER, "bess:b", LISTEN_BESS, "b" },
		{ ENDPOINT_LISTENER, "stream:./s:1", LISTEN_STREAM, "./s:1" },
		{ ENDPOINT_LISTENER, "fd:3", LISTEN_FD, "3" },
		{ ENDPOINT_PORT, "tap:tap0", PORT_TAP, "tap0" },
		{ ENDPOINT_PORT, "dgram:/l,remote=/r", PORT_DGRAM, "/l" },
		{ ENDPOINT_PORT, "connect-stream:/p", PORT_CONNECT_STREAM, "/p" },
		{ ENDPOINT_PORT, "connect-bess:/p", PORT_CONNECT_BESS, "/p" },
		{ ENDPOINT_PORT, "fd:1000", PORT_FD, "1000" },
		{ ENDPOINT_CONTROL, "control:/c", CONTROL_SOCKET, "/c" },
	};

	(void)state;
	assert_int_equal(ARRAY_SIZE(cases), ENDPOINT_KIND_COUNT);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(parse(cases[i].role, cases[i].text), 0);
		assert_int_equal(e.kind, cases[i].kind);
		assert_string_equal(e.argument, cases[i].argument);
	}
}

static void what_is_not_said_is_left_open(void **state)
{
	(void)state;
	assert_int_equal(parse(ENDPOINT_LISTENER, "bess:/b"), 0);
	assert_string_equal(e.name, "");
	assert_int_equal(e.mode, -1);
	assert_true(e.group == (gid_t)-1);
	assert_int_equal(e.mtu, 0);
	assert_int_equal(e.queue, 0);
	assert_int_equal(endpoint_mode(&e), -1);
}

static void keys_come_in_any_order(void **state)
{
	(void)state;
	assert_int_equal(parse(ENDPOINT_PORT,
			       "dgram:/l,queue=7,name=web-1,mode=0660,remote=/r,"
			       "mtu=9000,group=0"),
			 0);
	assert_string_equal(e.name, "web-1");
	assert_string_equal(e.remote, "/r");
	assert_int_equal(e.mode, 0660);
	assert_int_equal(e.group, 0);
	assert_int_equal(e.mtu, 9000);
	assert_int_equal(e.queue, 7);
}

static void a_group_alone_gets_the_socket_to_itself(void **state)
{
	(void)state;
	assert_int_equal(parse(ENDPOINT_LISTENER, "bess:/b,group=0"), 0);
	assert_int_equal(endpoint_mode(&e), 0770);
	assert_int_equal(parse(ENDPOINT_LISTENER, "bess:/b,group=0,mode=0600"), 0);
	assert_int_equal(endpoint_mode(&e), 0600);
}

static void two_commas_are_one_in_a_value(void **state)
{
	(void)state;
	assert_int_equal(parse(ENDPOINT_LISTENER, "uml:/a,,b,,,,c,name=n"), 0);
	assert_string_equal(e.argument, "/a,b,,c");
	assert_string_equal(e.name, "n");
}

static void unknown_kinds_are_answered_with_those_that_exist(void **state)
{
	(void)state;
	refused(ENDPOINT_LISTENER, "umlx:/u", "uml, vde, bess, stream, fd");
	refused(ENDPOINT_LISTENER, "um:/u", "uml, vde");
	refused(ENDPOINT_LISTENER, "uml", "KIND:ARGUMENT");
	refused(ENDPOINT_LISTENER, "", "KIND:ARGUMENT");
	refused(ENDPOINT_LISTENER, ":/u", "uml, vde");
	refused(ENDPOINT_LISTENER, "tap:t", "uml, vde");
	refused(ENDPOINT_PORT, "bess:/u",
		"tap, dgram, connect-stream, connect-bess, fd");
}

static void unknown_keys_are_answered_with_those_that_exist(void **state)
{
	(void)state;
	refused(ENDPOINT_LISTENER, "uml:/u,colour=red",
		"without 'colour': the keys of uml are name, mode, group, mtu, queue");
	refused(ENDPOINT_PORT, "tap:t,mode=0600", "tap are name, mtu, queue");
	refused(ENDPOINT_LISTENER, "bess:/b,remote=/r", "without 'remote'");
	refused(ENDPOINT_PORT, "dgram:/l,remot=/r", "remote");
	refused(ENDPOINT_LISTENER, "uml:/u,name", "with a value: name=");
	refused(ENDPOINT_LISTENER, "uml:/u,=x", "without ''");
	refused(ENDPOINT_LISTENER, "uml:/u,mode=600,mtu=900,mode=777",
		"with one mode= only");
}

static void bad_values_are_named(void **state)
{
	(void)state;
	refused(ENDPOINT_LISTENER, "uml:/u,mode=888", "mode=");
	refused(ENDPOINT_LISTENER, "uml:/u,mode=1777", "mode=");
	refused(ENDPOINT_LISTENER, "uml:/u,group=no-such-group", "group=");
	refused(ENDPOINT_LISTENER, "uml:/u,mtu=67", "mtu=");
	refused(ENDPOINT_LISTENER, "uml:/u,mtu=65536", "mtu=");
	refused(ENDPOINT_LISTENER, "uml:/u,queue=0", "queue=");
	refused(ENDPOINT_LISTENER, "uml:/u,queue=4097", "queue=");
	refused(ENDPOINT_LISTENER, "uml:/u,name=", "name=");
	refused(ENDPOINT_LISTENER, "uml:/u,name=a b", "name=");
	refused(ENDPOINT_LISTENER, "uml:/u,name=a\"b", "name=");
	refused(ENDPOINT_LISTENER, "uml:/u,name=12345678901234567890123456789012",
		"name=");
	refused(ENDPOINT_LISTENER, "uml:/u,name=total", "'total'");
	refused(ENDPOINT_LISTENER, "uml:/u,name=closed", "'closed'");
	refused(ENDPOINT_LISTENER, "fd:x", "descriptor");
	refused(ENDPOINT_LISTENER, "fd:-1", "descriptor");
	refused(ENDPOINT_LISTENER, "uml:", "path");
	refused(ENDPOINT_PORT, "tap:much-too-long-a-name", "device name");
	refused(ENDPOINT_PORT, "tap:a/b", "device name");
	refused(ENDPOINT_PORT, "dgram:/l", "remote=");
	refused(ENDPOINT_PORT, "dgram:/l,remote=", "remote=");
}

/* A path that fits, and the same with one more byte. */
static void paths_have_to_fit_a_socket(void **state)
{
	static const struct {
		const char *kind;
		size_t most;
	} cases[] = { { "uml:", 107 }, { "bess:", 107 }, { "vde:", 103 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[512] = "";

		strcpy(text, cases[i].kind);
		memset(text + strlen(cases[i].kind), 'x', cases[i].most);
		assert_int_equal(parse(ENDPOINT_LISTENER, text), 0);
		assert_int_equal(strlen(e.argument), cases[i].most);
		strcat(text, "x");
		refused(ENDPOINT_LISTENER, text, "path");
		memset(text + strlen(cases[i].kind), 'x', 400);
		refused(ENDPOINT_LISTENER, text, "characters");
	}
}

static void others_paths_become_absolute(void **state)
{
	char cwd[SOCKET_PATH_BYTES];

	(void)state;
	parse(ENDPOINT_PORT, "dgram:l,remote=r");
	assert_int_equal(endpoint_make_absolute(&e, "/run", why, sizeof(why)), 0);
	assert_string_equal(e.remote, "/run/r");
	assert_string_equal(e.argument, "l");
	parse(ENDPOINT_PORT, "connect-bess:p");
	assert_int_equal(endpoint_make_absolute(&e, "/run", why, sizeof(why)), 0);
	assert_string_equal(e.argument, "/run/p");
	assert_int_equal(endpoint_make_absolute(&e, "/x", why, sizeof(why)), 0);
	assert_string_equal(e.argument, "/run/p");
	parse(ENDPOINT_PORT, "tap:p,filter=f");
	assert_int_equal(endpoint_make_absolute(&e, "/run", why, sizeof(why)), 0);
	assert_string_equal(e.argument, "p");
	assert_string_equal(e.filter, "f");
	/* Read again at a signal. */
	parse(ENDPOINT_PORT, "tap:p,rules=r");
	assert_int_equal(endpoint_make_absolute(&e, "/run", why, sizeof(why)), 0);
	assert_string_equal(e.rules, "/run/r");

	memset(cwd, 'x', sizeof(cwd));
	cwd[sizeof(cwd) - 3] = '\0';
	parse(ENDPOINT_PORT, "connect-stream:p");
	assert_int_equal(endpoint_make_absolute(&e, cwd, why, sizeof(why)), 0);
	parse(ENDPOINT_PORT, "connect-stream:pq");
	assert_int_equal(endpoint_make_absolute(&e, cwd, why, sizeof(why)),
			 -EINVAL);
	assert_string_equal(e.argument, "pq");
}

static void a_tap_has_filters(void **state)
{
	(void)state;
	assert_int_equal(parse(ENDPOINT_PORT,
			       "tap:tap0,accept-to-guests=port 1,,2,filter=/f.o"),
			 0);
	assert_string_equal(e.filter, "/f.o");
	assert_string_equal(e.accept_to_guests, "port 1,2");
	assert_string_equal(e.rules, "");
	assert_int_equal(parse(ENDPOINT_PORT, "tap:tap0,rules=/r"), 0);
	assert_string_equal(e.rules, "/r");
	assert_string_equal(e.filter, "");
	refused(ENDPOINT_PORT, "tap:tap0,rules=/r,filter=/f.o", "not both");
	refused(ENDPOINT_PORT, "tap:tap0,rules=", "rules=");
	refused(ENDPOINT_PORT, "tap:tap0,filter=", "filter=");
	refused(ENDPOINT_PORT, "tap:tap0,accept-to-guests=", "accept-to-guests=");
	refused(ENDPOINT_PORT, "connect-bess:/p,rules=/r", "keys of connect-bess");
}

static void a_file_of_a_filter_may_be_as_long_as_there_is_room(void **state)
{
	char text[FILTER_PATH_BYTES + 64] = "tap:tap0,rules=";
	size_t used = strlen(text);

	(void)state;
	memset(text + used, 'r', FILTER_PATH_BYTES - 1);
	assert_int_equal(parse(ENDPOINT_PORT, text), 0);
	assert_int_equal(strlen(e.rules), FILTER_PATH_BYTES - 1);
	text[used + FILTER_PATH_BYTES - 1] = 'r';
	refused(ENDPOINT_PORT, text, "1 to 1023");
}

static void lines_stay_lines(void **state)
{
	(void)state;
	refused(ENDPOINT_LISTENER, "uml:/a\nb", "printable");
	refused(ENDPOINT_PORT, "dgram:/a,remote=/b\033", "printable");
}

static void a_plain_argument_has_no_keys(void **state)
{
	(void)state;
	assert_int_equal(endpoint_plain(LISTEN_UML, "/a,,b,mode=1", &e, why,
					sizeof(why)),
			 0);
	assert_string_equal(e.argument, "/a,,b,mode=1");
	assert_int_equal(endpoint_plain(LISTEN_UML, "", &e, why, sizeof(why)),
			 -EINVAL);
}

static void switches_are_on_or_off(void **state)
{
	static const struct {
		const char *text;
		uint16_t flags;
	} cases[] = {
		{ "isolated=on", PORT_ISOLATED },   { "isolated=off", 0 },
		{ "learning=off", PORT_NO_LEARNING }, { "learning=on", 0 },
		{ "flood=off", PORT_NO_FLOOD },	    { "flood=on", 0 },
		{ "locked=on", PORT_LOCKED },	    { "locked=off", 0 },
		{ "no-spoof=on", PORT_NO_SPOOF },   { "no-spoof=off", 0 },
		{ "learning=off,locked=on", PORT_NO_LEARNING | PORT_LOCKED },
		{ "locked=on,no-spoof=on", PORT_LOCKED | PORT_NO_SPOOF },
		{ "flood=off,isolated=on,learning=on",
		  PORT_NO_FLOOD | PORT_ISOLATED },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[128];

		snprintf(text, sizeof(text), "uml:/u,%s", cases[i].text);
		assert_int_equal(parse(ENDPOINT_LISTENER, text), 0);
		assert_int_equal(e.flags, cases[i].flags);
		snprintf(text, sizeof(text), "tap:t,%s", cases[i].text);
		assert_int_equal(parse(ENDPOINT_PORT, text), 0);
		assert_int_equal(e.flags, cases[i].flags);
	}
	refused(ENDPOINT_LISTENER, "uml:/u,isolated=yes",
		"with 'on' or 'off' as isolated=");
	refused(ENDPOINT_LISTENER, "uml:/u,learning=", "learning=");
	refused(ENDPOINT_LISTENER, "uml:/u,flood=ON", "flood=");
	refused(ENDPOINT_LISTENER, "uml:/u,locked=onn", "locked=");
	refused(ENDPOINT_LISTENER, "uml:/u,locked", "with a value: locked=");
	refused(ENDPOINT_LISTENER, "uml:/u,locked=on,locked=on",
		"with one locked= only");
}

static void a_port_may_have_some_addresses_or_any(void **state)
{
	(void)state;
	assert_int_equal(parse(ENDPOINT_PORT, "tap:t,mac-limit=1"), 0);
	assert_int_equal(e.mac_limit, 1);
	assert_int_equal(e.flags, PORT_MAC_LIMIT);
	assert_int_equal(parse(ENDPOINT_PORT, "tap:t,mac-limit=65535"), 0);
	assert_int_equal(e.mac_limit, 65535);
	assert_int_equal(parse(ENDPOINT_PORT, "tap:t,mac-limit=0,locked=on"), 0);
	assert_int_equal(e.mac_limit, 0);
	assert_int_equal(e.flags, PORT_LOCKED);
	refused(ENDPOINT_PORT, "tap:t,mac-limit=65536", "65535 addresses as mac-limit=");
	refused(ENDPOINT_PORT, "tap:t,mac-limit=-1", "mac-limit=");
	refused(ENDPOINT_PORT, "tap:t,mac-limit=", "mac-limit=");
}

static void storm_limits_are_frames_a_second(void **state)
{
	(void)state;
	assert_int_equal(parse(ENDPOINT_LISTENER,
			       "uml:/u,storm-broadcast=1,storm-multicast=2,"
			       "storm-unknown=1000000"),
			 0);
	assert_int_equal(e.storm_rates[STORM_BROADCAST], 1);
	assert_int_equal(e.storm_rates[STORM_MULTICAST], 2);
	assert_int_equal(e.storm_rates[STORM_UNKNOWN], 1000000);
	assert_int_equal(e.flags, PORT_STORM);
	assert_int_equal(parse(ENDPOINT_PORT, "tap:t,storm-unknown=0"), 0);
	assert_int_equal(e.flags, 0);
	refused(ENDPOINT_PORT, "tap:t,storm-unknown=1000001",
		"with 0 (no limit) to 1000000 frames a second as storm-unknown=");
	refused(ENDPOINT_PORT, "tap:t,storm-broadcast=-1", "storm-broadcast=");
	refused(ENDPOINT_PORT, "tap:t,storm-multicast=10%", "storm-multicast=");
	refused(ENDPOINT_PORT, "tap:t,storm-multicast=", "storm-multicast=");
}

static void an_address_is_a_stations(void **state)
{
	(void)state;
	assert_int_equal(parse(ENDPOINT_LISTENER,
			       "bess:/b,mac=02:00:00:00:0A:01"),
			 0);
	assert_int_equal(e.mac, UINT64_C(0x010a00000002));
	assert_int_equal(e.flags, 0);
	refused(ENDPOINT_PORT, "fd:3,mac=", "with a station's address");
	refused(ENDPOINT_PORT, "fd:3,mac=2", "mac=");
	refused(ENDPOINT_PORT, "fd:3,mac=02:00:00:00:0a:01:", "mac=");
	refused(ENDPOINT_PORT, "fd:3,mac=00:00:00:00:00:00", "mac=");
	refused(ENDPOINT_PORT, "fd:3,mac=ff:ff:ff:ff:ff:ff", "mac=");
	refused(ENDPOINT_PORT, "fd:3,mac=01:00:5e:00:00:01", "mac=");
	refused(ENDPOINT_CONTROL, "control:/c,mac=02:00:00:00:00:01", "without 'mac'");
}

static void a_mirror_is_a_ports_name(void **state)
{
	(void)state;
	assert_int_equal(parse(ENDPOINT_PORT, "fd:3,mirror=web-1"), 0);
	assert_string_equal(e.mirror, "web-1");
	assert_string_equal(e.name, "");
	refused(ENDPOINT_PORT, "fd:3,mirror=", "mirror=");
	refused(ENDPOINT_PORT, "fd:3,mirror=a b", "as mirror=");
	refused(ENDPOINT_PORT, "fd:3,mirror=total", "as mirror=");
}

static void a_control_socket_has_permissions_and_nothing_else(void **state)
{
	(void)state;
	assert_int_equal(parse(ENDPOINT_CONTROL, "control:/c,mode=0660,group=5"),
			 0);
	assert_int_equal(e.mode, 0660);
	assert_int_equal(e.group, 5);
	assert_true(endpoint_makes_file(e.kind));
	refused(ENDPOINT_CONTROL, "control:/c,name=x",
		"without 'name': the keys of control are mode, group");
	refused(ENDPOINT_CONTROL, "control:/c,isolated=on", "isolated");
	refused(ENDPOINT_CONTROL, "control:", "path");
	refused(ENDPOINT_CONTROL, "uml:/c", "kinds control");
	refused(ENDPOINT_LISTENER, "control:/c", "uml, vde");
	refused(ENDPOINT_PORT, "control:/c", "tap, dgram");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_is_known_in_its_role),
		cmocka_unit_test(what_is_not_said_is_left_open),
		cmocka_unit_test(keys_come_in_any_order),
		cmocka_unit_test(a_group_alone_gets_the_socket_to_itself),
		cmocka_unit_test(two_commas_are_one_in_a_value),
		cmocka_unit_test(unknown_kinds_are_answered_with_those_that_exist),
		cmocka_unit_test(unknown_keys_are_answered_with_those_that_exist),
		cmocka_unit_test(bad_values_are_named),
		cmocka_unit_test(paths_have_to_fit_a_socket),
		cmocka_unit_test(others_paths_become_absolute),
		cmocka_unit_test(a_tap_has_filters),
		cmocka_unit_test(a_file_of_a_filter_may_be_as_long_as_there_is_room),
		cmocka_unit_test(switches_are_on_or_off),
		cmocka_unit_test(a_port_may_have_some_addresses_or_any),
		cmocka_unit_test(storm_limits_are_frames_a_second),
		cmocka_unit_test(an_address_is_a_stations),
		cmocka_unit_test(a_mirror_is_a_ports_name),
		cmocka_unit_test(a_control_socket_has_permissions_and_nothing_else),
		cmocka_unit_test(lines_stay_lines),
		cmocka_unit_test(a_plain_argument_has_no_keys),
	};

	return cmocka_run_group_tests_name("endpoint", tests, NULL, NULL);
}
