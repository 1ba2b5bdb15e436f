/*
 * Text in a buffer, put together piece by piece: a scrape of a large switch is
 * hundreds of thousands of lines, for which printf() is too slow. What does not
 * fit is left out; those who write see to it that there is room.
 */
#ifndef METRICS_TEXT_H
#define METRICS_TEXT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct text {
	char *to;
	size_t used, room;
};

static inline void text_bytes(struct text *t, const char *bytes, size_t count)
{
	if (count > t->room - t->used)
		count = t->room - t->used;
	memcpy(t->to + t->used, bytes, count);
	t->used += count;
}

static inline void text_put(struct text *t, const char *words)
{
	text_bytes(t, words, strlen(words));
}

static inline void text_number(struct text *t, uint64_t n)
{
	char digits[20];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + n % 10);
	while (n /= 10);
	text_bytes(t, digits + at, sizeof(digits) - at);
}

/* Nanoseconds as seconds: 1.000000023. */
static inline void text_seconds(struct text *t, uint64_t ns)
{
	char digits[10] = ".000000000";
	uint64_t rest = ns % 1000000000;

	text_number(t, ns / 1000000000);
	for (size_t at = sizeof(digits); rest; rest /= 10)
		digits[--at] = (char)('0' + rest % 10);
	text_bytes(t, digits, sizeof(digits));
}

#endif
