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

static void count_blame(struct keeper_history *h, uint32_t blamed,
			const char *name)
{
	if (h->blamed != blamed || strcmp(h->name, name))
		h->same = 0;
	h->blamed = blamed;
	snprintf(h->name, sizeof(h->name), "%s", name);
	if (blamed != KEEPER_NOBODY)
		h->same++;
}

uint32_t keeper_history_crash(struct keeper_history *h, uint64_t lived_ms,
			      bool ready, uint32_t blamed, const char *name)
{
	if (lived_ms >= KEEPER_FORGIVEN_MS)
		h->same = 0;
	if (ready && lived_ms >= KEEPER_SETTLED_MS)
		h->crashes = 0;
	h->crashes++;
	count_blame(h, blamed, name);
	h->unready = ready ? 0 : h->unready + 1;
	return pause_ms(h->crashes);
}

void keeper_history_planned(struct keeper_history *h, bool ready)
{
	*h = (struct keeper_history){ .blamed = KEEPER_NOBODY,
				      .unready = ready ? 0 : h->unready + 1 };
}

bool keeper_history_is_enough(const struct keeper_history *h)
{
	return h->blamed != KEEPER_NOBODY &&
	       h->same >= KEEPER_CRASHES_TO_QUARANTINE;
}

bool keeper_history_goes_back(const struct keeper_history *h)
{
	return h->unready >= KEEPER_STARTS_TO_GO_BACK;
}
