#include "test.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "../switch/wire_join.h"

/* As a Linux 6.1 guest sent it, name and rubbish behind it shortened. */
static const uint8_t v3[JOIN_REQUEST_BYTES] = {
	0xce, 0xfa, 0xed, 0xfe, 3, 0, 0, 0, 0, 0, 0, 0, 1, 0,
	0, 0, 0, 0, 0x51, 0x10, 0, 0, 0x2a, 0x3b, 4, 0, 9, 9, 9, 9,
};

static const char *why;
static struct join_request request;

static enum join_verdict parse(const uint8_t *bytes, size_t len)
{
	why = NULL;
	memset(&request, 0, sizeof(request));
	return join_parse(bytes, len, &request, &why);
}

/* A copy of v3 with one 32-bit word changed. */
static enum join_verdict parse_with(size_t at, uint32_t word)
{
	uint8_t bytes[sizeof(v3)];

	memcpy(bytes, v3, sizeof(v3));
	memcpy(bytes + at, &word, sizeof(word));
	return parse(bytes, sizeof(bytes));
}

static void v3_request_of_a_guest_is_taken_whole(void **state)
{
	(void)state;
	assert_int_equal(parse(v3, sizeof(v3)), JOIN_OK);
	assert_int_equal(request.addr.sun_family, AF_UNIX);
	assert_memory_equal(request.addr.sun_path, v3 + 14,
			    sizeof(request.addr.sun_path));
	assert_false(request.vde);
}

static void v1_request_has_its_address_behind_the_mac(void **state)
{
	uint8_t v1[JOIN_REQUEST_BYTES] = { 0xce, 0xfa, 0xed, 0xfe, 0, 0, 0, 0,
					   2, 0, 0, 0, 0, 1, 1, 0, '/', 'x' };

	(void)state;
	assert_int_equal(parse(v1, sizeof(v1)), JOIN_OK);
	assert_string_equal(request.addr.sun_path, "/x");
	assert_false(request.vde);
}

static void every_beginning_of_a_request_waits_for_more(void **state)
{
	(void)state;
	for (size_t len = 0; len < sizeof(v3); len++)
		assert_int_equal(parse(v3, len), JOIN_MORE);
}

static void a_longer_request_is_refused(void **state)
{
	uint8_t bytes[sizeof(v3) + 1] = { 0 };

	(void)state;
	memcpy(bytes, v3, sizeof(v3));
	assert_int_equal(parse(bytes, sizeof(bytes)), JOIN_BAD);
	assert_non_null(strstr(why, "longer"));
}

static void v0_and_garbage_are_refused_at_the_first_wrong_byte(void **state)
{
	uint8_t v0[120] = { 0 };

	(void)state;
	assert_int_equal(parse(v0, sizeof(v0)), JOIN_BAD);
	assert_non_null(strstr(why, "magic"));
	for (size_t len = 1; len <= 4; len++) {
		uint8_t bytes[4];

		memcpy(bytes, v3, sizeof(bytes));
		bytes[len - 1] ^= 0xff;
		assert_int_equal(parse(bytes, len), JOIN_BAD);
	}
}

static void other_versions_are_refused_before_the_rest_has_come(void **state)
{
	static const uint32_t versions[] = { 1, 2, 4, 0xffffffff };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		uint8_t bytes[8];

		memcpy(bytes, v3, 4);
		memcpy(bytes + 4, &versions[i], 4);
		assert_int_equal(parse(bytes, sizeof(bytes)), JOIN_BAD);
		assert_non_null(strstr(why, "version"));
	}
}

static void other_types_families_and_empty_names_are_refused(void **state)
{
	uint8_t nameless[sizeof(v3)] = { 0 };

	(void)state;
	assert_int_equal(parse_with(8, 1), JOIN_BAD);
	assert_non_null(strstr(why, "type"));
	assert_int_equal(parse_with(12, AF_INET), JOIN_BAD);
	assert_non_null(strstr(why, "family"));
	memcpy(nameless, v3, 14);
	assert_int_equal(parse(nameless, sizeof(nameless)), JOIN_BAD);
	assert_non_null(strstr(why, "empty"));
}

/* A VDE client's, as vdeplug 4.0.1 sends it: a path, and words behind it. */
static size_t vde(uint8_t bytes[JOIN_BYTES], uint32_t type, const char *words)
{
	memset(bytes, 0, JOIN_BYTES);
	memcpy(bytes, v3, 14);
	memcpy(bytes + 8, &type, sizeof(type));
	strcpy((char *)bytes + 14, "/tmp/d/.04177-00000");
	memcpy(bytes + JOIN_VDE_BYTES_MIN, words, strlen(words));
	return JOIN_VDE_BYTES_MIN + strlen(words);
}

static void a_vde_client_has_a_path_a_number_and_a_description(void **state)
{
	uint8_t bytes[JOIN_BYTES];
	size_t len = vde(bytes, 7 << 8, "vdeplug: user=root pid=4177");

	(void)state;
	assert_int_equal(parse(bytes, len), JOIN_OK);
	assert_true(request.vde);
	assert_int_equal(request.number, 7);
	assert_string_equal(request.addr.sun_path, "/tmp/d/.04177-00000");
	assert_string_equal(request.description, "vdeplug: user=root pid=4177");
}

static void a_vde_request_is_complete_from_122_bytes_on(void **state)
{
	uint8_t bytes[JOIN_BYTES];
	char words[DESCRIPTION_BYTES];
	size_t len;

	(void)state;
	memset(words, 'w', sizeof(words) - 1);
	words[sizeof(words) - 1] = '\0';
	len = vde(bytes, 0, words);
	assert_int_equal(len, JOIN_VDE_BYTES_MAX);
	for (size_t part = 0; part < JOIN_VDE_BYTES_MIN; part++)
		assert_int_equal(parse(bytes, part), JOIN_MORE);
	for (size_t part = JOIN_VDE_BYTES_MIN; part <= len; part++) {
		assert_int_equal(parse(bytes, part), JOIN_OK);
		assert_int_equal(strlen(request.description),
				 part - JOIN_VDE_BYTES_MIN);
	}
	assert_int_equal(parse(bytes, len + 1), JOIN_BAD);
	assert_non_null(strstr(why, "longer"));
}

static void types_and_numbers_of_vde_have_limits(void **state)
{
	uint8_t bytes[JOIN_BYTES];

	(void)state;
	assert_int_equal(parse(bytes, vde(bytes, 1, "")), JOIN_OK);
	assert_int_equal(request.number, 0);
	assert_int_equal(parse(bytes, vde(bytes, 2, "")), JOIN_BAD);
	assert_non_null(strstr(why, "type"));
	assert_int_equal(parse(bytes, vde(bytes, PORTS_MAX << 8, "")), JOIN_OK);
	assert_int_equal(request.number, PORTS_MAX);
	assert_int_equal(parse(bytes, vde(bytes, (PORTS_MAX + 1) << 8, "")),
			 JOIN_BAD);
	assert_non_null(strstr(why, "number"));
}

static void a_description_cannot_hurt_who_reads_it(void **state)
{
	uint8_t bytes[JOIN_BYTES];
	size_t len = vde(bytes, 0, "a\"b\\c\nd\033[2Je\377f");

	(void)state;
	assert_int_equal(parse(bytes, len), JOIN_OK);
	assert_string_equal(request.description, "a_b_c_d_[2Je_f");
	bytes[JOIN_VDE_BYTES_MIN + 1] = '\0';
	assert_int_equal(parse(bytes, len), JOIN_OK);
	assert_string_equal(request.description, "a");
}

/* Any bytes get a verdict and touch nothing beyond their end: run with the
 * address sanitizer, on copies of exactly their length. */
static void random_bytes_get_a_verdict(void **state)
{
	(void)state;
	srandom(3);
	for (int i = 0; i < 200000; i++) {
		size_t len = (size_t)random() % 257;
		uint8_t *bytes = malloc(len + !len);
		enum join_verdict verdict;

		assert_non_null(bytes);
		for (size_t j = 0; j < len; j++)
			bytes[j] = (uint8_t)random();
		memcpy(bytes, v3, len < 14 ? len : (size_t)random() % 15);
		verdict = parse(bytes, len);
		if (verdict == JOIN_OK && !request.vde)
			assert_int_equal(len, JOIN_REQUEST_BYTES);
		if (verdict == JOIN_OK && request.vde)
			assert_in_range(len, JOIN_VDE_BYTES_MIN,
					JOIN_VDE_BYTES_MAX);
		assert_true((verdict == JOIN_BAD) == (why != NULL));
		free(bytes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(v3_request_of_a_guest_is_taken_whole),
		cmocka_unit_test(v1_request_has_its_address_behind_the_mac),
		cmocka_unit_test(every_beginning_of_a_request_waits_for_more),
		cmocka_unit_test(a_longer_request_is_refused),
		cmocka_unit_test(v0_and_garbage_are_refused_at_the_first_wrong_byte),
		cmocka_unit_test(other_versions_are_refused_before_the_rest_has_come),
		cmocka_unit_test(other_types_families_and_empty_names_are_refused),
		cmocka_unit_test(a_vde_client_has_a_path_a_number_and_a_description),
		cmocka_unit_test(a_vde_request_is_complete_from_122_bytes_on),
		cmocka_unit_test(types_and_numbers_of_vde_have_limits),
		cmocka_unit_test(a_description_cannot_hurt_who_reads_it),
		cmocka_unit_test(random_bytes_get_a_verdict),
	};

	return cmocka_run_group_tests_name("wire_join", tests, NULL, NULL);
}
