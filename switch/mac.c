#include "mac.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum {
	WAYS = 8,
	MEMORY_HEAD = 64, /* of its memory, in front of the entries: counters */
};

static_assert(sizeof(struct mac_counters) <= MEMORY_HEAD, "it fits");

struct mac_table {
	/* An empty place has address 0, which is never learned. */
	struct mac_entry *entries; /* rows of WAYS, cache-line aligned */
	uint64_t k0, k1;
	uint32_t row_mask;
	uint32_t capacity;
	uint32_t ageing_s;
	uint32_t owners; /* ports that hold at least one address */
	uint32_t total;
	struct mac_counters *counters;
	void *memory; /* where counters and entries are */
	bool own_memory;
	uint32_t swept_s; /* when all that had aged were taken out */
	uint16_t ports, moved_from;
	uint32_t moved_seen_s; /* when it had been seen there */
	struct mac_entry *moved;
	uint32_t held[]; /* addresses per port */
};

static uint64_t rotl(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

#define SIPROUND(v0, v1, v2, v3)                                              \
	do {                                                                  \
		v0 += v1; v1 = rotl(v1, 13); v1 ^= v0; v0 = rotl(v0, 32);     \
		v2 += v3; v3 = rotl(v3, 16); v3 ^= v2;                        \
		v0 += v3; v3 = rotl(v3, 21); v3 ^= v0;                        \
		v2 += v1; v1 = rotl(v1, 17); v1 ^= v2; v2 = rotl(v2, 32);     \
	} while (0)

/* SipHash-1-3 (Aumasson and Bernstein, 2012) of the six bytes of an address:
 * one block, which holds them and their length. */
static uint32_t hash(const struct mac_table *t, uint64_t addr)
{
	uint64_t block = addr | (uint64_t)6 << 56;
	uint64_t v0 = t->k0 ^ 0x736f6d6570736575, v1 = t->k1 ^ 0x646f72616e646f6d;
	uint64_t v2 = t->k0 ^ 0x6c7967656e657261, v3 = t->k1 ^ 0x7465646279746573;

	v3 ^= block;
	SIPROUND(v0, v1, v2, v3);
	v0 ^= block;
	v2 ^= 0xff;
	SIPROUND(v0, v1, v2, v3);
	SIPROUND(v0, v1, v2, v3);
	SIPROUND(v0, v1, v2, v3);
	return (uint32_t)(v0 ^ v1 ^ v2 ^ v3);
}

static uint32_t capacity_for(uint32_t entries)
{
	uint32_t capacity = WAYS;

	while (capacity < entries)
		capacity *= 2;
	return capacity;
}

size_t mac_memory_bytes(uint32_t entries)
{
	return MEMORY_HEAD + capacity_for(entries) * sizeof(struct mac_entry);
}

struct mac_table *mac_new_in(void *memory, uint32_t entries, uint16_t ports,
			     uint32_t ageing_s, const uint8_t key[16])
{
	struct mac_table *t =
		calloc(1, sizeof(*t) + ports * sizeof(t->held[0]));
	uint32_t capacity = capacity_for(entries);

	if (!t)
		return NULL;
	t->memory = memory;
	t->counters = memory;
	t->entries = (void *)((char *)memory + MEMORY_HEAD);
	memcpy(&t->k0, key, sizeof(t->k0));
	memcpy(&t->k1, key + sizeof(t->k0), sizeof(t->k1));
	t->row_mask = capacity / WAYS - 1;
	t->capacity = capacity;
	t->ageing_s = ageing_s;
	t->ports = ports;
	return t;
}

struct mac_table *mac_new(uint32_t entries, uint16_t ports, uint32_t ageing_s,
			  const uint8_t key[16])
{
	size_t bytes = mac_memory_bytes(entries);
	void *memory = aligned_alloc(64, bytes);
	struct mac_table *t;

	if (!memory)
		return NULL;
	memset(memory, 0, bytes);
	t = mac_new_in(memory, entries, ports, ageing_s, key);
	if (t)
		t->own_memory = true;
	else
		free(memory);
	return t;
}

void mac_free(struct mac_table *t)
{
	if (!t)
		return;
	if (t->own_memory)
		free(t->memory);
	free(t);
}

static bool aged(const struct mac_table *t, const struct mac_entry *e,
		 uint32_t now_s)
{
	return t->ageing_s && !e->fixed && now_s - e->seen_s > t->ageing_s;
}

static void vacate(struct mac_table *t, struct mac_entry *e)
{
	if (--t->held[e->port] == 0)
		t->owners--;
	t->total--;
	e->addr = 0;
}

static void occupy(struct mac_table *t, struct mac_entry *e, uint64_t addr,
		   uint16_t port, uint32_t now_s)
{
	if (t->held[port]++ == 0)
		t->owners++;
	t->total++;
	*e = (struct mac_entry){ .addr = addr, .seen_s = now_s, .port = port };
}

static struct mac_entry *row_of(const struct mac_table *t, uint64_t addr)
{
	return &t->entries[(size_t)(hash(t, addr) & t->row_mask) * WAYS];
}

/* The entry of @addr in its row, or NULL; one that has aged out is cleared. */
static struct mac_entry *find(struct mac_table *t, struct mac_entry *row,
			  uint64_t addr, uint32_t now_s)
{
	for (struct mac_entry *e = row; e < row + WAYS; e++) {
		if (e->addr != addr)
			continue;
		if (!aged(t, e, now_s))
			return e;
		t->counters->expired++;
		vacate(t, e);
		return NULL;
	}
	return NULL;
}

/* A place in the row that is free, or becomes so by ageing. */
static struct mac_entry *free_place(struct mac_table *t, struct mac_entry *row,
				uint32_t now_s)
{
	for (struct mac_entry *e = row; e < row + WAYS; e++) {
		if (!e->addr)
			return e;
		if (aged(t, e, now_s)) {
			t->counters->expired++;
			vacate(t, e);
			return e;
		}
	}
	return NULL;
}

/* Whether @e should go before @than: its port holds more, or it is older. */
static bool goes_before(const struct mac_table *t, const struct mac_entry *e,
			const struct mac_entry *than)
{
	if (!than)
		return true;
	if (t->held[e->port] != t->held[than->port])
		return t->held[e->port] > t->held[than->port];
	return e->seen_s < than->seen_s;
}

/* A full row: make room by the rule at the top of mac.h, or NULL. */
static struct mac_entry *evict_for(struct mac_table *t, struct mac_entry *row,
			       uint16_t port)
{
	uint32_t owners = t->owners + (t->held[port] == 0);
	uint32_t share = t->capacity / owners;
	bool below = t->held[port] < share;
	struct mac_entry *victim = NULL;

	for (struct mac_entry *e = row; e < row + WAYS; e++) {
		bool may_go = !e->fixed &&
			      (e->port == port ||
			       (below && t->held[e->port] > share));

		if (may_go && goes_before(t, e, victim))
			victim = e;
	}
	if (victim) {
		t->counters->evicted++;
		vacate(t, victim);
	}
	return victim;
}

enum mac_learned mac_learn(struct mac_table *t, uint64_t addr, uint16_t port,
			   uint32_t now_s)
{
	struct mac_entry *row = row_of(t, addr);
	struct mac_entry *e = find(t, row, addr, now_s);

	if (e && e->port == port) {
		/* Once a second at most, to leave the cache line clean. */
		if (e->seen_s != now_s)
			e->seen_s = now_s;
		return MAC_KNOWN;
	}
	if (e && e->fixed)
		return MAC_REFUSED;
	if (e) {
		t->moved_from = e->port;
		t->moved_seen_s = e->seen_s;
		t->moved = e;
		vacate(t, e);
		occupy(t, e, addr, port, now_s);
		t->counters->moved++;
		return MAC_MOVED;
	}
	e = free_place(t, row, now_s);
	if (!e)
		e = evict_for(t, row, port);
	if (!e) {
		t->counters->refused++;
		return MAC_REFUSED;
	}
	occupy(t, e, addr, port, now_s);
	t->counters->learned++;
	return MAC_NEW;
}

uint16_t mac_moved_from(const struct mac_table *t)
{
	return t->moved_from;
}

enum mac_learned mac_move_back(struct mac_table *t)
{
	struct mac_entry *e = t->moved;
	uint64_t addr = e->addr;

	vacate(t, e);
	occupy(t, e, addr, t->moved_from, t->moved_seen_s);
	t->counters->moved--;
	t->counters->refused++;
	return MAC_REFUSED;
}

uint16_t mac_lookup(struct mac_table *t, uint64_t addr, uint32_t now_s)
{
	/* Address 0 marks an empty place, so it must not be looked for. */
	struct mac_entry *e = addr ? find(t, row_of(t, addr), addr, now_s) : NULL;

	return e ? e->port : (uint16_t)MAC_NONE;
}

void mac_flush_port(struct mac_table *t, uint16_t port)
{
	for (uint32_t i = 0; i < t->capacity && t->held[port]; i++)
		if (t->entries[i].addr && t->entries[i].port == port)
			vacate(t, &t->entries[i]);
}

/* A place for an address that is fixed: whoever is learned gives way. */
static struct mac_entry *fixed_place(struct mac_table *t, struct mac_entry *row,
				 uint32_t now_s)
{
	struct mac_entry *e = free_place(t, row, now_s), *victim = NULL;

	if (e)
		return e;
	for (e = row; e < row + WAYS; e++)
		if (!e->fixed && goes_before(t, e, victim))
			victim = e;
	if (victim) {
		t->counters->evicted++;
		vacate(t, victim);
	}
	return victim;
}

int mac_fix(struct mac_table *t, uint64_t addr, uint16_t port, uint32_t now_s)
{
	struct mac_entry *row = row_of(t, addr);
	struct mac_entry *e = find(t, row, addr, now_s);

	if (e)
		vacate(t, e);
	else
		e = fixed_place(t, row, now_s);
	if (!e)
		return -ENOSPC;
	occupy(t, e, addr, port, now_s);
	e->fixed = true;
	return 0;
}

uint16_t mac_fixed_port(const struct mac_table *t, uint64_t addr)
{
	const struct mac_entry *row = row_of(t, addr);

	for (const struct mac_entry *e = row; e < row + WAYS; e++)
		if (e->addr == addr && e->fixed)
			return e->port;
	return MAC_NONE;
}

bool mac_forget(struct mac_table *t, uint64_t addr, uint32_t now_s)
{
	struct mac_entry *e = addr ? find(t, row_of(t, addr), addr, now_s) : NULL;

	if (e)
		vacate(t, e);
	return e;
}

uint32_t mac_flush_learned(struct mac_table *t, uint16_t port)
{
	uint32_t flushed = 0;

	for (struct mac_entry *e = t->entries; e < t->entries + t->capacity; e++) {
		if (!e->addr || e->fixed ||
		    (port != MAC_NONE && e->port != port))
			continue;
		vacate(t, e);
		flushed++;
	}
	return flushed;
}

bool mac_next(const struct mac_table *t, uint32_t *at, uint32_t places,
	      uint32_t now_s, struct mac_entry *to)
{
	for (; *at < t->capacity && places; ++*at, places--) {
		const struct mac_entry *e = &t->entries[*at];

		if (!e->addr || aged(t, e, now_s))
			continue;
		*to = *e;
		++*at;
		return true;
	}
	return false;
}

/* Whether somebody who can be trusted would have written this. */
static bool is_sound(const struct mac_table *t, const struct mac_entry *e)
{
	return e->addr && e->addr < (uint64_t)1 << 48 && e->port < t->ports;
}

void mac_restore(struct mac_table *t, const void *memory, uint32_t entries,
		 bool (*wanted)(const void *context, uint16_t port),
		 const void *context)
{
	const struct mac_entry *old =
		(const void *)((const char *)memory + MEMORY_HEAD);

	*t->counters = *(const struct mac_counters *)memory;
	for (uint32_t i = 0; i < capacity_for(entries); i++) {
		struct mac_entry e = old[i], *row = row_of(t, e.addr);

		if (!is_sound(t, &e) || !wanted(context, e.port))
			continue;
		for (struct mac_entry *to = row; to < row + WAYS; to++) {
			if (to->addr == e.addr)
				break;
			if (to->addr)
				continue;
			occupy(t, to, e.addr, e.port, e.seen_s);
			to->fixed = e.fixed;
			break;
		}
	}
}

uint32_t mac_held(struct mac_table *t, uint16_t port, uint32_t now_s)
{
	if (t->held[port] && t->swept_s != now_s)
		mac_count(t, now_s);
	return t->held[port];
}

uint32_t mac_count(struct mac_table *t, uint32_t now_s)
{
	t->swept_s = now_s;
	for (uint32_t i = 0; i < t->capacity; i++) {
		if (!t->entries[i].addr || !aged(t, &t->entries[i], now_s))
			continue;
		t->counters->expired++;
		vacate(t, &t->entries[i]);
	}
	return t->total;
}

uint32_t mac_port_count(const struct mac_table *t, uint16_t port)
{
	return t->held[port];
}

uint32_t mac_capacity(const struct mac_table *t)
{
	return t->capacity;
}

const struct mac_counters *mac_counters(const struct mac_table *t)
{
	return t->counters;
}
