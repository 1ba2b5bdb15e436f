/*
 * Text for people: what comes from guests and files is made printable, so that
 * it can do nothing to a terminal and nothing to a table.
 */
#ifndef CTL_TEXT_H
#define CTL_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Whether the locale writes UTF-8; otherwise only ASCII is printed. */
bool text_is_utf8(void);

/* @from (UTF-8, or nearly) into @to of @room bytes, always terminated; what is
 * not printable as \xHH, byte for byte. What does not fit is left out. */
void text_printable(const char *from, char *to, size_t room);

/* Columns on a terminal of a printable text. */
size_t text_width(const char *text);

/* Cut a printable text to @width columns in place, and mark that. There must be
 * room for three bytes more. */
void text_cut(char *text, size_t width);

/* A number of things a second in at most five characters: 0, 12.3, 4.56k. */
void text_rate(double rate, char *to, size_t room);

/* Nanoseconds with a unit. */
void text_duration(double ns, char *to, size_t room);

/* The time of day of @seconds since 1970, with microseconds. */
void text_time(double seconds, char *to, size_t room);

/* @word as a shell reads it back, to stdout; with bash's $'' if it must be. */
void text_shell_word(const char *word);

#endif
