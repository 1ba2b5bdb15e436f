#include "test.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

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

static void unknown_address_has_no_port(void **state)
{
	struct mac_table *t = table(64);

	(void)state;
	assert_int_equal(mac_lookup(t, address(1), 0), MAC_NONE);
	assert_int_equal(mac_lookup(t, 0, 0), MAC_NONE);
	mac_free(t);
}

static void learned_address_is_found_on_its_port(void **state)
{
	struct mac_table *t = table(64);

	(void)state;
	assert_int_equal(mac_learn(t, address(1), 7, 0), MAC_NEW);
	assert_int_equal(mac_learn(t, address(1), 7, 0), MAC_KNOWN);
	assert_int_equal(mac_lookup(t, address(1), 0), 7);
	mac_free(t);
}

static void moved_address_is_counted_and_found_where_it_went(void **state)
{
	struct mac_table *t = table(64);

	(void)state;
	mac_learn(t, address(1), 7, 0);
	assert_int_equal(mac_learn(t, address(1), 8, 0), MAC_MOVED);
	assert_int_equal(mac_lookup(t, address(1), 0), 8);
	assert_int_equal(mac_port_count(t, 7), 0);
	assert_int_equal(mac_port_count(t, 8), 1);
	assert_int_equal(mac_counters(t)->moved, 1);
	mac_free(t);
}

static void what_has_moved_can_be_put_back_as_it_was(void **state)
{
	struct mac_table *t = table(64);

	(void)state;
	mac_learn(t, address(1), 7, 10);
	assert_int_equal(mac_learn(t, address(1), 8, 20), MAC_MOVED);
	assert_int_equal(mac_move_back(t), MAC_REFUSED);
	assert_int_equal(mac_lookup(t, address(1), 10 + AGEING_S), 7);
	assert_int_equal(mac_lookup(t, address(1), 11 + AGEING_S), MAC_NONE);
	assert_int_equal(mac_port_count(t, 8), 0);
	assert_int_equal(mac_counters(t)->moved, 0);
	assert_int_equal(mac_counters(t)->refused, 1);
	mac_free(t);
}

static void silent_address_ages_out_after_ageing_and_not_before(void **state)
{
	struct mac_table *t = table(64);

	(void)state;
	mac_learn(t, address(1), 7, 10);
	assert_int_equal(mac_lookup(t, address(1), 10 + AGEING_S), 7);
	assert_int_equal(mac_lookup(t, address(1), 11 + AGEING_S), MAC_NONE);
	assert_int_equal(mac_counters(t)->expired, 1);
	assert_int_equal(mac_port_count(t, 7), 0);
	mac_free(t);
}

static void sending_again_keeps_an_address_young(void **state)
{
	struct mac_table *t = table(64);

	(void)state;
	mac_learn(t, address(1), 7, 0);
	mac_learn(t, address(1), 7, AGEING_S);
	assert_int_equal(mac_lookup(t, address(1), 2 * AGEING_S), 7);
	mac_free(t);
}

static void ageing_of_0_keeps_addresses_for_ever(void **state)
{
	struct mac_table *t = mac_new(64, PORTS, 0, key);

	(void)state;
	mac_learn(t, address(1), 7, 0);
	assert_int_equal(mac_lookup(t, address(1), 4000000000u), 7);
	mac_free(t);
}

static void flushing_a_port_forgets_its_addresses_and_no_others(void **state)
{
	struct mac_table *t = table(256);

	(void)state;
	for (uint32_t i = 0; i < 40; i++)
		mac_learn(t, address(i), i % 2 ? 7 : 8, 0);
	mac_flush_port(t, 7);
	for (uint32_t i = 0; i < 40; i++)
		assert_int_equal(mac_lookup(t, address(i), 0),
				 i % 2 ? MAC_NONE : 8);
	assert_int_equal(mac_count(t, 0), 20);
	mac_free(t);
}

static void a_flood_of_addresses_never_grows_the_table(void **state)
{
	struct mac_table *t = table(64);

	(void)state;
	for (uint32_t i = 0; i < 100000; i++)
		mac_learn(t, address(i), 1, 0);
	assert_in_range(mac_count(t, 0), 1, mac_capacity(t));
	assert_int_equal(mac_port_count(t, 1), mac_count(t, 0));
	mac_free(t);
}

/* Honest ports come first, fill their share to a half, then one floods. */
static void a_flooder_evicts_nobody_elses_address(void **state)
{
	struct mac_table *t = table(1024);
	uint32_t honest = 7 * 64;
	uint32_t before = 0, after = 0;

	(void)state;
	for (uint32_t i = 0; i < honest; i++)
		mac_learn(t, address(i), (uint16_t)(i % 7), 0);
	for (uint32_t i = 0; i < honest; i++)
		before += mac_lookup(t, address(i), 0) == i % 7;
	for (uint32_t i = 0; i < 1000000; i++)
		mac_learn(t, address(1000000 + i), 20, 1);
	for (uint32_t i = 0; i < honest; i++)
		after += mac_lookup(t, address(i), 1) == i % 7;
	assert_in_range(before, honest - 10, honest);
	assert_int_equal(after, before);
	mac_free(t);
}

/* The flooder comes first and has the whole table. */
static void a_port_below_its_share_gets_a_place_from_a_flooder(void **state)
{
	struct mac_table *t = table(1024);

	(void)state;
	for (uint32_t i = 0; i < 1000000; i++)
		mac_learn(t, address(1000000 + i), 20, 0);
	for (uint32_t i = 0; i < 100; i++) {
		assert_int_equal(mac_learn(t, address(i), 3, 1), MAC_NEW);
		assert_int_equal(mac_lookup(t, address(i), 1), 3);
	}
	for (uint32_t i = 0; i < 1000000; i++)
		mac_learn(t, address(3000000 + i), 20, 2);
	for (uint32_t i = 0; i < 100; i++)
		assert_int_equal(mac_lookup(t, address(i), 2), 3);
	mac_free(t);
}

static void rows_differ_by_key(void **state)
{
	static const uint8_t other_key[16] = "another secret.";
	struct mac_table *t = table(64);
	struct mac_table *u = mac_new(64, PORTS, AGEING_S, other_key);
	unsigned differ = 0;

	(void)state;
	/* Where a port floods, which addresses survive depends on the rows. */
	for (uint32_t i = 0; i < 1000; i++) {
		mac_learn(t, address(i), 1, i);
		mac_learn(u, address(i), 1, i);
	}
	for (uint32_t i = 0; i < 1000; i++)
		differ += mac_lookup(t, address(i), 1000) !=
			  mac_lookup(u, address(i), 1000);
	assert_in_range(differ, 1, 1000);
	mac_free(t);
	mac_free(u);
}

/* --- against a naive model ------------------------------------------- */

enum { MODEL_ADDRESSES = 200, STEPS = 200000 };

struct model {
	bool known, fixed;
	uint16_t port;
	uint32_t seen_s;
};

static bool model_has(const struct model *m, uint32_t now_s)
{
	return m->known && (m->fixed || now_s - m->seen_s <= AGEING_S);
}

/* What is shown of the table is what the model has: @total entries. */
static void check_walk(const struct mac_table *t, const struct model *model,
		       uint32_t now_s, uint32_t total)
{
	uint32_t found = 0, at = 0;
	struct mac_entry e;

	while (at < mac_capacity(t)) {
		const struct model *m;

		if (!mac_next(t, &at, 1 + (uint32_t)random() % 3000, now_s, &e))
			continue;
		m = &model[(e.addr >> 8) - 1];
		assert_true(model_has(m, now_s));
		assert_int_equal(e.port, m->port);
		assert_int_equal(e.fixed, m->fixed);
		if (!e.fixed)
			assert_int_equal(e.seen_s, m->seen_s);
		found++;
	}
	assert_int_equal(found, total);
}

static void check_all(struct mac_table *t, const struct model *model,
		      uint32_t now_s)
{
	uint32_t held[PORTS] = { 0 }, total = 0;

	for (uint32_t i = 0; i < MODEL_ADDRESSES; i++) {
		bool has = model_has(&model[i], now_s);

		assert_int_equal(mac_lookup(t, address(i), now_s),
				 has ? model[i].port : MAC_NONE);
		held[model[i].port] += has;
		total += has;
	}
	check_walk(t, model, now_s, total);
	assert_int_equal(mac_count(t, now_s), total);
	for (uint16_t p = 0; p < PORTS; p++) {
		assert_int_equal(mac_port_count(t, p), held[p]);
		assert_int_equal(mac_held(t, p, now_s), held[p]);
	}
}

/* Flush port @port, or with MAC_NONE all; what is fixed only if @fixed_too. */
static uint32_t model_flush(struct model *model, uint16_t port, bool fixed_too,
			    uint32_t now_s)
{
	uint32_t flushed = 0;

	for (uint32_t i = 0; i < MODEL_ADDRESSES; i++) {
		if ((port != MAC_NONE && model[i].port != port) ||
		    (model[i].fixed && !fixed_too))
			continue;
		flushed += model_has(&model[i], now_s);
		model[i].known = model[i].fixed = false;
	}
	return flushed;
}

static void learn_both(struct mac_table *t, struct model *m, uint64_t addr,
		       uint16_t port, uint32_t now_s)
{
	enum mac_learned wanted = !model_has(m, now_s) ? MAC_NEW
				  : m->port == port    ? MAC_KNOWN
				  : m->fixed	       ? MAC_REFUSED
						       : MAC_MOVED;

	assert_int_equal(mac_learn(t, addr, port, now_s), wanted);
	if (wanted == MAC_MOVED)
		assert_int_equal(mac_moved_from(t), m->port);
	if (!model_has(m, now_s) || !m->fixed)
		*m = (struct model){ true, false, port, now_s };
}

static void random_step(struct mac_table *t, struct model *model,
			uint32_t now_s)
{
	uint32_t which = (uint32_t)random() % MODEL_ADDRESSES;
	uint16_t port = (uint16_t)(random() % PORTS);
	long what = random() % 500;
	struct model *m = &model[which];

	if (what < 1) {
		mac_flush_port(t, port);
		model_flush(model, port, true, now_s);
	} else if (what < 2) {
		port = random() % 10 ? port : (uint16_t)MAC_NONE;
		mac_count(t, now_s); /* only what has not aged is counted */
		assert_int_equal(mac_flush_learned(t, port),
				 model_flush(model, port, false, now_s));
	} else if (what < 12) {
		assert_int_equal(mac_fix(t, address(which), port, now_s), 0);
		*m = (struct model){ true, true, port, now_s };
	} else if (what < 30) {
		assert_int_equal(mac_forget(t, address(which), now_s),
				 model_has(m, now_s));
		m->known = m->fixed = false;
	} else {
		learn_both(t, m, address(which), port, now_s);
	}
}

/* Large enough that no row overflows: then it is just a map that forgets. */
static void with_room_the_table_is_a_map_that_forgets(void **state)
{
	struct mac_table *t = table(16384);
	struct model model[MODEL_ADDRESSES] = { 0 };
	uint32_t now_s = 0;

	(void)state;
	srandom(1);
	for (uint32_t i = 0; i < STEPS; i++) {
		if (random() % 20 == 0)
			now_s += (uint32_t)random() % 10;
		if (random() % 2000 == 0)
			now_s += AGEING_S;
		random_step(t, model, now_s);
		if (i % 500 == 0)
			check_all(t, model, now_s);
	}
	assert_int_equal(mac_counters(t)->evicted, 0);
	mac_free(t);
}

/* Too small for all: whatever it answers must be the truth, or nothing. */
static void without_room_the_table_forgets_but_never_lies(void **state)
{
	struct mac_table *t = table(64);
	struct model model[MODEL_ADDRESSES] = { 0 };

	(void)state;
	for (uint32_t i = 0; i < 10; i++) {
		assert_int_equal(mac_fix(t, address(i), 5, 0), 0);
		model[i] = (struct model){ true, true, 5, 0 };
	}
	srandom(2);
	for (uint32_t i = 0; i < STEPS; i++) {
		uint32_t which = (uint32_t)random() % MODEL_ADDRESSES;
		uint16_t port = (uint16_t)(random() % PORTS);
		uint16_t found;

		/* A refused address that had been known would now be wrong. */
		if (mac_learn(t, address(which), port, i / 100) != MAC_REFUSED)
			if (!model[which].fixed)
				model[which] = (struct model){ true, false, port,
							       i / 100 };
		which = (uint32_t)random() % MODEL_ADDRESSES;
		found = mac_lookup(t, address(which), i / 100);
		if (found != MAC_NONE) {
			assert_true(model_has(&model[which], i / 100));
			assert_int_equal(found, model[which].port);
		}
		assert_true(found != MAC_NONE || !model[which].fixed);
		assert_in_range(mac_count(t, i / 100), 0, mac_capacity(t));
	}
	mac_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unknown_address_has_no_port),
		cmocka_unit_test(learned_address_is_found_on_its_port),
		cmocka_unit_test(moved_address_is_counted_and_found_where_it_went),
		cmocka_unit_test(what_has_moved_can_be_put_back_as_it_was),
		cmocka_unit_test(silent_address_ages_out_after_ageing_and_not_before),
		cmocka_unit_test(sending_again_keeps_an_address_young),
		cmocka_unit_test(ageing_of_0_keeps_addresses_for_ever),
		cmocka_unit_test(flushing_a_port_forgets_its_addresses_and_no_others),
		cmocka_unit_test(a_flood_of_addresses_never_grows_the_table),
		cmocka_unit_test(a_flooder_evicts_nobody_elses_address),
		cmocka_unit_test(a_port_below_its_share_gets_a_place_from_a_flooder),
		cmocka_unit_test(rows_differ_by_key),
		cmocka_unit_test(with_room_the_table_is_a_map_that_forgets),
		cmocka_unit_test(without_room_the_table_forgets_but_never_lies),
	};

	return cmocka_run_group_tests_name("mac", tests, NULL, NULL);
}
