#include "test.h"

#include <errno.h>
#include <string.h>

#include "../switch/options.h"

static struct options o;
static char why[256];

/* Words separated by single blanks. */
static int parse(const char *line)
{
	static char copy[512];
	char *argv[32] = { (char *)"ringswitch" };
	int argc = 1;

	why[0] = '\0';
	strcpy(copy, line);
	for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	if (options_parse(argc, argv, &o, why, sizeof(why)))
		return -EINVAL;
	return options_complete(&o, NULL, why, sizeof(why));
}

static void refused(const char *line, const char *naming)
{
	assert_int_equal(parse(line), -EINVAL);
	if (!strstr(why, naming))
		fail_msg("'%s' does not name '%s'", why, naming);
	assert_null(strchr(why, '\n'));
}

static void without_options_it_is_uml_switch(void **state)
{
	(void)state;
	assert_int_equal(parse(""), 0);
	assert_int_equal(o.listener_count, 1);
	assert_int_equal(o.listeners[0].kind, LISTEN_UML);
	assert_string_equal(o.listeners[0].argument, "/tmp/uml.ctl");
	assert_int_equal(o.port_count, 0);
	assert_false(o.hub || o.daemon);
	assert_int_equal(o.ageing_s, 300);
	assert_int_equal(o.busy_poll_us, 0);
	assert_int_equal(o.mac_entries, 16384);
	assert_int_equal(o.listeners[0].mode, -1);
}

static void words_of_uml_switch_are_understood(void **state)
{
	(void)state;
	assert_int_equal(parse("-tap tap0 -unix /run/u.ctl -hub -daemon"), 0);
	assert_int_equal(o.ports[0].kind, PORT_TAP);
	assert_string_equal(o.ports[0].argument, "tap0");
	assert_int_equal(o.listener_count, 1);
	assert_string_equal(o.listeners[0].argument, "/run/u.ctl");
	assert_true(o.hub && o.daemon);
}

static void one_dash_or_two_and_equals_are_the_same(void **state)
{
	(void)state;
	assert_int_equal(parse("--ageing=7 -mac-table 64 --ready-fd 3"), 0);
	assert_int_equal(o.ageing_s, 7);
	assert_int_equal(o.mac_entries, 64);
	assert_int_equal(o.ready_fd, 3);
}

static void several_taps_are_kept_in_order(void **state)
{
	(void)state;
	assert_int_equal(parse("--tap a --tap b"), 0);
	assert_int_equal(o.port_count, 2);
	assert_string_equal(o.ports[1].argument, "b");
	refused("--tap a --tap a", "'a'");
	refused("--tap a --port tap:a", "'a'");
}

static void the_short_forms_are_the_long_ones(void **state)
{
	struct endpoint by_short[2];

	(void)state;
	assert_int_equal(parse("--unix /x --tap t,mtu=900"), 0);
	by_short[0] = o.listeners[0];
	by_short[1] = o.ports[0];
	assert_int_equal(parse("--listen uml:/x --port tap:t,mtu=900"), 0);
	assert_memory_equal(&o.listeners[0], &by_short[0], sizeof(by_short[0]));
	assert_memory_equal(&o.ports[0], &by_short[1], sizeof(by_short[1]));
}

/* Guests attach at the old place unless something else than taps is named. */
static void the_old_place_is_the_default(void **state)
{
	(void)state;
	assert_int_equal(parse("--tap t"), 0);
	assert_int_equal(o.listener_count, 1);
	assert_int_equal(parse("--listen bess:/b"), 0);
	assert_int_equal(o.listener_count, 1);
	assert_int_equal(o.listeners[0].kind, LISTEN_BESS);
	assert_int_equal(parse("--port connect-stream:/p"), 0);
	assert_int_equal(o.listener_count, 0);
}

static void a_path_of_unix_is_taken_as_it_is(void **state)
{
	(void)state;
	assert_int_equal(parse("--unix /a,mode=0600"), 0);
	assert_string_equal(o.listeners[0].argument, "/a,mode=0600");
}

static void what_is_said_for_all_sockets_counts_where_nothing_else_is(void **state)
{
	(void)state;
	assert_int_equal(parse("--listen bess:/b,mode=0666 --mode 0600 --tap t "
			       "--group 5 --port dgram:/l,remote=/r,group=6"),
			 0);
	assert_int_equal(o.listeners[0].mode, 0666);
	assert_int_equal(o.listeners[0].group, 5);
	assert_int_equal(o.ports[1].mode, 0600);
	assert_int_equal(o.ports[1].group, 6);
	assert_int_equal(o.ports[0].mode, -1);
}

static void names_and_descriptors_are_used_once(void **state)
{
	(void)state;
	refused("--listen bess:/b,name=x --port tap:t,name=x", "'x'");
	refused("--listen bess:/b --listen stream:/b", "'/b'");
	refused("--unix /b --port dgram:/b,remote=/r", "'/b'");
	refused("--listen fd:3 --port fd:3", "'3'");
	refused("--listen fd:3 --port fd:03", "'3'");
	assert_int_equal(parse("--listen bess:/b,name=x --listen stream:/s,name=y "
			       "--port fd:3 --port fd:4 --port tap:3"),
			 0);
}

static void what_is_inherited_is_named_like_the_rest(void **state)
{
	(void)state;
	assert_int_equal(parse(""), 0);
	memset(&o, 0, sizeof(o));
	assert_int_equal(options_inherit(&o, ENDPOINT_LISTENER, 3, "stream-web",
					 why, sizeof(why)),
			 0);
	assert_int_equal(options_inherit(&o, ENDPOINT_PORT, 4, "", why,
					 sizeof(why)),
			 0);
	assert_int_equal(options_complete(&o, NULL, why, sizeof(why)), 0);
	assert_int_equal(o.listener_count, 1);
	assert_int_equal(o.listeners[0].kind, LISTEN_FD);
	assert_string_equal(o.listeners[0].argument, "3");
	assert_string_equal(o.listeners[0].name, "stream-web");
	assert_int_equal(o.ports[0].kind, PORT_FD);
}

/* systemd gives all sockets of a unit one name. */
static void inherited_names_may_be_the_same(void **state)
{
	(void)state;
	memset(&o, 0, sizeof(o));
	for (int fd = 3; fd < 5; fd++)
		assert_int_equal(options_inherit(&o, ENDPOINT_LISTENER, fd,
						 "lab", why, sizeof(why)),
				 0);
	assert_int_equal(options_complete(&o, NULL, why, sizeof(why)), 0);
}

static void datagrams_to_ourselves_are_refused(void **state)
{
	(void)state;
	refused("--port dgram:/a,remote=/a", "loop");
	refused("--port dgram:/a,remote=/b --port dgram:/b,remote=/a", "loop");
	assert_int_equal(parse("--port dgram:/a,remote=/b "
			       "--port dgram:/c,remote=/d"),
			 0);
}

static void too_many_are_refused(void **state)
{
	(void)state;
	memset(&o, 0, sizeof(o));
	for (int i = 0; i < LISTENERS_MAX; i++)
		assert_int_equal(options_inherit(&o, ENDPOINT_LISTENER, i, "",
						 why, sizeof(why)),
				 0);
	assert_int_equal(options_inherit(&o, ENDPOINT_LISTENER, 999, "", why,
					 sizeof(why)),
			 -EINVAL);
	assert_non_null(strstr(why, "999"));
}

static void permissions_are_octal(void **state)
{
	(void)state;
	assert_int_equal(parse("--mode 660"), 0);
	assert_int_equal(endpoint_mode(&o.listeners[0]), 0660);
	assert_int_equal(parse("--group 0"), 0);
	assert_int_equal(endpoint_mode(&o.listeners[0]), 0770);
	assert_int_equal(parse("--group root --mode 0700"), 0);
	assert_int_equal(endpoint_mode(&o.listeners[0]), 0700);
}

static void users_and_groups_go_by_name_or_number(void **state)
{
	(void)state;
	assert_int_equal(parse("--allow-uid root --allow-uid 4711 --allow-gid 5"),
			 0);
	assert_int_equal(o.allow_uid_count, 2);
	assert_int_equal(o.allow_uids[1], 4711);
	assert_int_equal(o.allow_gids[0], 5);
	assert_true(o.user == (uid_t)-1);
	assert_int_equal(parse("--user root"), 0);
	assert_int_equal(o.user, 0);
}

static void bad_values_are_named(void **state)
{
	(void)state;
	refused("--ageing -1", "--ageing '-1'");
	refused("--ageing 5s", "--ageing '5s'");
	refused("--ageing 1000001", "--ageing");
	refused("--busy-poll 1001", "--busy-poll '1001'");
	refused("--busy-poll -1", "--busy-poll");
	refused("--mac-table 63", "--mac-table '63'");
	refused("--mac-table 99999999999999999999", "--mac-table");
	refused("--mode 888", "--mode '888'");
	refused("--mode 1777", "--mode");
	refused("--tap much-too-long-a-name", "--tap");
	refused("--tap a/b", "--tap 'a/b'");
	refused("--group no-such-group", "--group");
	refused("--allow-uid no-such-user", "--allow-uid");
	refused("--user no-such-user", "--user 'no-such-user': must be a user");
	refused("--without everything", "--without");
	refused("--ports-per-uid 0", "--ports-per-uid '0': must be 1 to 4096 ports");
	refused("--ports-per-uid 4097", "--ports-per-uid");
	refused("--listen uml:/a,mac=02:00:00:00:00:01 --port fd:3,mac=02:00:00:00:00:01",
		"mac= '02:00:00:00:00:01' is named twice: once only");
	refused("--ready-fd x", "--ready-fd");
}

static void unknown_words_are_named(void **state)
{
	(void)state;
	refused("--bogus", "'--bogus'");
	refused("-x", "'-x'");
	refused("-:x", "'-:x'");
	refused("word", "'word'");
	refused("--tap", "'--tap'");
	refused("-compat-v0", "-compat-v0");
	refused("--hub=yes", "--hub");
}

static void a_path_too_long_for_a_socket_is_refused(void **state)
{
	char line[256] = "--unix ";

	(void)state;
	memset(line + 7, 'x', 107);
	assert_int_equal(parse(line), 0);
	line[7 + 107] = 'x';
	refused(line, "--unix");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_options_it_is_uml_switch),
		cmocka_unit_test(words_of_uml_switch_are_understood),
		cmocka_unit_test(one_dash_or_two_and_equals_are_the_same),
		cmocka_unit_test(several_taps_are_kept_in_order),
		cmocka_unit_test(the_short_forms_are_the_long_ones),
		cmocka_unit_test(the_old_place_is_the_default),
		cmocka_unit_test(a_path_of_unix_is_taken_as_it_is),
		cmocka_unit_test(what_is_said_for_all_sockets_counts_where_nothing_else_is),
		cmocka_unit_test(names_and_descriptors_are_used_once),
		cmocka_unit_test(what_is_inherited_is_named_like_the_rest),
		cmocka_unit_test(inherited_names_may_be_the_same),
		cmocka_unit_test(datagrams_to_ourselves_are_refused),
		cmocka_unit_test(too_many_are_refused),
		cmocka_unit_test(permissions_are_octal),
		cmocka_unit_test(users_and_groups_go_by_name_or_number),
		cmocka_unit_test(bad_values_are_named),
		cmocka_unit_test(unknown_words_are_named),
		cmocka_unit_test(a_path_too_long_for_a_socket_is_refused),
	};

	return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
