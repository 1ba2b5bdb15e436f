/*
 * The switch's name, and the sockets at which it is asked and told: those that
 * are named, and where they are if they are not.
 */
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../switch/options.h"

static struct options o;
static char why[256];

/* Words separated by single blanks; @directory is where a switch with a name
 * has its sockets. */
static int parse_in(const char *directory, const char *line)
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
	return options_complete(&o, directory, why, sizeof(why));
}

static void refused(const char *line, const char *naming)
{
	assert_int_equal(parse_in(NULL, line), -EINVAL);
	if (!strstr(why, naming))
		fail_msg("'%s' does not name '%s'", why, naming);
	assert_null(strchr(why, '\n'));
}

/* With @line in @directory the sockets are these; "none": there is none. */
static void sockets_in(const char *directory, const char *line,
		       const char *control, const char *monitor)
{
	if (parse_in(directory, line))
		fail_msg("'%s' is refused: %s", line, why);
	assert_string_equal(o.control.argument, control);
	assert_string_equal(o.monitor.argument, monitor);
	assert_int_equal(options_wants(&o.control), strcmp(control, "none") != 0);
	assert_int_equal(options_wants(&o.monitor), strcmp(monitor, "none") != 0);
}

static void sockets(const char *line, const char *control, const char *monitor)
{
	sockets_in(NULL, line, control, monitor);
}

static void a_switch_has_a_name_if_it_is_given_one(void **state)
{
	(void)state;
	assert_int_equal(parse_in(NULL, ""), 0);
	assert_null(o.name);
	assert_int_equal(parse_in("/run/lab", "--name lab"), 0);
	assert_string_equal(o.name, "lab");
	assert_int_equal(parse_in("/run/l", "--name a.B_9-1234567890123456789012345"), 0);
	assert_int_equal(strlen(o.name), 31);
}

static void what_cannot_be_a_directory_is_no_name(void **state)
{
	(void)state;
	refused("--name a/b", "--name 'a/b'");
	refused("--name .", "--name");
	refused("--name ..", "--name");
	refused("--name .hidden", "--name");
	refused("--name a:b", "--name");
	refused("--name \xc3\xa9", "--name");
	refused("--name=", "--name");
	refused("--name", "needs an argument");
	refused("--name 12345678901234567890123456789012", "1 to 31");
}

static void by_default_they_are_beside_the_first_listener(void **state)
{
	(void)state;
	sockets("", "/tmp/uml.ctl.control", "/tmp/uml.ctl.monitor");
	sockets("--tap t", "/tmp/uml.ctl.control", "/tmp/uml.ctl.monitor");
	sockets("--unix /u", "/u.control", "/u.monitor");
	sockets("--listen bess:/b --unix /u", "/b.control", "/b.monitor");
	sockets("--listen stream:s --unix /u", "s.control", "s.monitor");
	sockets("--listen vde:/d", "/d/ctl.control", "/d/ctl.monitor");
}

static void what_is_inherited_has_no_place_beside_it(void **state)
{
	(void)state;
	sockets("--listen fd:3", "none", "none");
	sockets("--listen fd:3 --listen bess:/b", "/b.control", "/b.monitor");
	sockets("--port fd:3", "none", "none");
	sockets("--port connect-stream:/p", "none", "none");
	sockets("--listen fd:3 --control /c", "/c", "none");
}

static void a_switch_with_a_name_has_them_in_its_directory(void **state)
{
	(void)state;
	sockets_in("/run/lab", "--name lab", "/run/lab/control",
		   "/run/lab/monitor");
	sockets_in("/run/lab", "--name lab --listen bess:/b", "/run/lab/control",
		   "/run/lab/monitor");
	sockets_in("/run/lab", "--name lab --listen fd:3", "/run/lab/control",
		   "/run/lab/monitor");
	sockets_in("/run/lab", "--name lab --control /c", "/c",
		   "/run/lab/monitor");
}

static void guests_of_a_switch_with_a_name_attach_in_its_directory(void **state)
{
	(void)state;
	assert_int_equal(parse_in("/run/lab", "--name lab --tap t"), 0);
	assert_int_equal(o.listener_count, 1);
	assert_int_equal(o.listeners[0].kind, LISTEN_UML);
	assert_string_equal(o.listeners[0].argument, "/run/lab/uml.ctl");
	assert_int_equal(parse_in("/run/lab", "--name lab --unix /u"), 0);
	assert_int_equal(o.listener_count, 1);
	assert_string_equal(o.listeners[0].argument, "/u");
	assert_int_equal(parse_in("/run/lab", "--name lab --port fd:3"), 0);
	assert_int_equal(o.listener_count, 0);
}

static void what_is_named_is_taken(void **state)
{
	(void)state;
	sockets("--control /c,mode=0600,group=5 --monitor m", "/c", "m");
	assert_int_equal(o.control.mode, 0600);
	assert_int_equal(o.control.group, 5);
	assert_int_equal(o.monitor.mode, -1);
	sockets("--control /c --control /d", "/d", "/tmp/uml.ctl.monitor");
}

/* What is said for guests' sockets would open the control socket to them. */
static void permissions_of_guests_sockets_are_not_theirs(void **state)
{
	(void)state;
	sockets("--mode 0777 --group 5", "/tmp/uml.ctl.control",
		"/tmp/uml.ctl.monitor");
	assert_int_equal(o.listeners[0].mode, 0777);
	assert_int_equal(o.control.mode, -1);
	assert_true(o.control.group == (gid_t)-1);
	assert_int_equal(o.monitor.mode, -1);
	sockets("--mode 0777 --control /c", "/c", "/tmp/uml.ctl.monitor");
	assert_int_equal(o.control.mode, -1);
}

static void none_is_none(void **state)
{
	(void)state;
	sockets("--control none", "none", "none");
	sockets("--control none --monitor /m", "none", "/m");
	sockets("--monitor none", "/tmp/uml.ctl.control", "none");
	sockets("--control none --monitor none", "none", "none");
	sockets_in("/run/lab", "--name lab --control none", "none", "none");
	sockets("--control ./none", "./none", "/tmp/uml.ctl.monitor");
}

static void they_are_two_different_paths(void **state)
{
	(void)state;
	refused("--control /c --monitor /c", "'/c'");
	refused("--control /tmp/uml.ctl.monitor", "'/tmp/uml.ctl.monitor'");
	refused("--unix /u --monitor /u.control", "'/u.control'");
}

/* Found only when it is made, it would be said to be another process's. */
static void they_are_no_sockets_of_guests(void **state)
{
	(void)state;
	refused("--unix /u --control /u", "'/u'");
	refused("--unix /u --monitor /u", "'/u'");
	refused("--port dgram:/d,remote=/r --control /d", "'/d'");
	refused("--unix /u --listen bess:/u.control", "'/u.control'");
}

static void bad_ones_are_named(void **state)
{
	(void)state;
	refused("--control=", "--control ''");
	refused("--control /c,mode=999", "--control '/c,mode=999'");
	refused("--monitor /c,name=x", "the keys of control are mode, group");
	refused("--control /c,group=no-such-group", "group=");
	refused("--metrics=", "--metrics");
}

/* One that does not fit is no reason not to start. */
static void a_listener_with_a_long_path_has_none_beside_it(void **state)
{
	char line[256] = "--unix ", control[300];

	(void)state;
	memset(line + 7, 'x', 99);
	snprintf(control, sizeof(control), "%s.control", line + 7);
	assert_int_equal(parse_in(NULL, line), 0);
	assert_string_equal(o.control.argument, control);
	line[7 + 99] = 'x';
	sockets(line, "none", "none");
}

static void where_metrics_are_is_kept_as_it_is(void **state)
{
	(void)state;
	assert_int_equal(parse_in(NULL, ""), 0);
	assert_null(o.metrics);
	assert_int_equal(parse_in(NULL, "--metrics [::1]:9100"), 0);
	assert_string_equal(o.metrics, "[::1]:9100");
}

/* --- while it runs --------------------------------------------------------- */

static void may_add(enum endpoint_role role, const char *text, bool may,
		    const char *naming)
{
	struct endpoint e;

	assert_int_equal(endpoint_parse(role, text, &e, why, sizeof(why)), 0);
	assert_int_equal(options_may_add(&o, &e, why, sizeof(why)),
			 may ? 0 : -EINVAL);
	if (!may && !strstr(why, naming))
		fail_msg("'%s' does not name '%s'", why, naming);
}

static void what_is_added_must_fit_with_what_is_there(void **state)
{
	(void)state;
	assert_int_equal(parse_in(NULL, "--unix /u --tap t,name=x --mode 0600"), 0);
	may_add(ENDPOINT_LISTENER, "bess:/u", false, "'/u'");
	may_add(ENDPOINT_PORT, "tap:t", false, "'t'");
	may_add(ENDPOINT_LISTENER, "bess:/b,name=x", false, "'x'");
	may_add(ENDPOINT_PORT, "dgram:/d,remote=/d", false, "loop");
	may_add(ENDPOINT_LISTENER, "bess:/b", true, NULL);
	may_add(ENDPOINT_PORT, "tap:u", true, NULL);
	o.ports[0].removed = true;
	may_add(ENDPOINT_PORT, "tap:t,name=x", true, NULL);
}

static void what_is_added_has_the_permissions_of_all(void **state)
{
	struct endpoint e;

	(void)state;
	assert_int_equal(parse_in(NULL, "--mode 0600 --group 5"), 0);
	endpoint_parse(ENDPOINT_LISTENER, "bess:/b", &e, why, sizeof(why));
	assert_int_equal(options_may_add(&o, &e, why, sizeof(why)), 0);
	assert_int_equal(e.mode, 0600);
	assert_int_equal(e.group, 5);
}

static const struct endpoint *in_use;

static bool is_used(const void *context, const struct endpoint *e)
{
	assert_ptr_equal(context, &o);
	return e == in_use;
}

static struct endpoint *add(enum endpoint_role role, const char *text)
{
	struct endpoint e;

	assert_int_equal(endpoint_parse(role, text, &e, why, sizeof(why)), 0);
	return options_add(&o, &e, is_used, &o);
}

static void a_place_is_used_again_when_no_port_is_of_it(void **state)
{
	(void)state;
	assert_int_equal(parse_in(NULL, "--listen bess:/a --listen bess:/b"), 0);
	o.listeners[0].removed = true;
	in_use = &o.listeners[0];
	assert_ptr_equal(add(ENDPOINT_LISTENER, "bess:/c"), &o.listeners[2]);
	in_use = NULL;
	assert_ptr_equal(add(ENDPOINT_LISTENER, "bess:/d"), &o.listeners[0]);
	assert_string_equal(o.listeners[0].argument, "/d");
	assert_false(o.listeners[0].removed);
	assert_int_equal(o.listener_count, 3);
	assert_ptr_equal(add(ENDPOINT_PORT, "tap:t"), &o.ports[0]);
}

static void there_is_an_end_of_places(void **state)
{
	(void)state;
	assert_int_equal(parse_in(NULL, ""), 0);
	in_use = NULL;
	for (int i = 0; i < STATIC_PORTS_MAX; i++)
		assert_non_null(add(ENDPOINT_PORT, "tap:t"));
	assert_null(add(ENDPOINT_PORT, "tap:t"));
	o.ports[77].removed = true;
	assert_ptr_equal(add(ENDPOINT_PORT, "tap:t"), &o.ports[77]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_switch_has_a_name_if_it_is_given_one),
		cmocka_unit_test(what_cannot_be_a_directory_is_no_name),
		cmocka_unit_test(by_default_they_are_beside_the_first_listener),
		cmocka_unit_test(what_is_inherited_has_no_place_beside_it),
		cmocka_unit_test(a_switch_with_a_name_has_them_in_its_directory),
		cmocka_unit_test(guests_of_a_switch_with_a_name_attach_in_its_directory),
		cmocka_unit_test(what_is_named_is_taken),
		cmocka_unit_test(permissions_of_guests_sockets_are_not_theirs),
		cmocka_unit_test(none_is_none),
		cmocka_unit_test(they_are_two_different_paths),
		cmocka_unit_test(they_are_no_sockets_of_guests),
		cmocka_unit_test(bad_ones_are_named),
		cmocka_unit_test(a_listener_with_a_long_path_has_none_beside_it),
		cmocka_unit_test(where_metrics_are_is_kept_as_it_is),
		cmocka_unit_test(what_is_added_must_fit_with_what_is_there),
		cmocka_unit_test(what_is_added_has_the_permissions_of_all),
		cmocka_unit_test(a_place_is_used_again_when_no_port_is_of_it),
		cmocka_unit_test(there_is_an_end_of_places),
	};

	return cmocka_run_group_tests_name("options_sockets", tests, NULL, NULL);
}
