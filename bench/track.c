/* Which sequence numbers have come. See track.h. */
#include "track.h"

#include <errno.h>
#include <stdlib.h>

enum {
	WORD_BITS = 64,
	/* Of all flows together, as long as each has its least. */
	BITS_WANTED = 1 << 26,
};

static uint64_t window_for(size_t flows)
{
	uint64_t window = TRACK_WINDOW_MAX;

	while (window > TRACK_WINDOW_MIN && window * flows > BITS_WANTED)
		window /= 2;
	return window;
}

int tracker_init(struct tracker *t, size_t flows)
{
	*t = (struct tracker){ .count = flows, .window = window_for(flows) };
	t->track = calloc(flows, sizeof(*t->track));
	t->bits = calloc(flows, t->window / 8);
	if (t->track && t->bits)
		return 0;
	tracker_fini(t);
	return -ENOMEM;
}

void tracker_fini(struct tracker *t)
{
	free(t->track);
	free(t->bits);
	t->track = NULL;
	t->bits = NULL;
}

static uint64_t *word_of(const struct tracker *t, size_t flow, uint64_t seq)
{
	return &t->bits[(flow * t->window + seq % t->window) / WORD_BITS];
}

static uint64_t bit_of(uint64_t seq)
{
	return 1ULL << (seq % WORD_BITS);
}

/* The window moves on to @seq: forget what had the places of those before. */
static void advance(struct tracker *t, size_t flow, uint64_t seq)
{
	struct track *track = &t->track[flow];
	uint64_t from = track->next_seq;

	if (seq - from >= t->window)
		from = seq - t->window + 1;
	for (; from < seq; from++)
		*word_of(t, flow, from) &= ~bit_of(from);
	*word_of(t, flow, seq) |= bit_of(seq);
	track->next_seq = seq + 1;
}

void tracker_enter(struct tracker *t, size_t flow, uint64_t seq)
{
	struct track *track = &t->track[flow];

	if (seq >= track->next_seq) {
		advance(t, flow, seq);
	} else if (track->next_seq - seq > t->window) {
		t->stale++;
		return;
	} else if (*word_of(t, flow, seq) & bit_of(seq)) {
		t->duplicated++;
		return;
	} else {
		*word_of(t, flow, seq) |= bit_of(seq);
		t->reordered++;
	}
	track->delivered++;
	t->delivered++;
}
