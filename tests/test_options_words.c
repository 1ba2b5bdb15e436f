/*
 * The running configuration as a command line: read again it is the same
 * configuration, whatever it was, also after listeners and ports have gone.
 */
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../switch/options.h"

enum { WORDS_MOST = 256, WORD_BYTES = 512 };

struct words {
	char word[WORDS_MOST][WORD_BYTES];
	unsigned count;
};

static struct options o, again;
static struct words said, said_again;
static char why[512];

static void add(void *context, const char *word)
{
	struct words *w = context;

	assert_in_range(w->count, 0, WORDS_MOST - 1);
	assert_in_range(strlen(word), 1, WORD_BYTES - 1);
	strcpy(w->word[w->count++], word);
}

static void say(const struct options *from, struct words *to)
{
	to->count = 0;
	options_words(from, add, to);
}

/* Parse @w into @to, which keeps pointers into it. */
static void parse(struct words *w, const char *directory, struct options *to)
{
	char *argv[WORDS_MOST + 2] = { (char *)"ringswitch" };

	for (unsigned i = 0; i < w->count; i++)
		argv[1 + i] = w->word[i];
	if (options_parse((int)w->count + 1, argv, to, why, sizeof(why)) ||
	    options_complete(to, directory, why, sizeof(why)))
		fail_msg("refused: %s", why);
}

/* Words separated by single blanks. */
static void parse_line(const char *line)
{
	static struct words from;
	static char copy[1024];

	from.count = 0;
	strcpy(copy, line);
	for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
		add(&from, word);
	parse(&from, NULL, &o);
}

static void expect_line(const char *line)
{
	char all[2048] = "";

	say(&o, &said);
	for (unsigned i = 0; i < said.count; i++)
		sprintf(all + strlen(all), "%s%s", i ? " " : "", said.word[i]);
	assert_string_equal(all, line);
}

#define SOCKETS " --control /tmp/uml.ctl.control --monitor /tmp/uml.ctl.monitor"

static void the_default_is_said_in_full(void **state)
{
	(void)state;
	parse_line("");
	expect_line("--listen uml:/tmp/uml.ctl" SOCKETS);
}

static void short_words_are_said_as_long_ones(void **state)
{
	(void)state;
	parse_line("-tap t -unix /u -hub -daemon");
	expect_line("--listen uml:/u --port tap:t --hub --daemon "
		    "--control /u.control --monitor /u.monitor");
}

static void every_option_is_said(void **state)
{
	(void)state;
	parse_line("--ageing 7 --mac-table 128 --busy-poll 50 --mode 660 --group 5 "
		   "--allow-uid 3 --allow-uid 4 --allow-gid 6 --pidfile /p --user 8 "
		   "--ports-per-uid 9 "
		   "--metrics 127.0.0.1:80 --without multishot-read "
		   "--without fixed-files --control /c,mode=600 --monitor none --listen bess:/b "
		   "--port fd:7,mirror=x");
	expect_line("--listen bess:/b,mode=0660,group=5 --port fd:7,mirror=x "
		    "--pidfile /p --ageing 7 --mac-table 128 --busy-poll 50 "
		    "--mode 0660 "
		    "--group 5 --user 8 --allow-uid 3 --allow-uid 4 --allow-gid 6 "
		    "--ports-per-uid 9 "
		    "--control /c,mode=0600 --monitor none "
		    "--metrics 127.0.0.1:80 --without multishot-read "
		    "--without fixed-files");
}

static void what_is_0_is_said_too(void **state)
{
	(void)state;
	parse_line("--mode 0 --group 0 --ageing 0 --allow-uid 0");
	expect_line("--listen uml:/tmp/uml.ctl,mode=0000,group=0 --ageing 0 "
		    "--mode 0000 --group 0 --allow-uid 0" SOCKETS);
}

/* Who started the switch has been told. */
static void the_descriptor_of_readiness_is_not_said(void **state)
{
	(void)state;
	parse_line("--ready-fd 3");
	expect_line("--listen uml:/tmp/uml.ctl" SOCKETS);
}

static void sockets_that_are_not_there_are_said_so(void **state)
{
	(void)state;
	parse_line("--control none");
	expect_line("--listen uml:/tmp/uml.ctl --control none --monitor none");
}

static void what_has_gone_is_not_said(void **state)
{
	(void)state;
	parse_line("--listen bess:/a --listen bess:/b --tap t --tap u");
	o.listeners[0].removed = true;
	o.ports[1].removed = true;
	/* The sockets stay where they are. */
	expect_line("--listen bess:/b --port tap:t --control /a.control "
		    "--monitor /a.monitor");
}

static void a_path_of_unix_with_commas_is_said_as_an_endpoint(void **state)
{
	(void)state;
	parse_line("--unix /a,mode=1 --control /c");
	expect_line("--listen uml:/a,,mode=1 --control /c "
		    "--monitor /a,,mode=1.monitor");
}

/* --- round trip ------------------------------------------------------------- */

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

static void assert_same(const struct options *a, const struct options *b)
{
	assert_int_equal(a->listener_count, b->listener_count);
	assert_int_equal(a->port_count, b->port_count);
	assert_memory_equal(a->listeners, b->listeners,
			    a->listener_count * sizeof(*a->listeners));
	assert_memory_equal(a->ports, b->ports,
			    a->port_count * sizeof(*a->ports));
	assert_true(a->hub == b->hub && a->daemon == b->daemon);
	assert_int_equal(a->ageing_s, b->ageing_s);
	assert_int_equal(a->mac_entries, b->mac_entries);
	assert_int_equal(a->mode, b->mode);
	assert_int_equal(a->group, b->group);
	assert_int_equal(a->allow_uid_count, b->allow_uid_count);
	assert_int_equal(a->allow_gid_count, b->allow_gid_count);
	assert_memory_equal(a->allow_uids, b->allow_uids, sizeof(a->allow_uids));
	assert_memory_equal(a->allow_gids, b->allow_gids, sizeof(a->allow_gids));
	assert_int_equal(a->without, b->without);
	assert_true(same_text(a->name, b->name));
	assert_true(same_text(a->pidfile, b->pidfile));
	assert_true(same_text(a->metrics, b->metrics));
	assert_memory_equal(&a->control, &b->control, sizeof(a->control));
	assert_memory_equal(&a->monitor, &b->monitor, sizeof(a->monitor));
}

static unsigned below(unsigned n)
{
	return (unsigned)random() % n;
}

__attribute__((format(printf, 3, 4))) static void
add_pair(struct words *w, const char *option, const char *format, ...)
{
	va_list args;

	add(w, option);
	va_start(args, format);
	vsnprintf(w->word[w->count++], WORD_BYTES, format, args);
	va_end(args);
}

/* Keys that any endpoint may have. */
static const char *some_keys(unsigned number)
{
	static char keys[WORD_BYTES];

	keys[0] = '\0';
	if (below(2))
		sprintf(keys, ",name=n%u", number);
	if (below(2))
		sprintf(keys + strlen(keys), ",queue=%u,locked=%s",
			1 + below(4096), below(2) ? "on" : "off");
	if (below(3) == 0)
		sprintf(keys + strlen(keys), ",mac-limit=%u,flood=off",
			below(100));
	if (below(3) == 0)
		sprintf(keys + strlen(keys),
			",no-spoof=on,storm-unknown=%u,mac=02:00:00:00:00:%02x",
			below(100), number % 256);
	if (below(3) == 0)
		strcat(keys, ",mirror=m,learning=off,isolated=on");
	return keys;
}

static void some_endpoint(struct words *w, unsigned number)
{
	static const char *const files[] = { "uml", "vde", "bess", "stream" };

	switch (below(6)) {
	case 0:
		add_pair(w, "--unix", "/u,%u", number);
		break;
	case 1:
		add_pair(w, "--tap", "t%u%s", number, some_keys(number));
		break;
	case 2:
		add_pair(w, "--port", "fd:%u%s", number, some_keys(number));
		break;
	case 3:
		add_pair(w, "--port", "dgram:/d%u,remote=/,,r%u%s", number,
			 number, some_keys(number));
		break;
	case 4:
		add_pair(w, "--port", "tap:t%u,accept-to-guests=port 1,,%u%s",
			 number, number, some_keys(number));
		break;
	default:
		add_pair(w, "--listen", "%s:/f,,%u%s%s", files[below(4)],
			 number, below(2) ? ",mode=0600" : "",
			 some_keys(number));
	}
}

static void some_numbers(struct words *w)
{
	if (below(2))
		add_pair(w, "--ageing", "%u", below(1000));
	if (below(2))
		add_pair(w, "--mac-table", "%u", 64 + below(1000));
	if (below(2))
		add_pair(w, "--busy-poll", "%u", below(1001));
	if (below(3) == 0)
		add_pair(w, "--mode", "%o", below(01000));
	if (below(3) == 0)
		add_pair(w, "--group", "%u", below(70000));
	if (below(3) == 0)
		add_pair(w, "--user", "%u", below(70000));
	for (unsigned n = below(3); n; n--)
		add_pair(w, "--allow-uid", "%u", below(70000));
	for (unsigned n = below(3); n; n--)
		add_pair(w, "--allow-gid", "%u", below(70000));
	if (below(3) == 0)
		add_pair(w, "--ports-per-uid", "%u", 1 + below(PORTS_MAX));
}

static void some_command_line(struct words *w, bool with_name)
{
	w->count = 0;
	for (unsigned n = below(8); n; n--)
		some_endpoint(w, n);
	if (below(2))
		add(w, "--hub");
	if (below(2))
		add(w, "--daemon");
	if (below(3) == 0)
		add_pair(w, "--pidfile", "-odd pid,%u", below(10));
	some_numbers(w);
	if (with_name)
		add_pair(w, "--name", "lab-%u", below(10));
	if (below(3) == 0)
		add_pair(w, "--control", below(2) ? "none" : "/c,,1,mode=0640");
	if (below(3) == 0)
		add_pair(w, "--monitor", below(2) ? "none" : "/m,group=5");
	if (below(3) == 0)
		add_pair(w, "--metrics", "unix:/x,mode=%o", below(0777));
	if (below(3) == 0)
		add_pair(w, "--without", "multishot-read");
	if (below(3) == 0)
		add_pair(w, "--without", "fixed-files");
}

static void take_out(struct endpoint *e, unsigned *count, unsigned at)
{
	memmove(&e[at], &e[at + 1], (--*count - at) * sizeof(*e));
}

/* Some go while the switch runs; @kept is what is left of @of then. At least
 * one listener stays. */
static void some_go(struct options *of, struct options *kept)
{
	*kept = *of;
	for (unsigned i = of->listener_count; i-- > 0;)
		if (kept->listener_count > 1 && below(4) == 0) {
			of->listeners[i].removed = true;
			take_out(kept->listeners, &kept->listener_count, i);
		}
	for (unsigned i = of->port_count; i-- > 0 && of->listener_count;)
		if (below(4) == 0) {
			of->ports[i].removed = true;
			take_out(kept->ports, &kept->port_count, i);
		}
}

static void assert_same_words(const struct words *a, const struct words *b)
{
	assert_int_equal(a->count, b->count);
	for (unsigned i = 0; i < a->count; i++)
		assert_string_equal(a->word[i], b->word[i]);
}

static void what_is_said_is_read_as_the_same(void **state)
{
	static struct words from;
	static struct options kept;

	(void)state;
	srandom(1);
	for (int i = 0; i < 1000; i++) {
		bool with_name = below(3) == 0;
		const char *directory = with_name ? "/run/lab" : NULL;

		some_command_line(&from, with_name);
		parse(&from, directory, &o);
		if (i % 2)
			some_go(&o, &kept);
		else
			kept = o;
		say(&o, &said);
		parse(&said, directory, &again);
		assert_same(&kept, &again);
		say(&again, &said_again);
		assert_same_words(&said, &said_again);
	}
}

/* No guest can attach any more, and none shall after a restart. */
static void a_switch_whose_listeners_have_gone_gets_none_again(void **state)
{
	(void)state;
	parse_line("--listen bess:/b --tap t --control /c");
	o.listeners[0].removed = true;
	say(&o, &said);
	parse(&said, NULL, &again);
	assert_int_equal(again.listener_count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_default_is_said_in_full),
		cmocka_unit_test(short_words_are_said_as_long_ones),
		cmocka_unit_test(every_option_is_said),
		cmocka_unit_test(what_is_0_is_said_too),
		cmocka_unit_test(the_descriptor_of_readiness_is_not_said),
		cmocka_unit_test(sockets_that_are_not_there_are_said_so),
		cmocka_unit_test(what_has_gone_is_not_said),
		cmocka_unit_test(a_path_of_unix_with_commas_is_said_as_an_endpoint),
		cmocka_unit_test(what_is_said_is_read_as_the_same),
		cmocka_unit_test(a_switch_whose_listeners_have_gone_gets_none_again),
	};

	return cmocka_run_group_tests_name("options_words", tests, NULL, NULL);
}
