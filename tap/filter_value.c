#include "filter_value.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int filter_spans_add(struct filter_spans *set, filter_number first,
		   filter_number last)
{
	if (set->count == set->room) {
		size_t room = set->room ? 2 * set->room : 8;
		struct filter_span *spans =
			reallocarray(set->spans, room, sizeof(*spans));

		if (!spans)
			return -ENOMEM;
		set->spans = spans;
		set->room = room;
	}
	set->spans[set->count++] = (struct filter_span){ first, last };
	return 0;
}

static int by_first(const void *a, const void *b)
{
	const struct filter_span *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

void filter_spans_tidy(struct filter_spans *set)
{
	size_t kept = 0;

	if (!set->count)
		return;
	qsort(set->spans, set->count, sizeof(*set->spans), by_first);
	for (size_t i = 1; i < set->count; i++) {
		struct filter_span *last = &set->spans[kept];
		const struct filter_span *next = &set->spans[i];

		if (next->first > last->last && next->first - last->last > 1)
			set->spans[++kept] = *next;
		else if (next->last > last->last)
			last->last = next->last;
	}
	set->count = kept + 1;
}

int filter_spans_complement(struct filter_spans *set, filter_number max)
{
	struct filter_spans rest = { 0 };
	filter_number next = 0;
	bool more = true;
	int err = 0;

	filter_spans_tidy(set);
	for (size_t i = 0; !err && i < set->count; i++) {
		if (set->spans[i].first > next)
			err = filter_spans_add(&rest, next,
					     set->spans[i].first - 1);
		more = set->spans[i].last < max;
		next = set->spans[i].last + 1;
	}
	if (!err && more)
		err = filter_spans_add(&rest, next, max);
	if (err) {
		filter_spans_free(&rest);
		return err;
	}
	filter_spans_free(set);
	*set = rest;
	return 0;
}

void filter_spans_free(struct filter_spans *set)
{
	free(set->spans);
	*set = (struct filter_spans){ 0 };
}

int filter_value_number(const char *text, uint64_t max, uint64_t *number)
{
	int base = text[0] == '0' && (text[1] | 32) == 'x' ? 16 : 10;
	const char *digits = base == 16 ? text + 2 : text;
	uint64_t n = 0;

	if (!*digits)
		return -EINVAL;
	for (; *digits; digits++) {
		char c = *digits;
		unsigned digit = c >= '0' && c <= '9' ? (unsigned)(c - '0')
				 : (c | 32) >= 'a' && (c | 32) <= 'f'
					 ? (unsigned)((c | 32) - 'a' + 10)
					 : 16;

		if (digit >= (unsigned)base || n > (UINT64_MAX - digit) / 16)
			return -EINVAL;
		n = n * (unsigned)base + digit;
	}
	if (n > max)
		return -EINVAL;
	*number = n;
	return 0;
}

int filter_value_range(const char *text, uint64_t max,
		       const struct filter_word *words,
		       struct filter_span *span)
{
	const char *dash = strchr(text, '-');
	char first[32];
	uint64_t a, b;

	for (; words && words->word; words++)
		if (!strcmp(words->word, text)) {
			*span = (struct filter_span){ words->number,
						      words->number };
			return 0;
		}
	if (!dash) {
		if (filter_value_number(text, max, &a))
			return -EINVAL;
		*span = (struct filter_span){ a, a };
		return 0;
	}
	if ((size_t)(dash - text) >= sizeof(first))
		return -EINVAL;
	memcpy(first, text, (size_t)(dash - text));
	first[dash - text] = '\0';
	if (filter_value_number(first, max, &a) ||
	    filter_value_number(dash + 1, max, &b) || b < a)
		return -EINVAL;
	*span = (struct filter_span){ a, b };
	return 0;
}

/* Six numbers of one or two hexadecimal digits; returns what is behind. */
static const char *read_mac(const char *text, uint64_t *mac)
{
	static const char hex[] = "0123456789abcdefABCDEF";

	*mac = 0;
	for (int i = 0; i < 6; i++) {
		size_t digits = strspn(text, hex);
		char pair[3] = { 0 };

		if (digits < 1 || digits > 2)
			return NULL;
		memcpy(pair, text, digits);
		*mac = *mac << 8 | strtoul(pair, NULL, 16);
		text += digits;
		if (i < 5 && *text++ != ':')
			return NULL;
	}
	return text;
}

int filter_value_mac(const char *text, uint64_t *mac, uint64_t *mask)
{
	const uint64_t all = ((uint64_t)1 << 48) - 1;
	const char *rest = read_mac(text, mac);
	uint64_t length;

	if (!rest)
		return -EINVAL;
	*mask = all;
	if (!*rest)
		return 0;
	if (*rest++ != '/')
		return -EINVAL;
	if (strchr(rest, ':')) {
		rest = read_mac(rest, mask);
		if (!rest || *rest)
			return -EINVAL;
	} else {
		if (filter_value_number(rest, 48, &length))
			return -EINVAL;
		*mask = all & ~(all >> length);
	}
	*mac &= *mask;
	return 0;
}

/* ADDRESS[/LENGTH] of a family; @bits is how long its addresses are. */
static int read_prefix(const char *text, int family, unsigned bits,
		       uint8_t *address, unsigned *length)
{
	const char *slash = strchr(text, '/');
	size_t bytes = slash ? (size_t)(slash - text) : strlen(text);
	char copy[INET6_ADDRSTRLEN];
	uint64_t n = bits;

	if (bytes >= sizeof(copy))
		return -EINVAL;
	memcpy(copy, text, bytes);
	copy[bytes] = '\0';
	if (inet_pton(family, copy, address) != 1 ||
	    (slash && filter_value_number(slash + 1, bits, &n)))
		return -EINVAL;
	*length = (unsigned)n;
	return 0;
}

static struct filter_span prefix_span(const uint8_t *address, unsigned bits,
				      unsigned length)
{
	filter_number first = 0, host = 0;

	for (unsigned i = 0; i < bits / 8; i++)
		first = first << 8 | address[i];
	for (unsigned i = length; i < bits; i++)
		host = host << 1 | 1;
	return (struct filter_span){ first & ~host, first | host };
}

int filter_value_ipv4(const char *text, struct filter_span *span)
{
	uint8_t address[4];
	unsigned length;

	if (read_prefix(text, AF_INET, 32, address, &length))
		return -EINVAL;
	*span = prefix_span(address, 32, length);
	return 0;
}

int filter_value_ipv6(const char *text, struct filter_span *span)
{
	uint8_t address[16];
	unsigned length;

	if (read_prefix(text, AF_INET6, 128, address, &length))
		return -EINVAL;
	*span = prefix_span(address, 128, length);
	return 0;
}

/* In the order of their bits: RFC 9293, section 3.1. */
static const char *const flag_names[] = { "fin", "syn", "rst", "psh",
					  "ack", "urg", "ece", "cwr" };

/* Flags joined by '+', or "none"; up to @end. */
static int read_flags(const char *text, const char *end, unsigned *flags)
{
	*flags = 0;
	if (end - text == 4 && !memcmp(text, "none", 4))
		return 0;
	for (;;) {
		const char *plus = memchr(text, '+', (size_t)(end - text));
		size_t length = (size_t)((plus ? plus : end) - text);
		unsigned i = 0;

		while (i < 8 && (strlen(flag_names[i]) != length ||
				 memcmp(flag_names[i], text, length)))
			i++;
		if (i == 8)
			return -EINVAL;
		*flags |= 1u << i;
		if (!plus)
			return 0;
		text = plus + 1;
	}
}

static int add_flags(struct filter_spans *set, unsigned flags, unsigned mask)
{
	int err = 0;

	for (unsigned n = 0; !err && n < 256; n++)
		if ((n & mask) == flags)
			err = filter_spans_add(set, n, n);
	return err;
}

int filter_value_tcp_flags(const char *text, struct filter_spans *set)
{
	const char *slash = strchr(text, '/');
	const char *end = text + strlen(text);
	unsigned flags, mask;
	int err;

	if (!strcmp(text, "established")) {
		err = add_flags(set, 1u << 4, 1u << 4);
		return err ? err : add_flags(set, 1u << 2, 1u << 2);
	}
	if (read_flags(text, slash ? slash : end, &flags))
		return -EINVAL;
	mask = flags;
	/* No flag of none would be any frame. */
	if (!slash && !flags)
		return -EINVAL;
	if (slash && (read_flags(slash + 1, end, &mask) || flags & ~mask))
		return -EINVAL;
	return add_flags(set, flags, mask);
}
