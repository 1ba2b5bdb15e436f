/*
 * The MAC address table: which port an address was last seen on.
 *
 * Fixed size, set when it is made: rows of eight places, an address belongs to
 * one row, chosen by a keyed hash so that nobody outside can aim at a row. A
 * look-up reads two cache lines at most, whatever the table holds.
 *
 * When a row is full, its places are given out fairly: a port's share is the
 * table divided by the ports that have addresses in it. Beyond its share a
 * port may use what is free, but it loses that to a port below its share, and
 * it never displaces anybody else. So a guest that makes up millions of
 * addresses costs no memory and evicts nobody.
 *
 * Knows nothing of ports but their numbers, and of time but what it is told.
 */
#ifndef MAC_H
#define MAC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MAC_NONE = UINT16_MAX };

enum mac_learned {
	MAC_KNOWN,   /* was there, on this port */
	MAC_NEW,
	MAC_MOVED,   /* was there, on another port */
	MAC_REFUSED, /* its row is full of addresses that may stay, or it is
		      * fixed to another port */
};

/* An address of the table. */
struct mac_entry {
	uint64_t addr;
	uint32_t seen_s;
	uint16_t port;
	bool fixed; /* neither ages nor moves */
};

struct mac_counters {
	uint64_t learned, moved, expired, evicted, refused;
};

struct mac_table;

/*
 * A table for @entries addresses (rounded up to a power of two), ports
 * 0..@ports-1, addresses forgotten after @ageing_s seconds of silence (0:
 * never). @key is the hash's 16 secret bytes. NULL if there is no memory.
 */
struct mac_table *mac_new(uint32_t entries, uint16_t ports, uint32_t ageing_s,
			  const uint8_t key[16]);
void mac_free(struct mac_table *t);

/*
 * The same in @memory, mac_memory_bytes(@entries) zero bytes on a page boundary,
 * which outlive the table; and what another table had left in such memory, for
 * as many @entries but with any key, learned again in a new one: the addresses
 * of ports that are @wanted, as they were, and the counters. What @memory holds
 * is not trusted.
 */
struct mac_table *mac_new_in(void *memory, uint32_t entries, uint16_t ports,
			     uint32_t ageing_s, const uint8_t key[16]);
size_t mac_memory_bytes(uint32_t entries);
void mac_restore(struct mac_table *t, const void *memory, uint32_t entries,
		 bool (*wanted)(const void *context, uint16_t port),
		 const void *context);

/*
 * Note that unicast address @addr (ether.h; not 0) sent a frame on @port at
 * @now_s, in seconds, which never decreases.
 */
enum mac_learned mac_learn(struct mac_table *t, uint64_t addr, uint16_t port,
			   uint32_t now_s);

/* The port where the last address that has moved was before. */
uint16_t mac_moved_from(const struct mac_table *t);

/* Right after mac_learn() has returned MAC_MOVED: that address is where it was,
 * as if it had not moved. Returns MAC_REFUSED. */
enum mac_learned mac_move_back(struct mac_table *t);

/* Note that @addr belongs to @port, until that is flushed or it is forgotten.
 * Returns 0, or -ENOSPC if all places in its row are fixed. */
int mac_fix(struct mac_table *t, uint64_t addr, uint16_t port, uint32_t now_s);

/* The port to which @addr is fixed, or MAC_NONE. */
uint16_t mac_fixed_port(const struct mac_table *t, uint64_t addr);

/* Forget @addr. Returns whether it was there. */
bool mac_forget(struct mac_table *t, uint64_t addr, uint32_t now_s);

/* Forget what has been learned on @port, or with MAC_NONE everywhere, but not
 * what is fixed. Returns how many. */
uint32_t mac_flush_learned(struct mac_table *t, uint16_t port);

/*
 * The next address at or behind place *@at, at @now_s; places go from 0 to
 * mac_capacity(). Returns false if there is none; *@at is then mac_capacity()
 * or, if @places have been looked at, where to go on.
 */
bool mac_next(const struct mac_table *t, uint32_t *at, uint32_t places,
	      uint32_t now_s, struct mac_entry *to);

/* The port of @addr, or MAC_NONE if it is not known or has aged out. */
uint16_t mac_lookup(struct mac_table *t, uint64_t addr, uint32_t now_s);

/* Forget every address of @port, fixed ones too. */
void mac_flush_port(struct mac_table *t, uint16_t port);

/* Addresses in the table, those that have aged out taken out first. */
uint32_t mac_count(struct mac_table *t, uint32_t now_s);

/* The number of addresses @port holds, those that have aged out taken out first
 * (once a second at most). */
uint32_t mac_held(struct mac_table *t, uint16_t port, uint32_t now_s);

/* The same with those, and how many there is room for. */
uint32_t mac_port_count(const struct mac_table *t, uint16_t port);
uint32_t mac_capacity(const struct mac_table *t);

const struct mac_counters *mac_counters(const struct mac_table *t);

#endif
