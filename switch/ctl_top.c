/*
 * The object top: ports by rate, on a terminal, again and again. Keys and time
 * are here, ctl_top_draw.c has what is seen.
 */
#include <ncursesw/curses.h>
#include <ncursesw/term.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ctl_commands.h"
#include "ctl_context.h"
#include "ctl_stats.h"
#include "ctl_top.h"
#include "ctl_words.h"

static volatile sig_atomic_t told_to_end;

static void on_signal(int signal)
{
	(void)signal;
	told_to_end = 1;
}

static double busy(const struct rate *p)
{
	return p->received_bytes + p->sent_bytes;
}

static int descending(double a, double b)
{
	return a < b ? 1 : a > b ? -1 : 0;
}

static int by_name(const void *a, const void *b)
{
	return strverscmp((*(struct rate *const *)a)->name,
			  (*(struct rate *const *)b)->name);
}

static int by_rate(const void *a, const void *b)
{
	int way = descending(busy(*(struct rate *const *)a),
			     busy(*(struct rate *const *)b));

	return way ? way : by_name(a, b);
}

static int by_drops(const void *a, const void *b)
{
	int way = descending((*(struct rate *const *)a)->dropped,
			     (*(struct rate *const *)b)->dropped);

	return way ? way : by_rate(a, b);
}

static void sort(struct top *t)
{
	static int (*const orders[ORDER_COUNT])(const void *, const void *) = {
		by_rate, by_drops, by_name
	};
	struct rate **shown = realloc(t->shown, (t->rates.count + 1) *
						sizeof(struct rate *));

	if (!shown)
		return;
	t->shown = shown;
	for (size_t i = 0; i < t->rates.count; i++)
		shown[i] = &t->rates.ports[i];
	qsort(shown, t->rates.count, sizeof(*shown), orders[t->order]);
}

static void scroll_by(struct top *t, int64_t by)
{
	int64_t first = (int64_t)t->first + by;

	t->first = first < 0 ? 0 : (size_t)first;
}

static void on_key(struct top *t, int key)
{
	switch (key) {
	case 'q':
	case 'Q':
		t->quit = true;
		break;
	case 's':
	case '\t':
		t->order = (t->order + 1) % ORDER_COUNT;
		sort(t);
		break;
	case KEY_UP:
		scroll_by(t, -1);
		break;
	case KEY_DOWN:
		scroll_by(t, 1);
		break;
	case KEY_PPAGE:
		scroll_by(t, -(int64_t)top_lines());
		break;
	case KEY_NPAGE:
		scroll_by(t, (int64_t)top_lines());
		break;
	case KEY_HOME:
		t->first = 0;
		break;
	default:
		break;
	}
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Draw, and again after every key, until @until_ms. */
static void show_until(struct top *t, int64_t until_ms)
{
	int64_t left_ms;

	top_draw(t);
	while (!t->quit && !told_to_end &&
	       (left_ms = until_ms - now_ms()) > 0) {
		int key;

		timeout((int)left_ms);
		key = getch();
		/* A terminal that has gone gives nothing at once, for ever. */
		if (key == ERR && now_ms() < until_ms && !isatty(STDIN_FILENO))
			t->quit = true;
		if (key == ERR)
			continue;
		on_key(t, key);
		top_draw(t);
	}
}

/* Until told to end. Returns the exit code. */
static int run(struct top *t, double seconds)
{
	int64_t at_ms = now_ms();
	int code = CTL_OK;

	while (!t->quit && !told_to_end && !code) {
		json_t *stats = ctl_ask(t->ctl, CTL_READS, "stats.show", NULL);

		if (!stats)
			return CTL_REFUSED;
		if (!rates_add(&t->rates, stats))
			code = ctl_strange(t->ctl, "list of ports");
		json_decref(stats);
		at_ms += (int64_t)(seconds * 1000);
		if (at_ms < now_ms())
			at_ms = now_ms();
		sort(t);
		if (!code && t->shown)
			show_until(t, at_ms);
	}
	return code;
}

static void begin_screen(void)
{
	struct sigaction end = { .sa_handler = on_signal };

	cbreak();
	noecho();
	curs_set(0);
	keypad(stdscr, TRUE);
	top_colours();
	/* ncurses' own end with a failure. */
	sigaction(SIGINT, &end, NULL);
	sigaction(SIGTERM, &end, NULL);
	sigaction(SIGHUP, &end, NULL);
}

/* What is said meanwhile would go with the screen: it waits in a file. */
static int hold_messages(int *old)
{
	int file = memfd_create("messages", MFD_CLOEXEC);

	*old = file < 0 ? -1 : dup(STDERR_FILENO);
	if (*old >= 0)
		dup2(file, STDERR_FILENO);
	return file;
}

static void show_messages(int file, int old)
{
	char text[4096];
	ssize_t n;

	fflush(stderr);
	if (old >= 0) {
		dup2(old, STDERR_FILENO);
		close(old);
		n = pread(file, text, sizeof(text), 0);
		if (n > 0)
			fprintf(stderr, "%.*s", (int)n, text);
	}
	if (file >= 0)
		close(file);
}

static int run_on_terminal(struct ctl *ctl, double seconds)
{
	struct top top = { .ctl = ctl };
	SCREEN *screen;
	int code, err, messages, old_stderr;

	if (setupterm(NULL, STDOUT_FILENO, &err) != OK)
		return ctl_refused(ctl, "top does not know the terminal '%s' ($TERM)",
				   getenv("TERM") ? getenv("TERM") : "");
	del_curterm(cur_term);
	/* Asked only now: what it has when it fails is lost. */
	screen = newterm(NULL, stdout, stdin);
	if (!screen)
		return ctl_refused(ctl, "top cannot use the terminal");
	begin_screen();
	messages = hold_messages(&old_stderr);
	code = run(&top, seconds);
	endwin();
	show_messages(messages, old_stderr);
	delscreen(screen);
	free(top.shown);
	rates_fini(&top.rates);
	return code;
}

int top_run(struct ctl *ctl, struct words *words)
{
	struct watch watch = { .on = true, .seconds = 1 };
	const char *word;

	if (words_skip(words, "-d")) {
		word = words_next(words);
		if (!word || !words_seconds(word, &watch.seconds))
			return ctl_syntax(ctl, "-d must be 0.01 to 86400 seconds");
	}
	if (words_end(ctl, words))
		return CTL_SYNTAX;
	if (ctl->json)
		return watch_rates(ctl, NULL, &watch);
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return ctl_syntax(ctl, "top needs a terminal; stats show --watch does not");
	return run_on_terminal(ctl, watch.seconds);
}
