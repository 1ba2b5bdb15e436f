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
	return options_parse(argc, argv, &o, why, sizeof(why));
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
	assert_string_equal(o.unix_path, "/tmp/uml.ctl");
	assert_int_equal(o.tap_count, 0);
	assert_false(o.hub || o.daemon);
	assert_int_equal(o.ageing_s, 300);
	assert_int_equal(o.mac_entries, 16384);
	assert_int_equal(o.mode, -1);
}

static void words_of_uml_switch_are_understood(void **state)
{
	(void)state;
	assert_int_equal(parse("-tap tap0 -unix /run/u.ctl -hub -daemon"), 0);
	assert_string_equal(o.taps[0], "tap0");
	assert_string_equal(o.unix_path, "/run/u.ctl");
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
	assert_int_equal(o.tap_count, 2);
	assert_string_equal(o.taps[1], "b");
	refused("--tap a --tap a", "--tap 'a'");
}

static void permissions_are_octal(void **state)
{
	(void)state;
	assert_int_equal(parse("--mode 660"), 0);
	assert_int_equal(o.mode, 0660);
	assert_int_equal(parse("--group 0"), 0);
	assert_int_equal(o.mode, 0770);
	assert_int_equal(parse("--group root --mode 0700"), 0);
	assert_int_equal(o.mode, 0700);
}

static void users_and_groups_go_by_name_or_number(void **state)
{
	(void)state;
	assert_int_equal(parse("--allow-uid root --allow-uid 4711 --allow-gid 5"),
			 0);
	assert_int_equal(o.allow_uid_count, 2);
	assert_int_equal(o.allow_uids[1], 4711);
	assert_int_equal(o.allow_gids[0], 5);
}

static void bad_values_are_named(void **state)
{
	(void)state;
	refused("--ageing -1", "--ageing '-1'");
	refused("--ageing 5s", "--ageing '5s'");
	refused("--ageing 1000001", "--ageing");
	refused("--mac-table 63", "--mac-table '63'");
	refused("--mac-table 99999999999999999999", "--mac-table");
	refused("--mode 888", "--mode '888'");
	refused("--mode 1777", "--mode");
	refused("--tap much-too-long-a-name", "--tap");
	refused("--tap a/b", "--tap 'a/b'");
	refused("--group no-such-group", "--group");
	refused("--allow-uid no-such-user", "--allow-uid");
	refused("--without everything", "--without");
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
		cmocka_unit_test(permissions_are_octal),
		cmocka_unit_test(users_and_groups_go_by_name_or_number),
		cmocka_unit_test(bad_values_are_named),
		cmocka_unit_test(unknown_words_are_named),
		cmocka_unit_test(a_path_too_long_for_a_socket_is_refused),
	};

	return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
