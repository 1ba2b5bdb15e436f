/*
 * Options from a file: the same words as on the command line, one option a
 * line, and complaints that say where.
 */
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../switch/options.h"

static struct options o;
static char why[512], file[64];

static int set_up(void **state)
{
	int fd;

	(void)state;
	strcpy(file, "/tmp/options_config.XXXXXX");
	fd = mkstemp(file);
	return fd < 0 ? -1 : close(fd);
}

static int tear_down(void **state)
{
	(void)state;
	free(o.config);
	o.config = NULL;
	return unlink(file);
}

static void write_file(const char *text, size_t bytes)
{
	FILE *to = fopen(file, "w");

	assert_non_null(to);
	assert_int_equal(fwrite(text, 1, bytes, to), bytes);
	assert_int_equal(fclose(to), 0);
}

static int parse_words(char *const argv[])
{
	int argc = 0;

	while (argv[argc])
		argc++;
	free(o.config);
	why[0] = '\0';
	if (options_parse(argc, argv, &o, why, sizeof(why)))
		return -EINVAL;
	return options_complete(&o, NULL, why, sizeof(why));
}

static int parse_bytes(const char *text, size_t bytes)
{
	char *argv[] = { (char *)"ringswitch", (char *)"--config", file, NULL };

	write_file(text, bytes);
	return parse_words(argv);
}

static int parse(const char *text)
{
	return parse_bytes(text, strlen(text));
}

static void taken(const char *text)
{
	if (parse(text))
		fail_msg("'%s' is refused: %s", text, why);
}

static void names(const char *what)
{
	if (!strstr(why, what))
		fail_msg("'%s' does not name '%s'", why, what);
	assert_null(strchr(why, '\n'));
}

/* Refused with FILE:@line and @naming. */
static void refused(const char *text, unsigned line, const char *naming)
{
	char at[96];

	assert_int_equal(parse(text), -EINVAL);
	snprintf(at, sizeof(at), "%s:%u: ", file, line);
	assert_ptr_equal(strstr(why, at), why);
	names(naming);
}

/* --- what is taken ------------------------------------------------------- */

static void every_line_is_an_option_without_dashes(void **state)
{
	(void)state;
	taken("name lab\nlisten bess:/b,name=x\nlisten uml:/u\ntap t\nhub\n"
	      "port fd:7\nageing 7\nmac-table 64\nmode 0600\ngroup 0\n"
	      "allow-uid 0\npidfile /p\nready-fd 3\ncontrol /c\nmonitor none\n"
	      "metrics 127.0.0.1:80\nwithout multishot-read\ndaemon\n");
	assert_string_equal(o.name, "lab");
	assert_int_equal(o.listener_count, 2);
	assert_string_equal(o.listeners[0].name, "x");
	assert_int_equal(o.port_count, 2);
	assert_true(o.hub && o.daemon);
	assert_int_equal(o.ageing_s, 7);
	assert_int_equal(o.mac_entries, 64);
	assert_int_equal(o.mode, 0600);
	assert_int_equal(o.group, 0);
	assert_int_equal(o.allow_uid_count, 1);
	assert_string_equal(o.pidfile, "/p");
	assert_int_equal(o.ready_fd, 3);
	assert_string_equal(o.control.argument, "/c");
	assert_string_equal(o.monitor.argument, "none");
	assert_string_equal(o.metrics, "127.0.0.1:80");
	assert_int_equal(o.without, WITHOUT_MULTISHOT_READ);
}

static void an_empty_file_is_no_option(void **state)
{
	(void)state;
	taken("");
	taken("\n");
	taken("\n\n# nothing\n   \n\t\n");
	assert_int_equal(o.listener_count, 1);
	assert_string_equal(o.listeners[0].argument, "/tmp/uml.ctl");
}

static void blanks_around_and_comments_are_ignored(void **state)
{
	(void)state;
	taken("# of the lab\n\n   \t hub \t\n\t# unix /x\nunix \t /u \t \n");
	assert_true(o.hub);
	assert_int_equal(o.listener_count, 1);
	assert_string_equal(o.listeners[0].argument, "/u");
}

static void a_value_is_the_rest_of_its_line(void **state)
{
	(void)state;
	taken("unix /a b  'c' \"d\" #e\\\ntap t,accept-to-guests=port 1 or icmp\n");
	assert_string_equal(o.listeners[0].argument, "/a b  'c' \"d\" #e\\");
	assert_string_equal(o.ports[0].accept_to_guests, "port 1 or icmp");
}

static void the_last_line_may_lack_its_end(void **state)
{
	(void)state;
	taken("hub\nageing 7");
	assert_int_equal(o.ageing_s, 7);
	taken("ageing 7\nhub");
	assert_true(o.hub);
}

static void lines_may_end_as_on_windows(void **state)
{
	(void)state;
	taken("hub\r\nunix /u\r\n\r\n# x\r\nageing 7\r\n");
	assert_true(o.hub);
	assert_string_equal(o.listeners[0].argument, "/u");
	assert_int_equal(o.ageing_s, 7);
}

static void it_may_be_mixed_with_words(void **state)
{
	char *argv[] = { (char *)"ringswitch", (char *)"--tap", (char *)"a",
			 (char *)"--ageing",   (char *)"5",     (char *)"--config",
			 file,		       (char *)"-hub",  (char *)"--tap",
			 (char *)"c",	       NULL };

	(void)state;
	write_file("tap b\nageing 7\n", 15);
	assert_int_equal(parse_words(argv), 0);
	assert_int_equal(o.port_count, 3);
	assert_string_equal(o.ports[0].argument, "a");
	assert_string_equal(o.ports[1].argument, "b");
	assert_string_equal(o.ports[2].argument, "c");
	assert_int_equal(o.ageing_s, 7); /* what comes later counts */
	assert_true(o.hub);
}

static void what_is_said_here_and_there_must_fit(void **state)
{
	char *argv[] = { (char *)"ringswitch", (char *)"--tap", (char *)"a",
			 (char *)"--config",   file,		NULL };

	(void)state;
	write_file("tap a\n", 6);
	assert_int_equal(parse_words(argv), -EINVAL);
	names("'a'");
}

/* --- what is refused ------------------------------------------------------ */

static void a_file_that_cannot_be_read_is_named(void **state)
{
	char *argv[] = { (char *)"ringswitch", (char *)"--config",
			 (char *)"/no/such/file", NULL };

	(void)state;
	assert_int_equal(parse_words(argv), -EINVAL);
	names("--config '/no/such/file'");
	names(strerror(ENOENT));
	argv[2] = (char *)"/tmp";
	assert_int_equal(parse_words(argv), -EINVAL);
	names("--config '/tmp'");
	names(strerror(EISDIR));
	argv[2] = (char *)"";
	assert_int_equal(parse_words(argv), -EINVAL);
	argv[2] = NULL;
	assert_int_equal(parse_words(argv), -EINVAL);
	names("'--config' needs an argument");
}

static void what_is_no_text_is_refused(void **state)
{
	(void)state;
	assert_int_equal(parse_bytes("hub\0hub\n", 8), -EINVAL);
	names(file);
	names("text file");
	assert_int_equal(parse_bytes("\x7f" "ELF\2\1\1", 7), -EINVAL);
	names(":1: ");
}

static void a_file_has_its_limit(void **state)
{
	char *text = malloc(CONFIG_FILE_BYTES + 1);

	(void)state;
	memset(text, '\n', CONFIG_FILE_BYTES + 1);
	assert_int_equal(parse_bytes(text, CONFIG_FILE_BYTES), 0);
	assert_int_equal(parse_bytes(text, CONFIG_FILE_BYTES + 1), -EINVAL);
	names("1048576");
	memcpy(text + CONFIG_FILE_BYTES - 3, "hub", 3);
	assert_int_equal(parse_bytes(text, CONFIG_FILE_BYTES), 0);
	assert_true(o.hub);
	free(text);
}

static void there_is_one_file(void **state)
{
	char *argv[] = { (char *)"ringswitch", (char *)"--config", file,
			 (char *)"--config",   file,		   NULL };

	(void)state;
	write_file("hub\n", 4);
	assert_int_equal(parse_words(argv), -EINVAL);
	names("one only");
	refused("hub\nconfig /x\n", 2, "'config'");
}

static void unknown_words_are_named_with_their_line(void **state)
{
	(void)state;
	refused("bogus\n", 1, "'bogus'");
	refused("\n# x\n\n  bogus x\n", 4, "'bogus'");
	refused("hub\r\nbogus\r\n", 2, "'bogus'");
	refused("--hub\n", 1, "leave the dashes out");
	refused("-tap t\n", 1, "leave the dashes out");
	refused("ageing=5\n", 1, "'ageing=5'");
	refused("HUB\n", 1, "'HUB'");
	refused("listen", 1, "listen needs a value");
	refused("compat-v0\n", 1, "'compat-v0'");
	/* They would end it before it has begun. */
	refused("help\n", 1, "'help'");
	refused("version\n", 1, "'version'");
}

static void a_long_word_is_cut_in_the_complaint(void **state)
{
	char text[4096];

	(void)state;
	memset(text, 'x', sizeof(text));
	assert_int_equal(parse_bytes(text, sizeof(text)), -EINVAL);
	names(":1: 'xxxx");
	names("see --help");
}

static void values_are_there_where_they_belong(void **state)
{
	(void)state;
	refused("hub yes\n", 1, "hub takes no value");
	refused("daemon # yes\n", 1, "daemon takes no value");
	refused("tap\n", 1, "tap needs a value");
	refused("tap   \t\n", 1, "tap needs a value");
	refused("\nmetrics\n", 2, "metrics needs a value");
}

static void bad_values_are_named_with_their_option(void **state)
{
	(void)state;
	refused("ageing 5s\n", 1, "ageing");
	refused("ageing 5 6\n", 1, "ageing");
	refused("hub\nmac-table 63\n", 2, "mac-table");
	refused("mode 888\n", 1, "mode");
	refused("group no-such-group\n", 1, "group");
	refused("allow-uid no-such-user\n", 1, "allow-uid");
	refused("audit\n", 1, "'audit' is no option for a file");
	refused("ready-fd x\n", 1, "ready-fd");
	refused("without everything\n", 1, "without");
	refused("name a/b\n", 1, "name");
}

/* As on the command line: which option, what it was, what it must be. */
static void bad_endpoints_are_named_with_their_option(void **state)
{
	static const struct {
		const char *line, *option, *value;
	} cases[] = {
		{ "listen nothing:/u", "listen", "nothing:/u" },
		{ "listen uml:/u,colour=red", "listen", "uml:/u,colour=red" },
		{ "port dgram:/l", "port", "dgram:/l" },
		{ "tap a/b", "tap", "a/b" },
		{ "control /c,mode=999", "control", "/c,mode=999" },
		{ "monitor /c,name=x", "monitor", "/c,name=x" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		refused(cases[i].line, 1, cases[i].option);
		names(cases[i].value);
		names("must be ");
	}
}

static void a_stray_carriage_return_hides_nothing(void **state)
{
	(void)state;
	/* All in one line, as very old systems end them. */
	assert_int_equal(parse("hub\rtap a\rbogus\r"), -EINVAL);
}

static void too_many_are_refused_with_the_line(void **state)
{
	char *text = malloc(300 * 16), *to = text;

	(void)state;
	for (int i = 0; i < 257; i++)
		to += sprintf(to, "listen bess:/%d\n", i);
	refused(text, 257, "256");
	free(text);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(every_line_is_an_option_without_dashes),
		TEST(an_empty_file_is_no_option),
		TEST(blanks_around_and_comments_are_ignored),
		TEST(a_value_is_the_rest_of_its_line),
		TEST(the_last_line_may_lack_its_end),
		TEST(lines_may_end_as_on_windows),
		TEST(it_may_be_mixed_with_words),
		TEST(what_is_said_here_and_there_must_fit),
		TEST(a_file_that_cannot_be_read_is_named),
		TEST(what_is_no_text_is_refused),
		TEST(a_file_has_its_limit),
		TEST(there_is_one_file),
		TEST(unknown_words_are_named_with_their_line),
		TEST(a_long_word_is_cut_in_the_complaint),
		TEST(values_are_there_where_they_belong),
		TEST(bad_values_are_named_with_their_option),
		TEST(bad_endpoints_are_named_with_their_option),
		TEST(a_stray_carriage_return_hides_nothing),
		TEST(too_many_are_refused_with_the_line),
	};

	return cmocka_run_group_tests_name("options_config", tests, NULL, NULL);
}
