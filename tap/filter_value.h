/*
 * The values of matches: words such as "10.0.0.0/8,!..." as sets of numbers.
 * Pure.
 */
#ifndef FILTER_VALUE_H
#define FILTER_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

__extension__ typedef unsigned __int128 filter_number;

struct filter_span {
	filter_number first, last;
};

/* A set of numbers: spans, in order and apart once it has been tidied. */
struct filter_spans {
	struct filter_span *spans;
	size_t count, room;
};

/* A word for a number. Tables end with { NULL, 0 }. */
struct filter_word {
	const char *word;
	uint64_t number;
};

/* All of these return 0, or -errno: -EINVAL if the text is not such a thing. */
int filter_spans_add(struct filter_spans *set, filter_number first,
		   filter_number last);
/* Put it in order. */
void filter_spans_tidy(struct filter_spans *set);
/* All numbers up to @max that are not in it. */
int filter_spans_complement(struct filter_spans *set, filter_number max);
void filter_spans_free(struct filter_spans *set);

/* A whole number, decimal or 0x, up to @max. */
int filter_value_number(const char *text, uint64_t max, uint64_t *number);
/* N, N-M or one of @words (NULL: none). */
int filter_value_range(const char *text, uint64_t max,
		       const struct filter_word *words,
		       struct filter_span *span);
/* An address with a mask or a length; all of it if there is none. */
int filter_value_mac(const char *text, uint64_t *mac, uint64_t *mask);
/* An address or prefix. */
int filter_value_ipv4(const char *text, struct filter_span *span);
int filter_value_ipv6(const char *text, struct filter_span *span);
/* TCP flags: FLAGS[/MASK], or "established". Adds the numbers that match. */
int filter_value_tcp_flags(const char *text, struct filter_spans *set);

#endif
