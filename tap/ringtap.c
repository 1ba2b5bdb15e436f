/*
 * ringtap: tap devices that stay, made, deleted and listed. Called as tunctl
 * it takes that one's command line (ringtap_tunctl.c).
 *
 * Exit status as iproute2's: 1 the command line is wrong, 2 it cannot be done.
 */
#include <errno.h>
#include <getopt.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>

#include "ringtap_add.h"
#include "ringtap_report.h"
#include "ringtap_say.h"
#include "ringtap_tunctl.h"

#ifndef VERSION
#define VERSION "unknown"
#endif

static bool as_json, pretty;

static const char help_text[] =
	"Usage: ringtap [OPTION]... [COMMAND]\n"
	"Make, delete and list tap devices that stay.\n"
	"\n"
	"  add NAME [user U] [group G] [mtu N] [up]\n"
	"                 make tap NAME for user U and group G, by name or number\n"
	"                 (neither: for who runs this); tap%d: the first that is free\n"
	"  del NAME       delete tap NAME\n"
	"  show [NAME]    list the taps and who has them open; the default\n"
	"  help           show this\n"
	"\n"
	"  -j, --json     print JSON\n"
	"  -p, --pretty   with -j: on several lines\n"
	"  -h, --help     show this and exit\n"
	"  -V, --version  show the version and exit\n"
	"\n"
	"Commands and the words behind them may be shortened.\n"
	"Exit status: 0 done, 1 wrong command line, 2 it cannot be done.\n"
	"Called by the name tunctl, it takes tunctl's options.\n";

static enum status print_report(const struct tap_report *r)
{
	int err = 0;

	if (as_json)
		err = report_json(stdout, r, pretty);
	else
		report_table(stdout, r);
	return err ? complain(REFUSED, "%s", strerror(-err)) : DONE;
}

static enum status no_such_tap(const char *name)
{
	if (if_nametoindex(name))
		return complain(REFUSED, "%s: is no tap (ip link show %s tells what it is)",
				name, name);
	return complain(REFUSED, "%s: there is no such tap (ringtap show lists what there is)",
			name);
}

static enum status show_taps(const char *name)
{
	struct tap_report r;
	enum status status;
	int err = report_read(&r);

	if (err)
		status = complain(REFUSED, "cannot list the taps: %s",
				  strerror(-err));
	else if (name && !report_only(&r, name))
		status = no_such_tap(name);
	else
		status = print_report(&r);
	report_free(&r);
	return status;
}

static enum status show(char **words)
{
	if (*words && words[1])
		return complain(WRONG, "show: '%s' is one too many: say: ringtap show [NAME]",
				words[1]);
	return show_taps(*words);
}

static enum status add(char **words)
{
	struct device_plan plan;
	enum status status = add_device(&plan, words);

	if (status != DONE)
		return status;
	if (as_json)
		return show_taps(plan.name);
	if (strchr(*words, '%'))
		puts(plan.name);
	return DONE;
}

static enum status complain_in_use(const struct tap_report *r,
				   const struct tap_link *link)
{
	char users[512];

	report_users(r, link, users, sizeof(users));
	if (!strcmp(users, "?"))
		return complain(REFUSED, "%s: somebody has it open: end that first (as root, ringtap show %s tells who)",
				link->name, link->name);
	return complain(REFUSED, "%s: is open in %s: end that first", link->name,
			*users ? users : "some program");
}

static enum status delete_tap(struct tap_report *r, const char *name)
{
	const struct tap_link *link = report_only(r, name);
	char final_name[IFNAMSIZ];
	enum device_step failed;
	int err;

	if (!link)
		return no_such_tap(name);
	/* One with several queues would let us in, and stay. */
	if (link->carrier)
		return complain_in_use(r, link);
	snprintf(final_name, sizeof(final_name), "%s", name);
	err = device_let_go(DEVICE_CLONE, final_name, link->multi_queue,
			    &failed);
	if (err == -EBUSY)
		return complain_in_use(r, link);
	if (err == -EPERM)
		return complain(REFUSED, "%s: belongs to another user or group: try sudo",
				name);
	if (err)
		return complain(REFUSED, "%s: cannot %s it: %s (try sudo)", name,
				failed == DEVICE_OPEN ? "open " DEVICE_CLONE " to delete"
						      : "delete",
				strerror(-err));
	return DONE;
}

static enum status del(char **words)
{
	struct tap_report r;
	enum status status;
	int err;

	if (!*words)
		return complain(WRONG, "del: which one? Say: ringtap del NAME");
	if (words[1])
		return complain(WRONG, "del: '%s' is one too many: say: ringtap del NAME",
				words[1]);
	err = report_read(&r);
	status = err ? complain(REFUSED, "cannot list the taps: %s",
				strerror(-err))
		     : delete_tap(&r, *words);
	report_free(&r);
	return status;
}

static enum status help(char **words)
{
	(void)words; /* there is one help for all */
	fputs(help_text, stdout);
	return DONE;
}

static const struct {
	const char *name;
	enum status (*run)(char **words);
} commands[] = {
	{ "add", add },	  { "delete", del }, { "show", show },
	{ "list", show }, { "lst", show },   { "help", help },
};

enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static enum status run_command(char **words)
{
	if (!*words)
		return show(words);
	for (int i = 0; i < COMMANDS; i++)
		if (is_short_for(*words, commands[i].name))
			return words[1] && !strcmp(words[1], "help")
				       ? help(words)
				       : commands[i].run(words + 1);
	return complain(WRONG, "'%s' is no command: there are add, del, show, help",
			*words);
}

static enum status unknown_option(char *argv[])
{
	char letter[3] = { '-', (char)optopt };

	/* getopt says which letter it was; of a word, that it has passed it. */
	return complain(WRONG, "'%s' is no option, or takes no value: there are -j, -p, -h, -V (ringtap --help)",
			optopt ? letter : argv[optind - 1]);
}

static enum status run(int argc, char *argv[])
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "pretty", no_argument, NULL, 'p' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "jphV", options, NULL)) != -1) {
		if (option == 'j') {
			as_json = true;
		} else if (option == 'p') {
			pretty = true;
		} else if (option == 'h') {
			return help(NULL);
		} else if (option == 'V') {
			puts("ringtap " VERSION);
			return DONE;
		} else {
			return unknown_option(argv);
		}
	}
	return run_command(argv + optind);
}

int main(int argc, char *argv[])
{
	enum status status;

	if (argc > 0 && !strcmp(basename(argv[0]), "tunctl"))
		return tunctl_main(argc, argv);
	status = run(argc, argv);
	if (fflush(stdout) || ferror(stdout))
		status = complain(REFUSED, "cannot write: %s", strerror(errno));
	return (int)status;
}
