#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "../switch/ether_text.h"

static void an_address_is_written_first_byte_first(void **state)
{
	char text[ETHER_TEXT_BYTES];

	(void)state;
	ether_text(UINT64_C(0x0100abcd0002), text);
	assert_string_equal(text, "02:00:cd:ab:00:01");
	ether_text(0, text);
	assert_string_equal(text, "00:00:00:00:00:00");
	ether_text(UINT64_C(0xffffffffffff), text);
	assert_string_equal(text, "ff:ff:ff:ff:ff:ff");
}

static void reads(const char *text, uint64_t wanted)
{
	uint64_t addr = 1;

	if (!ether_parse(text, &addr))
		fail_msg("'%s' is not taken", text);
	assert_int_equal(addr, wanted);
}

static void colons_and_dashes_and_both_cases_are_read(void **state)
{
	(void)state;
	reads("02:00:cd:ab:00:01", UINT64_C(0x0100abcd0002));
	reads("02-00-cd-ab-00-01", UINT64_C(0x0100abcd0002));
	reads("02:00:CD:aB:00:01", UINT64_C(0x0100abcd0002));
	reads("FF:ff:FF:ff:FF:ff", UINT64_C(0xffffffffffff));
}

static void what_is_no_address_is_refused(void **state)
{
	static const char *const cases[] = {
		"",
		"02",
		"2:0:0:0:0:1",
		"02:00:00:00:00",
		"02:00:00:00:00:",
		"02:00:00:00:00:0",
		"02:00:00:00:00:0g",
		"02:00:00:00:00:01 ",
		" 02:00:00:00:00:01",
		"02:00:00:00:00:01:02",
		"02.00.00.00.00.01",
		"020000000001",
		"0200.0000.0001",
		"02:00:00:00:0001:",
		"0x:00:00:00:00:01",
		"+2:00:00:00:00:01",
		"-2:00:00:00:00:01",
		" 2:00:00:00:00:01",
		"::::::::::::::::::",
		":::::::::::::::::",
		"02:00:00:00:00:\xc3\xa9",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t addr = 42;

		if (ether_parse(cases[i], &addr))
			fail_msg("'%s' is taken", cases[i]);
		assert_int_equal(addr, 42);
	}
}

static void what_is_written_is_read_again(void **state)
{
	(void)state;
	srandom(1);
	for (int i = 0; i < 20000; i++) {
		uint64_t addr = ((uint64_t)random() << 24 ^ (uint64_t)random()) &
				UINT64_C(0xffffffffffff);
		char text[ETHER_TEXT_BYTES];

		ether_text(addr, text);
		assert_int_equal(strlen(text), ETHER_TEXT_BYTES - 1);
		reads(text, addr);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_is_written_first_byte_first),
		cmocka_unit_test(colons_and_dashes_and_both_cases_are_read),
		cmocka_unit_test(what_is_no_address_is_refused),
		cmocka_unit_test(what_is_written_is_read_again),
	};

	return cmocka_run_group_tests_name("ether_text", tests, NULL, NULL);
}
