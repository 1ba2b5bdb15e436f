/*
 * What `top` shows. It is cut to the screen as it is at the moment; what has no
 * room (the sparkline first, then columns from the right) is left out.
 */
#include <limits.h>
#include <ncursesw/curses.h>
#include <stdio.h>
#include <string.h>

#include "ctl_context.h"
#include "ctl_text.h"
#include "ctl_top.h"

static const char *const order_names[ORDER_COUNT] = { "rate", "drops",
						      "name" };

/* Lines that are not ports: two on top, one of titles, one of keys. */
enum { HEAD_LINES = 3, FOOT_LINES = 1, SPARK_MIN = 8 };

/* Columns on the screen; behind the name each with a blank in front. */
enum { NAME_COLUMNS = 15, STATE_COLUMNS = 8, NUMBER_COLUMNS = 5 };

enum { PAIR_GOOD = 1, PAIR_WARN, PAIR_BAD };

void top_colours(void)
{
	start_color();
	use_default_colors();
	init_pair(PAIR_GOOD, COLOR_GREEN, -1);
	init_pair(PAIR_WARN, COLOR_YELLOW, -1);
	init_pair(PAIR_BAD, COLOR_RED, -1);
}

/* Eight heights of a bar; without UTF-8, of letters. */
static const char *bar(unsigned height)
{
	static const char *const blocks[] = {
		" ", "\xe2\x96\x81", "\xe2\x96\x82", "\xe2\x96\x83",
		"\xe2\x96\x84", "\xe2\x96\x85", "\xe2\x96\x86",
		"\xe2\x96\x87", "\xe2\x96\x88",
	};
	static const char *const letters[] = { " ", ".", ":", "-", "=",
					       "+", "*", "#", "@" };

	return text_is_utf8() ? blocks[height] : letters[height];
}

/* The last @columns samples, the newest at the right, against the port's own
 * highest. */
static void draw_spark(const struct rate *p, int columns)
{
	double highest = 0;

	if (columns > RATES_HISTORY)
		columns = RATES_HISTORY;
	for (int i = 0; i < columns; i++)
		if (p->history[i] > highest)
			highest = p->history[i];
	for (int i = columns - 1; i >= 0; i--) {
		double part = highest > 0 ? p->history[i] / highest : 0;

		addstr(bar(part > 0 ? 1 + (unsigned)(part * 7) : 0));
	}
}

/* The numbers of a port, or their titles, as many as there is room for. */
static int draw_numbers(const struct rate *p, int room)
{
	static const char *const titles[] = { "RX/s", "bit/s", "TX/s", "bit/s",
					      "DROPS", "QUEUE", "STALL" };
	double values[] = { p ? p->received : 0, p ? p->received_bytes * 8 : 0,
			    p ? p->sent : 0, p ? p->sent_bytes * 8 : 0,
			    p ? p->dropped : 0, p ? p->queued : 0,
			    p ? p->stalls : 0 };
	int used = 0;

	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		bool warns = p && i >= 4 && i != 5 && values[i] > 0;
		char text[16];

		if (used + NUMBER_COLUMNS + 1 > room)
			break;
		text_rate(values[i], text, sizeof(text));
		if (warns)
			attron(COLOR_PAIR(PAIR_WARN) | A_BOLD);
		printw(" %*s", NUMBER_COLUMNS, p ? text : titles[i]);
		if (warns)
			attroff(COLOR_PAIR(PAIR_WARN) | A_BOLD);
		used += NUMBER_COLUMNS + 1;
	}
	return used;
}

static void draw_state(const char *state)
{
	int pair = !strcmp(state, "up") ? PAIR_GOOD
		   : !strcmp(state, "blocked") ? PAIR_WARN : PAIR_BAD;
	char shown[64];

	text_printable(state, shown, sizeof(shown));
	text_cut(shown, STATE_COLUMNS);
	attron(COLOR_PAIR(pair));
	printw(" %s%*s", shown, STATE_COLUMNS - (int)text_width(shown), "");
	attroff(COLOR_PAIR(pair));
}

static void draw_port(const struct rate *p, int line)
{
	int room = COLS - NAME_COLUMNS;
	char name[256];

	text_printable(p->name, name, sizeof(name));
	text_cut(name, NAME_COLUMNS);
	mvaddnstr(line, 0, name, -1);
	move(line, NAME_COLUMNS);
	if (room > STATE_COLUMNS) {
		draw_state(p->state ? p->state : "");
		room -= STATE_COLUMNS + 1;
	}
	room -= draw_numbers(p, room);
	if (room > SPARK_MIN) {
		addch(' ');
		draw_spark(p, room - 2);
	}
}

static void draw_titles(void)
{
	int room = COLS - NAME_COLUMNS;

	attron(A_REVERSE);
	mvhline(HEAD_LINES - 1, 0, ' ', COLS);
	mvaddnstr(HEAD_LINES - 1, 0, "PORT", COLS);
	move(HEAD_LINES - 1, NAME_COLUMNS);
	if (room > STATE_COLUMNS) {
		printw(" %-*s", STATE_COLUMNS, "STATE");
		room -= STATE_COLUMNS + 1;
	}
	draw_numbers(NULL, room);
	attroff(A_REVERSE);
}

static void draw_head(const struct top *t)
{
	const struct rate *all = &t->rates.total;
	double up_s = t->rates.uptime_s;
	unsigned s = up_s > 0 && up_s < UINT_MAX ? (unsigned)up_s : 0;
	char frames[16], bits[16], drops[16], line[512], path[256];

	text_rate(all->received, frames, sizeof(frames));
	text_rate(all->received_bytes * 8, bits, sizeof(bits));
	text_rate(all->dropped, drops, sizeof(drops));
	text_printable(t->ctl->client.at.sun_path, path, sizeof(path));
	snprintf(line, sizeof(line),
		 "ringswitch, up %u d %02u:%02u:%02u, %zu port%s, %s", s / 86400,
		 s / 3600 % 24, s / 60 % 60, s % 60, t->rates.count,
		 t->rates.count == 1 ? "" : "s", path);
	mvaddnstr(0, 0, line, COLS);
	snprintf(line, sizeof(line), "%s frames/s in, %s bit/s in, %s drops/s",
		 frames, bits, drops);
	mvaddnstr(1, 0, line, COLS);
}

size_t top_lines(void)
{
	return LINES > HEAD_LINES + FOOT_LINES
		       ? (size_t)(LINES - HEAD_LINES - FOOT_LINES) : 1;
}

void top_draw(struct top *t)
{
	size_t lines = top_lines();
	char keys[128];

	if (t->first + lines > t->rates.count)
		t->first = t->rates.count > lines ? t->rates.count - lines : 0;
	erase();
	draw_head(t);
	draw_titles();
	for (size_t i = 0; i < lines && t->first + i < t->rates.count; i++)
		draw_port(t->shown[t->first + i], HEAD_LINES + (int)i);
	snprintf(keys, sizeof(keys),
		 "q quit  s sort (by %s)  arrows, page up and down", order_names[t->order]);
	mvaddnstr(LINES - 1, 0, keys, COLS - 1);
	refresh();
}
