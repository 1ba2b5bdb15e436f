#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../switch/mac.h"
#include "../switch/shared.h"
#include "fake_port.h"

enum { ENTRIES = 1024 };

static const uint8_t key[16] = "one key", other_key[16] = "another";

static bool everybody(const void *context, uint16_t port)
{
	(void)context;
	(void)port;
	return true;
}

static bool port_7(const void *context, uint16_t port)
{
	(void)context;
	return port == 7;
}

/* What a process has left whose table was in @s. */
static struct mac_table *next_table(const struct shared *s, struct shared *to,
				    bool (*wanted)(const void *, uint16_t))
{
	struct mac_table *t = mac_new_in(shared_macs(to), ENTRIES, PORTS_MAX, 300,
					 other_key);

	mac_restore(t, shared_macs((struct shared *)s), ENTRIES, wanted, NULL);
	return t;
}

static void addresses_are_learned_again_from_what_another_has_left(void **state)
{
	struct shared *s = shared_new(ENTRIES, NULL), *to = shared_new(ENTRIES, NULL);
	struct mac_table *t = mac_new_in(shared_macs(s), ENTRIES, PORTS_MAX, 300, key);
	struct mac_table *next;

	(void)state;
	for (uint64_t a = 1; a <= 100; a++)
		mac_learn(t, a << 8, (uint16_t)(a % 10), 1000 + (uint32_t)a);
	assert_int_equal(mac_fix(t, 0x4200, 7, 1100), 0);
	next = next_table(s, to, everybody);
	for (uint64_t a = 1; a <= 100; a++)
		if (a != 0x42)
			assert_int_equal(mac_lookup(next, a << 8, 1100), a % 10);
	assert_int_equal(mac_counters(next)->learned, mac_counters(t)->learned);
	/* They age from when they were seen. */
	assert_int_equal(mac_lookup(next, 1 << 8, 1302), MAC_NONE);
	assert_int_equal(mac_lookup(next, 90 << 8, 1302), 0);
	assert_int_equal(mac_lookup(next, 0x4200, 100000), 7);
	mac_free(t);
	mac_free(next);
	shared_free(s);
	shared_free(to);
}

static void only_those_of_ports_that_are_there(void **state)
{
	struct shared *s = shared_new(ENTRIES, NULL), *to = shared_new(ENTRIES, NULL);
	struct mac_table *t = mac_new_in(shared_macs(s), ENTRIES, PORTS_MAX, 300, key);
	struct mac_table *next;

	(void)state;
	mac_learn(t, 0x100, 7, 1);
	mac_learn(t, 0x200, 8, 1);
	next = next_table(s, to, port_7);
	assert_int_equal(mac_lookup(next, 0x100, 1), 7);
	assert_int_equal(mac_lookup(next, 0x200, 1), MAC_NONE);
	assert_int_equal(mac_count(next, 1), 1);
	mac_free(t);
	mac_free(next);
	shared_free(s);
	shared_free(to);
}

/* Somebody has written whatever he liked. */
static void nonsense_is_not_learned(void **state)
{
	struct shared *s = shared_new(ENTRIES, NULL), *to = shared_new(ENTRIES, NULL);
	uint8_t *memory = shared_macs(s);
	struct mac_table *next;
	struct mac_entry *all = (void *)(memory + mac_memory_bytes(ENTRIES));
	struct mac_entry e = { 0 };
	uint32_t at = 0, count = 0;

	(void)state;
	srandom(6);
	all -= ENTRIES;
	for (uint32_t i = 0; i < ENTRIES; i++) {
		all[i].addr = (uint64_t)random() << (random() % 33);
		all[i].port = (uint16_t)random();
		all[i].seen_s = (uint32_t)random() % 2;
	}
	next = next_table(s, to, everybody);
	while (mac_next(next, &at, UINT32_MAX, 0, &e)) {
		assert_true(e.port < PORTS_MAX && e.addr < (uint64_t)1 << 48);
		count++;
	}
	assert_true(count > 0 && count <= ENTRIES);
	mac_flush_port(next, e.port);
	mac_free(next);
	shared_free(s);
	shared_free(to);
}

static void another_process_sees_the_memory_and_cannot_be_cut_short(void **state)
{
	int fd = -1;
	struct shared *s = shared_new(ENTRIES, &fd), *seen;

	(void)state;
	s->ports.counters[5].received = 17;
	seen = shared_look(fd);
	assert_non_null(seen);
	assert_int_equal(seen->ports.counters[5].received, 17);
	assert_int_equal(ftruncate(fd, 0), -1);
	/* What has been looked at stays, whoever goes on writing. */
	s->ports.counters[5].received = 99;
	s->mac_entries = UINT32_MAX;
	assert_int_equal(seen->ports.counters[5].received, 17);
	assert_int_equal(seen->mac_entries, ENTRIES);
	s->mac_entries = ENTRIES;
	shared_free(seen);
	shared_free(s);
	close(fd);
}

static void memory_of_another_layout_or_length_is_not_looked_at(void **state)
{
	int fd = -1, unsealed = memfd_create("test", 0);
	struct shared *s = shared_new(ENTRIES, &fd);

	(void)state;
	/* All of it, but it could be cut while we look. */
	assert_int_equal(write(unsealed, s, sizeof(*s)), sizeof(*s));
	assert_int_equal(ftruncate(unsealed, lseek(fd, 0, SEEK_END)), 0);
	assert_null(shared_look(unsealed));
	s->mac_entries = 2 * ENTRIES;
	assert_null(shared_look(fd));
	s->mac_entries = UINT32_MAX;
	assert_null(shared_look(fd));
	s->mac_entries = ENTRIES;
	s->layout++;
	assert_null(shared_look(fd));
	s->layout--;
	close(unsealed);
	shared_free(shared_look(fd));
	shared_free(s);
	close(fd);
}

static void what_was_on_its_way_is_counted_as_lost(void **state)
{
	struct shared *s = shared_new(ENTRIES, NULL);
	struct fake_net net;
	struct port_counters *c;
	struct port *p;

	(void)state;
	fake_net_init(&net, 2);
	p = net.fakes[1].port;
	c = &s->ports.counters[p->id];
	c->received = 10;
	c->forwarded = 7;
	c->drop[DROP_RUNT] = 2;
	c->offered = 20;
	c->sent = 12;
	c->drop[DROP_STALLED] = 3;
	shared_take_port(s, p);
	assert_int_equal(p->counters->drop[DROP_CRASH], 1);
	assert_int_equal(p->counters->drop[DROP_CRASH_QUEUED], 5);
	assert_int_equal(p->counters->received,
			 p->counters->forwarded + port_dropped(p->counters));
	assert_int_equal(p->counters->offered,
			 p->counters->sent + port_undelivered(p->counters));
	fake_net_fini(&net);
	shared_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_learned_again_from_what_another_has_left),
		cmocka_unit_test(only_those_of_ports_that_are_there),
		cmocka_unit_test(nonsense_is_not_learned),
		cmocka_unit_test(another_process_sees_the_memory_and_cannot_be_cut_short),
		cmocka_unit_test(memory_of_another_layout_or_length_is_not_looked_at),
		cmocka_unit_test(what_was_on_its_way_is_counted_as_lost),
	};

	return cmocka_run_group_tests_name("shared", tests, NULL, NULL);
}
