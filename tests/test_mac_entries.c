/*
 * Addresses that are fixed, and what is asked of the table: one forgotten, a
 * port's or all flushed, all of them read.
 */
#include "test.h"

#include <errno.h>
#include <stdbool.h>

#include "../switch/mac.h"

enum { PORTS = 32, AGEING_S = 300 };

static const uint8_t key[16] = "0123456789abcde";

static struct mac_table *table(uint32_t entries)
{
	struct mac_table *t = mac_new(entries, PORTS, AGEING_S, key);

	assert_non_null(t);
	return t;
}

/* Unicast, never 0. */
static uint64_t address(uint32_t n)
{
	return (uint64_t)(n + 1) << 8 | 0x02;
}

static void a_fixed_address_neither_ages_nor_moves(void **state)
{
	struct mac_table *t = table(64);

	(void)state;
	assert_int_equal(mac_fix(t, address(1), 7, 10), 0);
	assert_int_equal(mac_fixed_port(t, address(1)), 7);
	assert_int_equal(mac_fixed_port(t, address(2)), MAC_NONE);
	assert_int_equal(mac_learn(t, address(1), 8, 20), MAC_REFUSED);
	assert_int_equal(mac_lookup(t, address(1), 20), 7);
	assert_int_equal(mac_learn(t, address(1), 7, 30), MAC_KNOWN);
	assert_int_equal(mac_lookup(t, address(1), 4000000000u), 7);
	assert_int_equal(mac_count(t, 4000000000u), 1);
	assert_int_equal(mac_counters(t)->moved, 0);
	assert_int_equal(mac_counters(t)->expired, 0);
	mac_free(t);
}

static void fixing_takes_an_address_from_wherever_it_was(void **state)
{
	struct mac_table *t = table(64);

	(void)state;
	mac_learn(t, address(1), 7, 0);
	assert_int_equal(mac_fix(t, address(1), 8, 0), 0);
	assert_int_equal(mac_lookup(t, address(1), 0), 8);
	assert_int_equal(mac_port_count(t, 7), 0);
	assert_int_equal(mac_fix(t, address(1), 9, 0), 0);
	assert_int_equal(mac_lookup(t, address(1), 0), 9);
	assert_int_equal(mac_port_count(t, 9), 1);
	assert_int_equal(mac_count(t, 0), 1);
	mac_free(t);
}

/* Two rows in all: what is fixed stays, whoever floods. */
static void a_fixed_address_is_never_evicted(void **state)
{
	struct mac_table *t = table(16);
	uint32_t fixed = 0;

	(void)state;
	for (uint32_t i = 0; i < 8; i++)
		fixed += mac_fix(t, address(i), 20, 0) == 0;
	assert_int_equal(fixed, 8);
	for (uint32_t i = 0; i < 100000; i++)
		mac_learn(t, address(1000 + i), (uint16_t)(i % PORTS), i / 100);
	for (uint32_t i = 0; i < 8; i++)
		assert_int_equal(mac_lookup(t, address(i), 1000), 20);
	mac_free(t);
}

static void a_row_of_fixed_addresses_takes_no_other(void **state)
{
	struct mac_table *t = table(8);
	uint64_t evicted;

	(void)state;
	for (uint32_t i = 0; i < 20; i++)
		mac_learn(t, address(100 + i), 3, 0);
	for (uint32_t i = 0; i < 8; i++)
		assert_int_equal(mac_fix(t, address(i), 7, 0), 0);
	evicted = mac_counters(t)->evicted;
	assert_int_equal(mac_port_count(t, 3), 0);
	assert_int_equal(mac_fix(t, address(8), 7, 0), -ENOSPC);
	assert_int_equal(mac_lookup(t, address(8), 0), MAC_NONE);
	assert_int_equal(mac_learn(t, address(9), 3, 0), MAC_REFUSED);
	/* One that is there already may be fixed to another port. */
	assert_int_equal(mac_fix(t, address(0), 8, 0), 0);
	assert_int_equal(mac_lookup(t, address(0), 0), 8);
	assert_int_equal(mac_counters(t)->evicted, evicted);
	mac_free(t);
}

static void who_holds_most_gives_way_to_a_fixed_address(void **state)
{
	struct mac_table *t = table(8);

	(void)state;
	mac_learn(t, address(0), 1, 0);
	for (uint32_t i = 1; i < 8; i++)
		mac_learn(t, address(i), 2, i);
	assert_int_equal(mac_fix(t, address(50), 3, 10), 0);
	assert_int_equal(mac_lookup(t, address(0), 10), 1);
	assert_int_equal(mac_lookup(t, address(1), 10), MAC_NONE); /* oldest */
	assert_int_equal(mac_port_count(t, 2), 6);
	assert_int_equal(mac_counters(t)->evicted, 1);
	mac_free(t);
}

static void a_forgotten_address_is_gone_fixed_or_not(void **state)
{
	struct mac_table *t = table(64);

	(void)state;
	mac_learn(t, address(1), 7, 0);
	mac_fix(t, address(2), 7, 0);
	assert_true(mac_forget(t, address(1), 0));
	assert_true(mac_forget(t, address(2), 0));
	assert_int_equal(mac_count(t, 0), 0);
	assert_int_equal(mac_port_count(t, 7), 0);
	assert_int_equal(mac_learn(t, address(2), 8, 0), MAC_NEW);
	mac_free(t);
}

static void forgetting_what_is_not_there_says_so(void **state)
{
	struct mac_table *t = table(64);

	(void)state;
	assert_false(mac_forget(t, address(1), 0));
	assert_false(mac_forget(t, 0, 0));
	mac_learn(t, address(1), 7, 0);
	assert_false(mac_forget(t, address(1), AGEING_S + 1));
	assert_int_equal(mac_counters(t)->expired, 1);
	mac_free(t);
}

static void flushing_what_was_learned_leaves_what_is_fixed(void **state)
{
	struct mac_table *t = table(256);

	(void)state;
	for (uint32_t i = 0; i < 30; i++)
		mac_learn(t, address(i), i % 3 ? 7 : 8, 0);
	mac_fix(t, address(100), 7, 0);
	assert_int_equal(mac_flush_learned(t, 7), 20);
	assert_int_equal(mac_flush_learned(t, 7), 0);
	assert_int_equal(mac_lookup(t, address(100), 0), 7);
	assert_int_equal(mac_port_count(t, 8), 10);
	assert_int_equal(mac_flush_learned(t, MAC_NONE), 10);
	assert_int_equal(mac_count(t, 0), 1);
	mac_flush_port(t, 7); /* with the port, it goes */
	assert_int_equal(mac_count(t, 0), 0);
	mac_free(t);
}

static void the_port_before_a_move_is_remembered(void **state)
{
	struct mac_table *t = table(64);

	(void)state;
	mac_learn(t, address(1), 7, 0);
	mac_learn(t, address(2), 9, 0);
	assert_int_equal(mac_learn(t, address(1), 8, 0), MAC_MOVED);
	assert_int_equal(mac_moved_from(t), 7);
	assert_int_equal(mac_learn(t, address(2), 0, 0), MAC_MOVED);
	assert_int_equal(mac_moved_from(t), 9);
	assert_int_equal(mac_learn(t, address(2), 3, 0), MAC_MOVED);
	assert_int_equal(mac_moved_from(t), 0);
	mac_free(t);
}

static void the_whole_table_can_be_read_in_pieces_of_any_size(void **state)
{
	static const uint32_t pieces[] = { 1, 2, 7, 8, 64, 255, 256, 1000 };
	struct mac_table *t = table(256);

	(void)state;
	for (uint32_t i = 0; i < 40; i++)
		mac_learn(t, address(i), (uint16_t)(i % PORTS), 5);
	mac_fix(t, address(40), 3, 6);
	for (size_t n = 0; n < ARRAY_SIZE(pieces); n++) {
		bool seen[41] = { false };
		unsigned found = 0, calls = 0;

		for (uint32_t at = 0; at < mac_capacity(t); calls++) {
			uint32_t before = at;
			struct mac_entry e;

			if (!mac_next(t, &at, pieces[n], 5, &e)) {
				/* A whole piece has been looked at, or the
				 * rest. */
				assert_true(at == before + pieces[n] ||
					    at == mac_capacity(t));
				continue;
			}
			assert_in_range(at, before + 1, before + pieces[n]);
			for (uint32_t i = 0; i < ARRAY_SIZE(seen); i++) {
				if (e.addr != address(i))
					continue;
				assert_false(seen[i]);
				seen[i] = true;
				assert_int_equal(e.fixed, i == 40);
				assert_int_equal(e.port, i == 40 ? 3 : i % PORTS);
				assert_int_equal(e.seen_s, i == 40 ? 6 : 5);
			}
			found++;
		}
		assert_int_equal(found, 41);
		assert_in_range(calls, 41, 41 + mac_capacity(t));
	}
	mac_free(t);
}

static void what_has_aged_out_is_not_shown(void **state)
{
	struct mac_table *t = table(64);
	struct mac_entry e;
	uint32_t at = 0;

	(void)state;
	mac_learn(t, address(1), 7, 0);
	mac_learn(t, address(2), 7, 50);
	assert_true(mac_next(t, &at, 64, AGEING_S + 1, &e));
	assert_true(e.addr == address(2));
	assert_false(mac_next(t, &at, 64, AGEING_S + 1, &e));
	assert_int_equal(at, mac_capacity(t));
	assert_false(mac_next(t, &at, 64, AGEING_S + 1, &e));
	mac_free(t);
}

static void what_a_port_holds_is_what_has_not_aged_out(void **state)
{
	struct mac_table *t = table(64);

	(void)state;
	mac_learn(t, address(1), 7, 0);
	mac_learn(t, address(3), 8, 0);
	mac_fix(t, address(4), 7, 0);
	mac_learn(t, address(2), 7, 50);
	assert_int_equal(mac_held(t, 7, AGEING_S), 3);
	assert_int_equal(mac_held(t, 7, AGEING_S + 1), 2);
	assert_int_equal(mac_held(t, 8, AGEING_S + 1), 0);
	assert_int_equal(mac_held(t, 9, AGEING_S + 1), 0);
	assert_int_equal(mac_held(t, 7, 10 * AGEING_S), 1);
	assert_int_equal(mac_counters(t)->expired, 3);
	mac_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fixed_address_neither_ages_nor_moves),
		cmocka_unit_test(fixing_takes_an_address_from_wherever_it_was),
		cmocka_unit_test(a_fixed_address_is_never_evicted),
		cmocka_unit_test(a_row_of_fixed_addresses_takes_no_other),
		cmocka_unit_test(who_holds_most_gives_way_to_a_fixed_address),
		cmocka_unit_test(a_forgotten_address_is_gone_fixed_or_not),
		cmocka_unit_test(forgetting_what_is_not_there_says_so),
		cmocka_unit_test(flushing_what_was_learned_leaves_what_is_fixed),
		cmocka_unit_test(the_port_before_a_move_is_remembered),
		cmocka_unit_test(the_whole_table_can_be_read_in_pieces_of_any_size),
		cmocka_unit_test(what_has_aged_out_is_not_shown),
		cmocka_unit_test(what_a_port_holds_is_what_has_not_aged_out),
	};

	return cmocka_run_group_tests_name("mac_entries", tests, NULL, NULL);
}
