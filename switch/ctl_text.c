#include "ctl_text.h"

#include <langinfo.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <wchar.h>
#include <wctype.h>

bool text_is_utf8(void)
{
	return !strcmp(nl_langinfo(CODESET), "UTF-8");
}

/* The bytes of the character at @at and its code in @code; 0: none begins
 * there. Overlong forms do no harm here: what they stand for is judged. */
static size_t decode(const char *at, wchar_t *code)
{
	const unsigned char *u = (const unsigned char *)at;
	size_t bytes = *u < 0x80 ? 1 : *u >> 5 == 6 ? 2 : *u >> 4 == 14 ? 3
		       : *u >> 3 == 30 ? 4 : 0;

	*code = bytes <= 1 ? *u : *u & (0x7f >> bytes);
	for (size_t i = 1; i < bytes; i++) {
		if (u[i] >> 6 != 2)
			return 0;
		*code = *code << 6 | (u[i] & 0x3f);
	}
	return bytes;
}

/* Marks that are not seen but turn what follows around, or hide. */
static bool is_hidden(wchar_t code)
{
	return code == 0xad || code == 0x61c || code == 0x180e ||
	       (code >= 0x200b && code <= 0x200f) ||
	       (code >= 0x2028 && code <= 0x202e) ||
	       (code >= 0x2060 && code <= 0x206f) || code == 0xfeff ||
	       (code >= 0xfff0 && code <= 0xfffb) || code >= 0xe0000;
}

static bool is_printable(wchar_t code)
{
	if (code < 0x80)
		return code >= ' ' && code != 0x7f;
	return text_is_utf8() && iswprint((wint_t)code) && !is_hidden(code) &&
	       wcwidth(code) >= 0;
}

void text_printable(const char *from, char *to, size_t room)
{
	size_t used = 0;

	while (*from) {
		wchar_t code;
		size_t bytes = decode(from, &code);
		bool good = bytes && is_printable(code);

		if (!bytes)
			bytes = 1;
		if (used + (good ? bytes : bytes * 4) >= room)
			break;
		for (size_t i = 0; i < bytes; i++)
			if (good)
				to[used++] = from[i];
			else
				used += (size_t)sprintf(
					to + used, "\\x%02x",
					(unsigned)(unsigned char)from[i]);
		from += bytes;
	}
	to[used] = '\0';
}

/* Columns of the character at @at, its bytes in @bytes. */
static size_t columns(const char *at, size_t *bytes)
{
	wchar_t code;
	int width;

	*bytes = decode(at, &code);
	if (!*bytes)
		*bytes = 1;
	width = code < 0x80 ? 1 : wcwidth(code);
	return width < 0 ? 1 : (size_t)width;
}

size_t text_width(const char *text)
{
	size_t width = 0, bytes;

	for (; *text; text += bytes)
		width += columns(text, &bytes);
	return width;
}

void text_cut(char *text, size_t width)
{
	size_t used = 0, bytes;
	char *at = text;

	if (text_width(text) <= width)
		return;
	for (; *at; at += bytes) {
		size_t more = columns(at, &bytes);

		if (used + more + 1 > width)
			break;
		used += more;
	}
	strcpy(at, !width ? "" : text_is_utf8() ? "\xe2\x80\xa6" : "~");
}

void text_rate(double rate, char *to, size_t room)
{
	static const char units[] = " kMGTPE";
	unsigned unit = 0;
	double value = rate;

	/* 999.5 would be printed as 1000. */
	while (value >= 999.5 && units[unit + 1]) {
		value /= 1000;
		unit++;
	}
	if (value < 0.005)
		snprintf(to, room, "0");
	else if (!unit && value == (unsigned)value)
		snprintf(to, room, "%.0f", value);
	else
		snprintf(to, room, "%.*f%.*s", value < 9.995 ? 2 : value < 99.95 ? 1 : 0,
			 value, unit ? 1 : 0, units + unit);
}

void text_duration(double ns, char *to, size_t room)
{
	if (ns < 1e3)
		snprintf(to, room, "%.0f ns", ns);
	else if (ns < 1e6)
		snprintf(to, room, "%.1f us", ns / 1e3);
	else if (ns < 1e9)
		snprintf(to, room, "%.1f ms", ns / 1e6);
	else
		snprintf(to, room, "%.1f s", ns / 1e9);
}

void text_time(double seconds, char *to, size_t room)
{
	/* What no clock says must not be converted at all. */
	time_t whole = seconds > 0 && seconds < 1e11 ? (time_t)seconds : 0;
	unsigned us = whole ? (unsigned)((seconds - (double)whole) * 1e6) : 0;
	struct tm parts = { 0 };

	localtime_r(&whole, &parts);
	snprintf(to, room, "%02d:%02d:%02d.%06u", parts.tm_hour, parts.tm_min,
		 parts.tm_sec, us);
}

void text_shell_word(const char *word)
{
	char shown[4096 * 4];

	if (*word && !word[strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLM"
					"NOPQRSTUVWXYZ0123456789_@%+=:,./-")]) {
		fputs(word, stdout);
		return;
	}
	text_printable(word, shown, sizeof(shown));
	if (!strcmp(shown, word)) {
		putchar('\'');
		for (; *word; word++)
			if (*word == '\'')
				fputs("'\\''", stdout);
			else
				putchar(*word);
		putchar('\'');
		return;
	}
	/* A backslash that was there already must not be taken for one of
	 * ours: byte by byte. */
	fputs("$'", stdout);
	for (; *word; word++) {
		unsigned char byte = (unsigned char)*word;

		if (byte < ' ' || byte >= 0x7f)
			printf("\\x%02x", byte);
		else
			printf("%s%c", byte == '\'' || byte == '\\' ? "\\" : "",
			       byte);
	}
	putchar('\'');
}
