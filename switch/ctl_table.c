#include "ctl_table.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ctl_context.h"
#include "ctl_json.h"
#include "ctl_text.h"
#include "ctl_words.h"

enum { COLUMNS_MAX = 32, GAP = 2, WIDTH_MIN = 4 };

size_t table_width(void)
{
	const char *said = getenv("COLUMNS");
	struct winsize window;
	int64_t columns;

	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) && window.ws_col)
		return window.ws_col;
	if (said && words_number(said, 1, 100000, &columns))
		return (size_t)columns;
	return isatty(STDOUT_FILENO) ? 80 : SIZE_MAX;
}

const char *table_colour(const struct ctl *ctl, enum colour colour)
{
	static const char *const codes[COLOUR_COUNT] = {
		[PLAIN] = "",	      [GOOD] = "\033[32m",
		[WARN] = "\033[33m", [BAD] = "\033[31m",
		[DIM] = "\033[2m",
	};

	return ctl->colour ? codes[colour] : "";
}

const char *table_plain(const struct ctl *ctl, enum colour colour)
{
	return ctl->colour && colour != PLAIN ? "\033[0m" : "";
}

static void get_cell(const struct table_column *column, const json_t *row,
		     struct cell *to)
{
	to->colour = PLAIN;
	if (column->show)
		column->show(row, column->key, to);
	else
		js_show(json_object_get(row, column->key), to->text,
			sizeof(to->text));
}

struct layout {
	const struct table_column *columns;
	size_t count;
	size_t width[COLUMNS_MAX]; /* what they need, then what they get; 0:
				    * left out */
};

static void measure(struct layout *l, const json_t *rows)
{
	struct cell *cell = malloc(sizeof(*cell));
	const json_t *row;
	size_t i;

	for (size_t k = 0; k < l->count; k++)
		l->width[k] = text_width(l->columns[k].title);
	json_array_foreach(rows, i, row)
		for (size_t k = 0; cell && k < l->count; k++) {
			size_t width;

			get_cell(&l->columns[k], row, cell);
			width = text_width(cell->text);
			if (width > l->width[k])
				l->width[k] = width;
		}
	free(cell);
}

/* What the columns take together. */
static size_t total(const struct layout *l)
{
	size_t sum = 0;

	for (size_t k = 0; k < l->count; k++)
		if (l->width[k])
			sum += l->width[k] + GAP;
	return sum ? sum - GAP : 0;
}

/* The visible column that matters least: of the highest rank, the rightmost. */
static size_t least_important(const struct layout *l)
{
	size_t worst = l->count;

	for (size_t k = 0; k < l->count; k++)
		if (l->width[k] &&
		    (worst == l->count ||
		     l->columns[k].rank >= l->columns[worst].rank))
			worst = k;
	return worst;
}

/* Only columns are left that must be there: cut whatever is widest. */
static void squeeze(struct layout *l, size_t room)
{
	while (total(l) > room) {
		size_t widest = 0;

		for (size_t k = 1; k < l->count; k++)
			if (l->width[k] > l->width[widest])
				widest = k;
		if (l->width[widest] <= WIDTH_MIN)
			return;
		l->width[widest]--;
	}
}

/* Beginning with what matters least, cut if that is enough, or leave out. */
static void fit(struct layout *l, size_t room)
{
	while (total(l) > room) {
		size_t over = total(l) - room, k = least_important(l);
		const struct table_column *column = &l->columns[k];

		if (column->least && l->width[k] >= over + column->least) {
			l->width[k] -= over;
		} else if (column->rank) {
			l->width[k] = 0;
		} else {
			squeeze(l, room);
			return;
		}
	}
}

/* @blanks are owed by the cells before: a line has none at its end. Returns
 * those that are owed now. */
static size_t print_cell(const struct ctl *ctl, struct cell *cell, size_t width,
			 bool right, size_t blanks)
{
	size_t used;

	text_cut(cell->text, width);
	used = text_width(cell->text);
	if (!used)
		return blanks + width + GAP;
	if (right)
		blanks += width - used;
	printf("%*s%s%s%s", (int)blanks, "", table_colour(ctl, cell->colour),
	       cell->text, table_plain(ctl, cell->colour));
	return (right ? 0 : width - used) + GAP;
}

/* One row; NULL: the titles. */
static void print_row(const struct ctl *ctl, const struct layout *l,
		      const json_t *row, struct cell *cell)
{
	size_t blanks = 0;

	for (size_t k = 0; k < l->count; k++) {
		if (!l->width[k])
			continue;
		cell->colour = PLAIN;
		if (row)
			get_cell(&l->columns[k], row, cell);
		else
			strcpy(cell->text, l->columns[k].title);
		blanks = print_cell(ctl, cell, l->width[k],
				    l->columns[k].right, blanks);
	}
	putchar('\n');
}

void table_print(const struct ctl *ctl, const json_t *rows,
		 const struct table_column *columns, size_t count)
{
	struct layout l = { .columns = columns, .count = count };
	struct cell *cell = malloc(sizeof(*cell));
	const json_t *row;
	size_t i;

	if (cell && json_array_size(rows)) {
		measure(&l, rows);
		fit(&l, table_width());
		print_row(ctl, &l, NULL, cell);
		json_array_foreach(rows, i, row)
			print_row(ctl, &l, row, cell);
	}
	free(cell);
}

void table_state(const json_t *row, const char *key, struct cell *to)
{
	const char *state = js_text(row, key);

	js_show(json_object_get(row, key), to->text, sizeof(to->text));
	if (!strcmp(state, "up") || !strcmp(state, "listening"))
		to->colour = GOOD;
	else if (!strcmp(state, "blocked") || !strcmp(state, "paused"))
		to->colour = WARN;
	else if (*state)
		to->colour = BAD;
}

void table_bad(const json_t *row, const char *key, struct cell *to)
{
	js_show(json_object_get(row, key), to->text, sizeof(to->text));
	if (js_number(row, key) > 0)
		to->colour = WARN;
}

void table_pairs(const char *title, const json_t *object)
{
	size_t indent = text_width(title) + 1, room = table_width();
	size_t used = indent;
	const char *key;
	json_t *value;

	if (!json_is_object(object))
		return;
	fputs(title, stdout);
	json_object_foreach((json_t *)object, key, value) {
		char name[64], shown[128];
		size_t width;

		if (json_is_object(value) || json_is_array(value))
			continue;
		text_printable(key, name, sizeof(name));
		js_show(value, shown, sizeof(shown));
		width = text_width(name) + 1 + text_width(shown);
		if (used > indent && used + GAP + width > room) {
			printf("\n%*s", (int)indent - 1, "");
			used = indent;
		}
		printf("%*s%s %s", used == indent ? 1 : GAP, "", name, shown);
		used += width + (used == indent ? 0 : GAP);
	}
	putchar('\n');
}

void table_line(const char *format, ...)
{
	char line[CELL_BYTES];
	va_list words;

	va_start(words, format);
	vsnprintf(line, sizeof(line) - 4, format, words);
	va_end(words);
	text_cut(line, table_width());
	puts(line);
}

void table_members(const struct ctl *ctl, const json_t *object)
{
	size_t room = table_width();
	struct cell *cell = malloc(sizeof(*cell));
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)object, key, value) {
		char name[64];

		if (!cell || json_is_object(value) || json_is_array(value))
			continue;
		text_printable(key, name, sizeof(name));
		cell->colour = PLAIN;
		if (!strcmp(key, "state"))
			table_state(object, key, cell);
		else
			js_show(value, cell->text, sizeof(cell->text));
		text_cut(cell->text, room > 24 ? room - 20 : WIDTH_MIN);
		if (*cell->text)
			printf("  %-16s  %s%s%s\n", name,
			       table_colour(ctl, cell->colour), cell->text,
			       table_plain(ctl, cell->colour));
		else
			printf("  %s\n", name);
	}
	free(cell);
}
