/* What a script expects of a result: 'loss<0.1%', 'p99<=200us', 'rate>100k'. */
#ifndef BENCH_EXPECT_H
#define BENCH_EXPECT_H

#include <stdbool.h>

struct key;

enum expect_operator {
	EXPECT_LESS,
	EXPECT_LESS_OR_EQUAL,
	EXPECT_MORE,
	EXPECT_MORE_OR_EQUAL,
	EXPECT_EQUAL,
	EXPECT_NOT_EQUAL,
};

struct expect {
	const struct key *key;
	enum expect_operator operator;
	double value;		/* in the unit of the key */
	const char *text;	/* as it was written; the caller's */
};

/*
 * Read KEY, an operator (< <= > >= = !=) and a number, with a unit that the
 * key's values have: % for shares; ns, us, ms, s for times; KiB, MiB, GiB for
 * memory; k, M, G. Returns 0 or -EINVAL; then *@why says what is wrong.
 */
int expect_parse(struct expect *e, const char *text, const char **why);

/* Whether @value, in the unit of the key, is as expected. */
bool expect_holds(const struct expect *e, double value);

#endif
