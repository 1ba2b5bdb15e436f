/*
 * Tables that line up and never wrap: on a terminal that is too narrow, the
 * least important columns are cut or left out. Where
 * nobody looks (a pipe), everything is there.
 */
#ifndef CTL_TABLE_H
#define CTL_TABLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ctl;

enum colour { PLAIN, GOOD, WARN, BAD, DIM, COLOUR_COUNT };

enum { CELL_BYTES = 4096 };

struct cell {
	char text[CELL_BYTES]; /* printable */
	enum colour colour;
};

struct table_column {
	const char *title;
	const char *key;
	/* What stands there in @row; NULL: the member @key, as js_show(). */
	void (*show)(const json_t *row, const char *key, struct cell *to);
	bool right;    /* numbers */
	uint8_t rank;  /* 0: never left out; otherwise the highest goes first */
	uint8_t least; /* may be cut to so many characters; 0: not */
};

/* Print the array @rows, which may be empty: then nothing. */
void table_print(const struct ctl *ctl, const json_t *rows,
		 const struct table_column *columns, size_t count);

/* The member @key, coloured if it is a state. */
void table_state(const json_t *row, const char *key, struct cell *to);
/* The same, warning if it is a number that is not 0. */
void table_bad(const json_t *row, const char *key, struct cell *to);

/* "title  name value, name value" from an object's simple members, folded to
 * the width of the terminal. Nothing if @object is none. */
void table_pairs(const char *title, const json_t *object);

/* One line of printable text, and a newline; cut to the terminal's width. */
void table_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* One line for every simple member, "  name  value". */
void table_members(const struct ctl *ctl, const json_t *object);

/* Columns of the terminal, or of $COLUMNS; SIZE_MAX if nobody looks. */
size_t table_width(void);

/* What turns a colour on; "" if there are none. table_plain() ends it. */
const char *table_colour(const struct ctl *ctl, enum colour colour);
const char *table_plain(const struct ctl *ctl, enum colour colour);

#endif
