/*
 * ringctl: asks and tells a running switch. In the way of bridge(8): options,
 * an object, a command, its words.
 *
 * This file knows the options; ctl_commands.c has the table of everything else,
 * ctl_OBJECT.c does it, ctl_context.h says what they share.
 */
#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl_batch.h"
#include "ctl_commands.h"
#include "ctl_context.h"
#include "ctl_output.h"
#include "ctl_words.h"

const char ctl_release[] = VERSION;

enum { TIMEOUT_DEFAULT_MS = 10000 };

static const struct option options[] = {
	{ "n", required_argument, NULL, 'n' },
	{ "name", required_argument, NULL, 'n' },
	{ "socket", required_argument, NULL, 's' },
	{ "j", no_argument, NULL, 'j' },
	{ "json", no_argument, NULL, 'j' },
	{ "p", no_argument, NULL, 'p' },
	{ "pretty", no_argument, NULL, 'p' },
	{ "c", optional_argument, NULL, 'c' },
	{ "color", optional_argument, NULL, 'c' },
	{ "b", required_argument, NULL, 'b' },
	{ "batch", required_argument, NULL, 'b' },
	{ "force", no_argument, NULL, 'f' },
	{ "timeout", required_argument, NULL, 't' },
	{ "V", no_argument, NULL, 'V' },
	{ "Version", no_argument, NULL, 'V' },
	{ "version", no_argument, NULL, 'V' },
	{ "h", no_argument, NULL, 'h' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

struct request {
	const char *batch; /* NULL: none */
	bool help, version;
};

static int take_timeout(struct ctl *ctl, const char *word)
{
	double seconds;

	if (!words_seconds(word, &seconds))
		return ctl_syntax(ctl, "--timeout '%s' must be 0.01 to 86400 seconds",
				  word);
	ctl->timeout_ms = (int)(seconds * 1000);
	return CTL_OK;
}

static int take(struct ctl *ctl, struct request *r, int option)
{
	switch (option) {
	case 'n':
		ctl->name = optarg;
		return CTL_OK;
	case 's':
		ctl->socket = optarg;
		return CTL_OK;
	case 'j':
		ctl->json = true;
		return CTL_OK;
	case 'p':
		ctl->pretty = true;
		return CTL_OK;
	case 'c':
		return output_colour(ctl, optarg ? optarg : "always");
	case 'b':
		r->batch = optarg;
		return CTL_OK;
	case 'f':
		ctl->force = true;
		return CTL_OK;
	case 't':
		return take_timeout(ctl, optarg);
	case 'V':
		r->version = true;
		return CTL_OK;
	default:
		r->help = true;
		return CTL_OK;
	}
}

static int read_options(struct ctl *ctl, struct request *r, int argc,
			char **argv)
{
	int code = CTL_OK;

	opterr = 0;
	while (!code) {
		int at = optind;
		int option = getopt_long_only(argc, argv, "+:", options, NULL);

		if (option == -1)
			break;
		if (option == ':')
			return ctl_syntax(ctl, "option '%s' needs an argument",
					  argv[at]);
		if (option == '?')
			return ctl_syntax(ctl, "unknown option '%s' (ringctl --help)",
					  argv[at]);
		code = take(ctl, r, option);
	}
	if (!code && ctl->name && ctl->socket)
		code = ctl_syntax(ctl, "-n and --socket both name a switch: one of them");
	return code;
}

static int run(struct ctl *ctl, const struct request *r, struct words *words)
{
	const char *name = getenv("RINGSWITCH_NAME");
	int code;

	if (!ctl->name && !ctl->socket && name && *name)
		ctl->name = name;
	if (r->help || r->version) {
		if (r->help)
			commands_help(ctl, NULL, NULL);
		else
			printf("ringctl %s\n", ctl_release);
		return CTL_OK;
	}
	code = output_take(ctl, words);
	if (code)
		return code;
	if (r->batch)
		return words->count ? words_end(ctl, words)
				    : batch_run(ctl, r->batch);
	return commands_run(ctl, words);
}

/* What was printed may not have arrived: a full disk is no success. */
static int finish(struct ctl *ctl, int code)
{
	client_close(&ctl->client);
	if (!fflush(stdout) && !ferror(stdout))
		return code;
	if (errno == EPIPE || code)
		return code;
	return ctl_refused(ctl, "cannot write: %s", strerror(errno));
}

int main(int argc, char **argv)
{
	struct ctl ctl = { .timeout_ms = TIMEOUT_DEFAULT_MS,
			   .client = CLIENT_CLOSED };
	struct request request = { 0 };
	struct words words;
	int code;

	/* Characters only: numbers have a point in JSON. */
	setlocale(LC_CTYPE, "");
	/* `ringctl mac | head` ends without a word, whoever has started us. */
	signal(SIGPIPE, SIG_DFL);
	output_colour(&ctl, "auto");
	code = read_options(&ctl, &request, argc, argv);
	if (!code) {
		words = (struct words){ argc - optind, argv + optind };
		code = run(&ctl, &request, &words);
	}
	return finish(&ctl, code);
}
