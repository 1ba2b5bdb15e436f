#include "test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "../switch/metrics_options.h"

static struct metrics_options o;
static char why[512];

static int parse(const char *text)
{
	why[0] = '\0';
	return metrics_options_parse(text, &o, why, sizeof(why));
}

static void refused(const char *text, const char *naming)
{
	assert_int_equal(parse(text), -EINVAL);
	if (!strstr(why, naming))
		fail_msg("'%s' does not name '%s'", why, naming);
	assert_null(strchr(why, '\n'));
	assert_memory_equal(why, "--metrics '", strlen("--metrics '"));
}

static void a_path_is_for_its_owner_and_group(void **state)
{
	(void)state;
	assert_int_equal(parse("unix:/run/lab/metrics"), 0);
	assert_string_equal(o.path, "/run/lab/metrics");
	assert_int_equal(o.mode, 0660);
	assert_true(o.group == (gid_t)-1);
}

static void keys_come_in_any_order(void **state)
{
	(void)state;
	assert_int_equal(parse("unix:m,group=0,mode=0666"), 0);
	assert_string_equal(o.path, "m");
	assert_int_equal(o.mode, 0666);
	assert_int_equal(o.group, 0);
	assert_int_equal(parse("unix:m,mode=600"), 0);
	assert_int_equal(o.mode, 0600);
}

static void two_commas_are_one_in_a_path(void **state)
{
	(void)state;
	assert_int_equal(parse("unix:/a,,b,,,,c,mode=600"), 0);
	assert_string_equal(o.path, "/a,b,,c");
	assert_int_equal(o.mode, 0600);
	assert_int_equal(parse("unix:/a,"), 0);
	assert_string_equal(o.path, "/a");
}

static void this_machine_has_several_addresses(void **state)
{
	(void)state;
	assert_int_equal(parse("127.0.0.1:9100"), 0);
	assert_string_equal(o.path, "");
	assert_int_equal(o.address.any.sa_family, AF_INET);
	assert_int_equal(ntohl(o.address.v4.sin_addr.s_addr), INADDR_LOOPBACK);
	assert_int_equal(ntohs(o.address.v4.sin_port), 9100);
	assert_int_equal(parse("localhost:1"), 0);
	assert_int_equal(ntohl(o.address.v4.sin_addr.s_addr), INADDR_LOOPBACK);
	assert_int_equal(parse("127.3.2.1:65535"), 0);
	assert_int_equal(ntohl(o.address.v4.sin_addr.s_addr), 0x7f030201);
	assert_int_equal(parse("[::1]:9100"), 0);
	assert_int_equal(o.address.any.sa_family, AF_INET6);
	assert_memory_equal(&o.address.v6.sin6_addr, &in6addr_loopback, 16);
	assert_int_equal(ntohs(o.address.v6.sin6_port), 9100);
}

static void others_machines_are_not_served(void **state)
{
	(void)state;
	refused("0.0.0.0:9100", "proxy");
	refused("10.0.0.1:9100", "proxy");
	refused("126.255.255.255:9100", "proxy");
	refused("128.0.0.1:9100", "proxy");
	refused(":9100", "proxy");
	refused("[::]:9100", "proxy");
	refused("::1:9100", "proxy");
	refused("127.1:9100", "proxy");
	refused("localhost.example:9100", "proxy");
	refused("a-name-that-is-longer-than-any-that-could-stand-here-0123456789abcdef:1",
		"proxy");
}

static void what_is_no_address_is_answered_with_what_is(void **state)
{
	(void)state;
	refused("", "unix:PATH, 127.0.0.1:PORT");
	refused("9100", "unix:PATH, 127.0.0.1:PORT");
	refused("/run/metrics", "unix:PATH");
	refused("127.0.0.1:", "port of 1 to 65535");
	refused("127.0.0.1:0", "port of 1 to 65535");
	refused("127.0.0.1:65536", "port of 1 to 65535");
	refused("127.0.0.1:91x", "port of 1 to 65535");
	refused("127.0.0.1:-1", "port of 1 to 65535");
	refused("[::1]:http", "port of 1 to 65535");
}

static void bad_keys_are_named(void **state)
{
	(void)state;
	refused("unix:m,colour=red", "without 'colour=red'");
	refused("unix:m,mode", "without 'mode'");
	refused("unix:m,,mode=600,mode=888", "mode=");
	refused("unix:m,mode=1777", "mode=");
	refused("unix:m,mode=", "mode=");
	refused("unix:m,group=no-such-group", "group=");
	refused("unix:m,group=0123456789012345678901234567890123456789012345678901234567890",
		"63 characters");
}

static void a_path_has_to_fit_a_socket(void **state)
{
	char text[300] = "unix:";

	(void)state;
	memset(text + 5, 'x', 107);
	assert_int_equal(parse(text), 0);
	assert_int_equal(strlen(o.path), 107);
	text[5 + 107] = 'x';
	refused(text, "1 to 107");
	refused("unix:", "1 to 107");
	refused("unix:,mode=600", "1 to 107");
	refused("unix:/a\nb", "printable");
}

static void what_is_refused_changes_nothing(void **state)
{
	(void)state;
	assert_int_equal(parse("unix:before"), 0);
	refused("unix:after,mode=x", "mode=");
	refused("[::1]:x", "port");
	assert_string_equal(o.path, "before");
	assert_int_equal(o.address.any.sa_family, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_path_is_for_its_owner_and_group),
		cmocka_unit_test(keys_come_in_any_order),
		cmocka_unit_test(two_commas_are_one_in_a_path),
		cmocka_unit_test(this_machine_has_several_addresses),
		cmocka_unit_test(others_machines_are_not_served),
		cmocka_unit_test(what_is_no_address_is_answered_with_what_is),
		cmocka_unit_test(bad_keys_are_named),
		cmocka_unit_test(a_path_has_to_fit_a_socket),
		cmocka_unit_test(what_is_refused_changes_nothing),
	};

	return cmocka_run_group_tests_name("metrics_options", tests, NULL, NULL);
}
