/*
 * What may be in a result: for each key of the JSON its unit, and how it is
 * called in the table for people.
 */
#ifndef BENCH_KEYS_H
#define BENCH_KEYS_H

enum key_unit {
	UNIT_TEXT,		/* not a number */
	UNIT_COUNT,
	UNIT_FRAMES_PER_S,
	UNIT_BITS_PER_S,
	UNIT_NS,
	UNIT_S,
	UNIT_SHARE,		/* 0 to 1, shown in percent */
	UNIT_KIB,
	UNIT_RATIO,
};

struct key {
	const char *name;
	enum key_unit unit;
	const char *row;	/* of the table; NULL: not in it */
	const char *label;	/* in this row, before the value */
};

/* In the order of the table; ends with a name of NULL. */
extern const struct key keys[];

/* The key that is called @name, or @name for short (p99); NULL if none is. */
const struct key *key_find(const char *name);

/* @value for people, with its unit. */
void key_format(char *text, int size, const struct key *key, double value);

#endif
