#include "test.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../switch/run_directory.h"

static char top[64], path[108], why[256];
static uid_t user;

/* Whose switch it is, is what the test says. */
uid_t geteuid(void)
{
	return user;
}

static int set_up(void **state)
{
	(void)state;
	strcpy(top, "/tmp/run_directory.XXXXXX");
	unsetenv("RUNTIME_DIRECTORY");
	unsetenv("XDG_RUNTIME_DIR");
	user = 1000;
	path[0] = why[0] = '\0';
	umask(022);
	return mkdtemp(top) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	return rmdir(top); /* nothing has been left there */
}

static int directory(const char *name)
{
	return run_directory(name, path, sizeof(path), why, sizeof(why));
}

/* @under of top. */
static const char *at(const char *under)
{
	static char text[128];

	snprintf(text, sizeof(text), "%s/%s", top, under);
	return text;
}

static bool is_there(const char *under)
{
	struct stat st;

	return !stat(at(under), &st) && S_ISDIR(st.st_mode);
}

/* --- where it is ---------------------------------------------------------- */

static void roots_is_in_run(void **state)
{
	(void)state;
	user = 0;
	setenv("XDG_RUNTIME_DIR", "/run/user/0", 1);
	assert_int_equal(directory("lab"), 0);
	assert_string_equal(path, "/run/ringswitch/lab");
}

static void a_users_is_in_his_runtime_directory(void **state)
{
	(void)state;
	setenv("XDG_RUNTIME_DIR", "/run/user/1000", 1);
	assert_int_equal(directory("lab"), 0);
	assert_string_equal(path, "/run/user/1000/ringswitch/lab");
}

static void what_systemd_has_made_is_used_as_it_is(void **state)
{
	(void)state;
	setenv("XDG_RUNTIME_DIR", "/run/user/1000", 1);
	setenv("RUNTIME_DIRECTORY", "/run/ringswitch/other", 1);
	assert_int_equal(directory("lab"), 0);
	assert_string_equal(path, "/run/ringswitch/other");
	user = 0;
	assert_int_equal(directory("lab"), 0);
	assert_string_equal(path, "/run/ringswitch/other");
}

/* Several are divided by colons (systemd.exec(5)): none of them is ours alone. */
static void one_of_several_is_not_guessed(void **state)
{
	(void)state;
	user = 0;
	setenv("RUNTIME_DIRECTORY", "/run/a:/run/b", 1);
	assert_int_equal(directory("lab"), 0);
	assert_string_equal(path, "/run/ringswitch/lab");
	setenv("RUNTIME_DIRECTORY", "relative", 1);
	assert_int_equal(directory("lab"), 0);
	assert_string_equal(path, "/run/ringswitch/lab");
	setenv("RUNTIME_DIRECTORY", "", 1);
	assert_int_equal(directory("lab"), 0);
	assert_string_equal(path, "/run/ringswitch/lab");
}

static void a_user_without_one_is_told_what_to_do(void **state)
{
	static const char *const values[] = { NULL, "", "relative" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		if (values[i])
			setenv("XDG_RUNTIME_DIR", values[i], 1);
		assert_int_equal(directory("lab"), -ENOENT);
		assert_non_null(strstr(why, "--name lab"));
		assert_non_null(strstr(why, "XDG_RUNTIME_DIR"));
		assert_null(strchr(why, '\n'));
	}
}

static void a_directory_too_long_for_sockets_is_refused(void **state)
{
	char base[128];
	size_t room = sizeof(path) - 1 - strlen("/ringswitch/lab");

	(void)state;
	memset(base, 'x', sizeof(base));
	base[0] = '/';
	base[room] = '\0';
	setenv("XDG_RUNTIME_DIR", base, 1);
	assert_int_equal(directory("lab"), 0);
	assert_int_equal(strlen(path), sizeof(path) - 1);
	base[room] = 'x';
	base[room + 1] = '\0';
	setenv("XDG_RUNTIME_DIR", base, 1);
	assert_int_equal(directory("lab"), -ENAMETOOLONG);
	assert_non_null(strstr(why, "too long"));
	assert_null(strchr(why, '\n'));
}

/* --- making and removing it ------------------------------------------------ */

/* Of what make() was asked for last. */
static unsigned made;

static int make(const char *under)
{
	return run_directory_make(at(under), &made, why, sizeof(why));
}

static void it_is_made_with_what_it_is_in_and_both_go(void **state)
{
	struct stat st;

	(void)state;
	umask(0);
	assert_int_equal(make("ringswitch/lab"), 0);
	assert_int_equal(made, 2);
	assert_int_equal(stat(at("ringswitch/lab"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	run_directory_remove(at("ringswitch/lab"), made);
	assert_false(is_there("ringswitch"));
}

static void one_that_is_there_is_as_good_and_stays(void **state)
{
	(void)state;
	assert_int_equal(make("ringswitch/lab"), 0);
	assert_int_equal(make("ringswitch/lab"), 0);
	assert_int_equal(made, 0);
	run_directory_remove(at("ringswitch/lab"), made);
	assert_true(is_there("ringswitch/lab"));
	run_directory_remove(at("ringswitch/lab"), 2);
}

static void what_it_is_in_stays_if_it_was_there(void **state)
{
	(void)state;
	assert_int_equal(make("ringswitch/lab"), 0);
	assert_int_equal(make("ringswitch/other"), 0);
	assert_int_equal(made, 1);
	run_directory_remove(at("ringswitch/other"), made);
	assert_false(is_there("ringswitch/other"));
	assert_true(is_there("ringswitch/lab"));
	run_directory_remove(at("ringswitch/lab"), 2);
	assert_false(is_there("ringswitch"));
}

static void one_with_something_in_it_stays(void **state)
{
	(void)state;
	assert_int_equal(make("ringswitch/lab/deeper"), -ENOENT);
	assert_int_equal(make("ringswitch/lab"), 0);
	assert_int_equal(mkdir(at("ringswitch/lab/deeper"), 0700), 0);
	run_directory_remove(at("ringswitch/lab"), 2);
	assert_true(is_there("ringswitch/lab/deeper"));
	rmdir(at("ringswitch/lab/deeper"));
	run_directory_remove(at("ringswitch/lab"), 2);
}

static void what_cannot_be_made_is_named_with_the_reason(void **state)
{
	(void)state;
	assert_int_equal(make("no/such/place"), -ENOENT);
	assert_non_null(strstr(why, "/no/such:"));
	assert_non_null(strstr(why, strerror(ENOENT)));
	assert_null(strchr(why, '\n'));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(roots_is_in_run),
		TEST(a_users_is_in_his_runtime_directory),
		TEST(what_systemd_has_made_is_used_as_it_is),
		TEST(one_of_several_is_not_guessed),
		TEST(a_user_without_one_is_told_what_to_do),
		TEST(a_directory_too_long_for_sockets_is_refused),
		TEST(it_is_made_with_what_it_is_in_and_both_go),
		TEST(one_that_is_there_is_as_good_and_stays),
		TEST(what_it_is_in_stays_if_it_was_there),
		TEST(one_with_something_in_it_stays),
		TEST(what_cannot_be_made_is_named_with_the_reason),
	};

	return cmocka_run_group_tests_name("run_directory", tests, NULL, NULL);
}
