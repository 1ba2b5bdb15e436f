#include "keeper_history.h"

#include <stdio.h>
#include <string.h>

/* At once three times, then 10 ms, 100 ms, 1 s, 2 s, 4 s, 8 s, 10 s, 10 s ... */
static uint32_t pause_ms(unsigned crashes)
{
	static const uint16_t first[] = { 0,	0,    0,    10,	 100,
					  1000, 2000, 4000, 8000 };

	return crashes <= sizeof(first) / sizeof(*first) ? first[crashes - 1]
							 : KEEPER_PAUSE_MAX_MS;
}

static void remember(struct keeper_history *h, uint32_t blamed,
		     const char *name)
{
	struct keeper_suspect *newest = &h->last[0];

	memmove(newest + 1, newest, sizeof(h->last) - sizeof(*newest));
	if (h->remembered < KEEPER_CRASHES_REMEMBERED)
		h->remembered++;
	newest->key = blamed;
	snprintf(newest->name, sizeof(newest->name), "%s", name);
}

uint32_t keeper_history_crash(struct keeper_history *h, uint64_t lived_ms,
			      bool ready, uint32_t blamed, const char *name)
{
	if (lived_ms >= KEEPER_FORGIVEN_MS)
		h->remembered = 0;
	if (ready && lived_ms >= KEEPER_SETTLED_MS)
		h->crashes = 0;
	h->crashes++;
	remember(h, blamed, name);
	h->unready = ready ? 0 : h->unready + 1;
	return pause_ms(h->crashes);
}

void keeper_history_planned(struct keeper_history *h, bool ready)
{
	*h = (struct keeper_history){ .unready = ready ? 0 : h->unready + 1 };
}

bool keeper_history_is_enough(const struct keeper_history *h)
{
	const struct keeper_suspect *newest = &h->last[0];
	unsigned same = 0;

	for (unsigned i = 0; i < h->remembered; i++)
		same += h->last[i].key == newest->key &&
			!strcmp(h->last[i].name, newest->name);
	return newest->key != KEEPER_NOBODY &&
	       same >= KEEPER_CRASHES_TO_QUARANTINE;
}

bool keeper_history_goes_back(const struct keeper_history *h)
{
	return h->unready >= KEEPER_STARTS_TO_GO_BACK;
}
