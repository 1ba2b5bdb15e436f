/*
 * What is written of an endpoint is read as the same one again: the running
 * configuration is told, and started anew, in these words.
 */
#include "test.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../switch/endpoint.h"
#include "../switch/port.h"

static struct endpoint e;
static char why[256], text[ENDPOINT_BYTES];

static void parse(enum endpoint_role role, const char *from)
{
	if (endpoint_parse(role, from, &e, why, sizeof(why)))
		fail_msg("'%s': must be %s", from, why);
}

static void written(enum endpoint_role role, const char *from, const char *as)
{
	parse(role, from);
	assert_ptr_equal(endpoint_format(&e, text, sizeof(text)), text);
	assert_string_equal(text, as);
}

static void what_was_not_said_is_not_written(void **state)
{
	(void)state;
	written(ENDPOINT_LISTENER, "uml:/u", "uml:/u");
	written(ENDPOINT_PORT, "tap:t", "tap:t");
	written(ENDPOINT_PORT, "fd:03", "fd:3");
	written(ENDPOINT_LISTENER, "bess:/b,isolated=off,learning=on,flood=on,"
				   "locked=off,mac-limit=0,no-spoof=off,"
				   "storm-unknown=0",
		"bess:/b");
}

static void every_key_is_written(void **state)
{
	(void)state;
	written(ENDPOINT_PORT, "dgram:/l,remote=/r,name=n,mode=7,group=5,"
			       "mtu=900,queue=3",
		"dgram:/l,remote=/r,name=n,mode=0007,group=5,mtu=900,queue=3");
	written(ENDPOINT_PORT, "tap:t,rules=/r,accept-to-guests=icmp",
		"tap:t,rules=/r,accept-to-guests=icmp");
	written(ENDPOINT_PORT, "tap:t,filter=/f.o", "tap:t,filter=/f.o");
	written(ENDPOINT_LISTENER,
		"vde:/d,isolated=on,learning=off,flood=off,locked=on,"
		"no-spoof=on,mac=02:00:00:00:00:Ff,mac-limit=65535,"
		"storm-broadcast=1,storm-multicast=2,storm-unknown=3,mirror=m",
		"vde:/d,isolated=on,learning=off,flood=off,locked=on,"
		"no-spoof=on,mac=02:00:00:00:00:ff,mac-limit=65535,"
		"storm-broadcast=1,storm-multicast=2,storm-unknown=3,mirror=m");
	written(ENDPOINT_CONTROL, "control:/c,mode=0660,group=7",
		"control:/c,mode=0660,group=7");
}

static void commas_of_values_are_written_twice(void **state)
{
	(void)state;
	written(ENDPOINT_LISTENER, "uml:/a,,b,,,name=n", "uml:/a,,b,,,name=n");
	written(ENDPOINT_PORT, "tap:t,accept-to-guests=,,,,a,,",
		"tap:t,accept-to-guests=,,,,a,,");
	assert_int_equal(endpoint_plain(LISTEN_UML, "/a,mode=1", &e, why,
					sizeof(why)),
			 0);
	assert_string_equal(endpoint_format(&e, text, sizeof(text)),
			    "uml:/a,,mode=1");
}

/* What a listener is called: nothing has to be read from it again. */
static void in_short_it_is_kind_and_argument_as_it_is(void **state)
{
	(void)state;
	parse(ENDPOINT_LISTENER, "bess:/a,,b,name=n,queue=3");
	assert_ptr_equal(endpoint_format_short(&e, text, sizeof(text)), text);
	assert_string_equal(text, "bess:/a,b");
	parse(ENDPOINT_PORT, "connect-stream:/p,mtu=900");
	assert_string_equal(endpoint_format_short(&e, text, sizeof(text)),
			    "connect-stream:/p");
}

static void the_longest_one_fits(void **state)
{
	static char long_text[4 * FILTER_PATH_BYTES + 8 * SOCKET_PATH_BYTES];
	struct endpoint before;
	size_t used;

	(void)state;
	strcpy(long_text, "tap:fifteen,,,,,,,,,,,,,,,,"); /* 7 + 8 commas */
	strcat(long_text, ",rules=");
	used = strlen(long_text);
	memset(long_text + used, ',', 2 * (FILTER_PATH_BYTES - 1));
	strcat(long_text, ",accept-to-guests=");
	used = strlen(long_text);
	memset(long_text + used, ',', 2 * (EXPRESSION_BYTES - 1));
	parse(ENDPOINT_PORT, long_text);
	assert_int_equal(strlen(e.rules), FILTER_PATH_BYTES - 1);
	before = e;
	endpoint_format(&e, text, sizeof(text));
	assert_string_equal(text, long_text);
	parse(ENDPOINT_PORT, text);
	assert_memory_equal(&e, &before, sizeof(e));
}

/* The address sanitizer watches. */
static void what_does_not_fit_is_cut(void **state)
{
	(void)state;
	parse(ENDPOINT_PORT, "dgram:/l,,,,,remote=/r,,,,,name=n,mode=7,queue=3,"
			     "locked=on,mac-limit=4,mirror=m");
	for (size_t bytes = 1; bytes < 100; bytes++) {
		char *small = malloc(bytes);

		endpoint_format(&e, small, bytes);
		assert_true(strlen(small) < bytes);
		endpoint_format_short(&e, small, bytes);
		assert_true(strlen(small) < bytes);
		free(small);
	}
}

/* --- at random ------------------------------------------------------------ */

static unsigned below(unsigned n)
{
	return (unsigned)random() % n;
}

/* Up to @most characters behind *@to, many of them commas, as they are read. */
static char *put_value(char *to, unsigned most)
{
	static const char good[] = ",,,,,,abc/=: .\\\"'#%-\xc3\xa9";

	*to++ = "ax/\xa9"[below(4)];
	for (unsigned n = below(most); n; n--) {
		*to++ = good[below(sizeof(good) - 1)];
		if (to[-1] == ',')
			*to++ = ',';
	}
	return to;
}

static char *put_name(char *to)
{
	static const char good[] = "abcXYZ019._+:@-";

	for (unsigned n = 1 + below(PORT_NAME_BYTES - 1); n; n--)
		*to++ = good[below(sizeof(good) - 1)];
	return to;
}

enum what { NUMBER, OCTAL, SWITCH, NAME, ADDRESS, PATH };

static const struct {
	const char *key;
	enum what what;
	unsigned from, to;
	bool taps, files; /* only they have it */
} keys[] = {
	{ "name", NAME, 0, 0, false, false },
	{ "mirror", NAME, 0, 0, false, false },
	{ "mtu", NUMBER, MTU_MIN, MTU_MAX, false, false },
	{ "queue", NUMBER, 1, PORT_QUEUE_MAX, false, false },
	{ "mac-limit", NUMBER, 0, MAC_LIMIT_MAX, false, false },
	{ "isolated", SWITCH, 0, 0, false, false },
	{ "learning", SWITCH, 0, 0, false, false },
	{ "flood", SWITCH, 0, 0, false, false },
	{ "locked", SWITCH, 0, 0, false, false },
	{ "no-spoof", SWITCH, 0, 0, false, false },
	{ "mac", ADDRESS, 1, 255, false, false },
	{ "storm-broadcast", NUMBER, 0, STORM_RATE_MAX, false, false },
	{ "storm-multicast", NUMBER, 0, STORM_RATE_MAX, false, false },
	{ "storm-unknown", NUMBER, 0, STORM_RATE_MAX, false, false },
	{ "mode", OCTAL, 0, 0777, false, true },
	{ "group", NUMBER, 0, 70000, false, true },
	{ "rules", PATH, 0, FILTER_PATH_BYTES - 1, true, false },
	{ "accept-to-guests", PATH, 0, EXPRESSION_BYTES - 1, true, false },
};

static char *put_key(char *to, size_t i)
{
	unsigned n = keys[i].from +
		     below(keys[i].to - keys[i].from + 1);

	to += sprintf(to, ",%s=", keys[i].key);
	switch (keys[i].what) {
	case NUMBER:
		return to + sprintf(to, "%u", n);
	case OCTAL:
		return to + sprintf(to, "%o", n);
	case SWITCH:
		return to + sprintf(to, below(2) ? "on" : "off");
	case ADDRESS:
		return to + sprintf(to, "02:00:%02x:00:00:%02x", below(256), n);
	case NAME:
		return put_name(to);
	default:
		return put_value(to, below(10) ? 30 : n);
	}
}

/* Some endpoint; returns its role. */
static enum endpoint_role put_endpoint(char *to)
{
	static const struct {
		const char *kind;
		enum endpoint_role role;
		bool file;
	} kinds[] = {
		{ "uml", ENDPOINT_LISTENER, true },
		{ "vde", ENDPOINT_LISTENER, true },
		{ "bess", ENDPOINT_LISTENER, true },
		{ "stream", ENDPOINT_LISTENER, true },
		{ "fd", ENDPOINT_LISTENER, false },
		{ "tap", ENDPOINT_PORT, false },
		{ "dgram", ENDPOINT_PORT, true },
		{ "connect-stream", ENDPOINT_PORT, false },
		{ "connect-bess", ENDPOINT_PORT, false },
		{ "fd", ENDPOINT_PORT, false },
	};
	unsigned k = below(ARRAY_SIZE(kinds));
	bool tap = !strcmp(kinds[k].kind, "tap");
	size_t first = below(ARRAY_SIZE(keys));

	to += sprintf(to, "%s:", kinds[k].kind);
	if (!strcmp(kinds[k].kind, "fd"))
		to += sprintf(to, "%u", below(1000));
	else if (tap)
		to += sprintf(to, "t,,%u", below(1000));
	else
		to = put_value(to, 50);
	if (!strcmp(kinds[k].kind, "dgram"))
		to = put_value(to + sprintf(to, ",remote="), 50);
	for (size_t n = 0; n < ARRAY_SIZE(keys); n++) {
		size_t i = (first + n) % ARRAY_SIZE(keys);

		if (below(3) == 0 && (tap || !keys[i].taps) &&
		    (kinds[k].file || !keys[i].files))
			to = put_key(to, i);
	}
	*to = '\0';
	return kinds[k].role;
}

static void what_is_written_is_read_as_the_same(void **state)
{
	(void)state;
	srandom(1);
	for (int i = 0; i < 5000; i++) {
		char from[ENDPOINT_BYTES], again[ENDPOINT_BYTES];
		enum endpoint_role role = put_endpoint(from);
		struct endpoint before;

		parse(role, from);
		before = e;
		endpoint_format(&e, text, sizeof(text));
		parse(role, text);
		if (memcmp(&e, &before, sizeof(e)))
			fail_msg("'%s' was read as '%s'", from, text);
		/* Said once, it is said in the same way for ever. */
		endpoint_format(&e, again, sizeof(again));
		assert_string_equal(again, text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_not_said_is_not_written),
		cmocka_unit_test(every_key_is_written),
		cmocka_unit_test(commas_of_values_are_written_twice),
		cmocka_unit_test(in_short_it_is_kind_and_argument_as_it_is),
		cmocka_unit_test(the_longest_one_fits),
		cmocka_unit_test(what_does_not_fit_is_cut),
		cmocka_unit_test(what_is_written_is_read_as_the_same),
	};

	return cmocka_run_group_tests_name("endpoint_format", tests, NULL, NULL);
}
