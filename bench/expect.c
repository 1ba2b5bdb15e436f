/* Reading and checking expectations. See expect.h. */
#include "expect.h"

#include <errno.h>
#include <string.h>

#include "keys.h"
#include "units.h"

enum { NAME_BYTES = 48 };

static const struct {
	const char *text;
	enum expect_operator operator;
} operators[] = {
	/* The longer ones first. */
	{ "<=", EXPECT_LESS_OR_EQUAL },
	{ ">=", EXPECT_MORE_OR_EQUAL },
	{ "!=", EXPECT_NOT_EQUAL },
	{ "==", EXPECT_EQUAL },
	{ "<", EXPECT_LESS },
	{ ">", EXPECT_MORE },
	{ "=", EXPECT_EQUAL },
};

static const struct {
	enum key_unit unit;
	const char *text;
	double factor;
} units[] = {
	{ UNIT_NS, "ns", 1 },
	{ UNIT_NS, "us", 1e3 },
	{ UNIT_NS, "ms", 1e6 },
	{ UNIT_NS, "s", 1e9 },
	{ UNIT_S, "s", 1 },
	{ UNIT_S, "ms", 1e-3 },
	{ UNIT_SHARE, "%", 0.01 },
	{ UNIT_KIB, "KiB", 1 },
	{ UNIT_KIB, "MiB", 1024 },
	{ UNIT_KIB, "GiB", 1048576 },
	{ UNIT_FRAMES_PER_S, "frames/s", 1 },
	{ UNIT_BITS_PER_S, "bit/s", 1 },
};

static int complain(const char **why, const char *what)
{
	*why = what;
	return -EINVAL;
}

static const struct key *find_key(const char *text, size_t len)
{
	char name[NAME_BYTES];

	if (len >= sizeof(name))
		return NULL;
	memcpy(name, text, len);
	name[len] = '\0';
	return key_find(name);
}

/* Returns what is behind it, or NULL. */
static const char *parse_operator(const char *text, enum expect_operator *op)
{
	for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++) {
		const size_t len = strlen(operators[i].text);

		if (strncmp(text, operators[i].text, len) == 0) {
			*op = operators[i].operator;
			return text + len;
		}
	}
	return NULL;
}

static int parse_value(const struct key *key, const char *text, double *value)
{
	const char *unit = units_number(text, value);

	if (!unit)
		return -EINVAL;
	if (!*unit)
		return 0;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (units[i].unit == key->unit &&
		    strcmp(units[i].text, unit) == 0) {
			*value *= units[i].factor;
			return 0;
		}
	}
	return -EINVAL;
}

int expect_parse(struct expect *e, const char *text, const char **why)
{
	const size_t len = strcspn(text, "<>=!");
	struct expect parsed = { .key = find_key(text, len), .text = text };
	const char *number = parse_operator(text + len, &parsed.operator);

	if (!number)
		return complain(why, "needs one of < <= > >= = !=, as in loss<0.1%");
	if (!parsed.key || parsed.key->unit == UNIT_TEXT)
		return complain(why, "no such value; ringbench(1) has the list");
	if (parse_value(parsed.key, number, &parsed.value))
		return complain(why, "not a number with a unit of this value");
	*e = parsed;
	return 0;
}

bool expect_holds(const struct expect *e, double value)
{
	switch (e->operator) {
	case EXPECT_LESS:
		return value < e->value;
	case EXPECT_LESS_OR_EQUAL:
		return value <= e->value;
	case EXPECT_MORE:
		return value > e->value;
	case EXPECT_MORE_OR_EQUAL:
		return value >= e->value;
	case EXPECT_EQUAL:
		return value >= e->value && value <= e->value;
	case EXPECT_NOT_EQUAL:
		return value < e->value || value > e->value;
	}
	return false;
}
