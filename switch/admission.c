#include "admission.h"

#include <stdio.h>
#include <string.h>

#include "port.h"

static bool is_joining(const struct port *p)
{
	return p->state == PORT_JOINING && !p->failed;
}

static unsigned ports_of(const struct ports *ps, uid_t uid)
{
	unsigned n = 0;

	for (uint16_t i = 0; i < ps->id_end; i++) {
		const struct port *p = ps->by_id[i];

		n += (is_joining(p) || p->state == PORT_UP) &&
		     p->peer_uid == uid;
	}
	return n;
}

static unsigned ports_used(const struct ports *ps)
{
	return (unsigned)ps->up_count + ps->joining_count + ps->closing_count;
}

bool admission_allows(const struct ports *ps, uid_t uid, uint32_t most,
		      uid_t own, char *why, size_t why_bytes)
{
	unsigned used = ports_used(ps);
	unsigned limit = most ? most : PORTS_MAX - used;

	/* Counting looks at every port: not while nobody can have too many. */
	if (used < limit || (!most && (uid == 0 || uid == own)) ||
	    ports_of(ps, uid) < limit)
		return true;
	if (most)
		snprintf(why, why_bytes,
			 "this user has %u ports already: --ports-per-uid",
			 most);
	else
		snprintf(why, why_bytes,
			 "this user has as many ports as are left for others: say how many with --ports-per-uid");
	return false;
}

unsigned admission_joining(const struct ports *ps)
{
	unsigned n = 0;

	for (uint16_t i = 0; i < ps->id_end; i++)
		n += is_joining(ps->by_id[i]);
	return n;
}

/* Some connections, and the owner of each, by which they are told apart. */
struct knocks {
	struct port *port[JOINING_MAX];
	uint32_t owner[JOINING_MAX];
	unsigned count;
};

/* How many an owner has: a table twice as large as it can become, in which who
 * finds his place taken goes to the next. */
struct tally {
	struct {
		uint32_t owner, count;
	} of[2 * JOINING_MAX];
};

static uint32_t *tally_of(struct tally *t, uint32_t owner)
{
	const uint32_t places = 2 * JOINING_MAX;
	uint32_t at = owner * 0x9e3779b1u % places;

	while (t->of[at].count && t->of[at].owner != owner)
		at = (at + 1) % places;
	t->of[at].owner = owner;
	return &t->of[at].count;
}

/* Only the knocks of those owners that have most stay. */
static void keep_busiest(struct knocks *k)
{
	struct tally t;
	uint32_t most = 0;
	unsigned kept = 0;

	memset(&t, 0, sizeof(t));
	for (unsigned i = 0; i < k->count; i++) {
		uint32_t *count = tally_of(&t, k->owner[i]);

		if (++*count > most)
			most = *count;
	}
	for (unsigned i = 0; i < k->count; i++)
		if (*tally_of(&t, k->owner[i]) == most)
			k->port[kept++] = k->port[i];
	k->count = kept;
}

struct port *admission_gives_way(const struct ports *ps)
{
	struct knocks k = { .count = 0 };
	struct port *oldest = NULL;

	for (uint16_t i = 0; i < ps->id_end && k.count < JOINING_MAX; i++)
		if (is_joining(ps->by_id[i])) {
			k.owner[k.count] = ps->by_id[i]->peer_uid;
			k.port[k.count++] = ps->by_id[i];
		}
	keep_busiest(&k);
	for (unsigned i = 0; i < k.count; i++)
		k.owner[i] = k.port[i]->peer_pid;
	keep_busiest(&k);
	for (unsigned i = 0; i < k.count; i++)
		if (!oldest || k.port[i]->since_ms < oldest->since_ms)
			oldest = k.port[i];
	return oldest;
}
