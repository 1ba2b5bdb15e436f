/* Reading and spreading mixes of sizes. See sizes.h. */
#include "sizes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pattern.h"

struct entry {
	uint16_t bytes;
	unsigned int weight;
	int credit;
};

/* Read one "60x7" or "60" at *@text, which moves behind it. */
static int parse_entry(struct entry *entry, const char **text)
{
	unsigned long bytes, weight = 1;
	char *end;

	if (**text < '0' || **text > '9')
		return -EINVAL;
	bytes = strtoul(*text, &end, 10);
	if (*end == 'x') {
		if (end[1] < '0' || end[1] > '9')
			return -EINVAL;
		weight = strtoul(end + 1, &end, 10);
	}
	if (bytes < FRAME_MIN_BYTES || bytes > FRAME_MAX_BYTES ||
	    weight < 1 || weight > SIZES_CYCLE_MAX)
		return -EINVAL;
	*entry = (struct entry){ (uint16_t)bytes, (unsigned int)weight, 0 };
	*text = end;
	return 0;
}

/* Returns how many, or -EINVAL. */
static int parse_list(struct entry entries[SIZES_MAX], const char *text)
{
	int count = 0;

	while (count < SIZES_MAX) {
		if (parse_entry(&entries[count++], &text))
			return -EINVAL;
		if (!*text)
			return count;
		if (*text++ != ',')
			return -EINVAL;
	}
	return -EINVAL;
}

/*
 * Each gets its weight in credit with every frame; the one with most sends, and
 * pays for it with the weights of all.
 */
static uint16_t next_of(struct entry *entries, int count, int total)
{
	int best = 0;

	for (int i = 0; i < count; i++) {
		entries[i].credit += (int)entries[i].weight;
		if (entries[i].credit > entries[best].credit)
			best = i;
	}
	entries[best].credit -= total;
	return entries[best].bytes;
}

int sizes_parse(struct sizes *sizes, const char *text)
{
	struct entry entries[SIZES_MAX];
	const int count = parse_list(entries, strcmp(text, "imix") ? text :
					      SIZES_IMIX);
	unsigned int total = 0;
	double sum = 0;

	for (int i = 0; i < count; i++)
		total += entries[i].weight;
	if (count < 0 || total > SIZES_CYCLE_MAX)
		return -EINVAL;
	*sizes = (struct sizes){ .cycle = total };
	for (unsigned int i = 0; i < total; i++) {
		sizes->bytes[i] = next_of(entries, count, (int)total);
		sum += sizes->bytes[i];
		if (sizes->bytes[i] > sizes->max_bytes)
			sizes->max_bytes = sizes->bytes[i];
	}
	sizes->mean_bytes = sum / total;
	return 0;
}
