/* Trials at one rate after the other. See throughput.h. */
#include "throughput.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "now.h"
#include "result.h"
#include "search.h"

/* Of fewer, a trial tells nothing about their loss. */
enum { TRIAL_FRAMES_MIN = 100 };

struct trial {
	double rate, loss;
	uint64_t lost, unsent, delivered;
	bool held;
};

struct hunt {
	const struct settings *s;
	struct traffic t;
	struct load load;
	struct search search;
	json_t *trials;
	json_t *held;			/* of the last trial that held */
	json_t *best;			/* the same, of the highest rate that did */
	double failed_rate;
	const char *limited_by;		/* at the lowest rate that failed */
};

static void judge(const struct hunt *h, const struct traffic_result *result,
		  struct trial *trial)
{
	const struct sender_report *sender = &result->sender;
	const uint64_t delivered = result->receiver.tracker.delivered;
	const uint64_t unsent = sender->intended - sender->sent;
	const uint64_t expected = sender->copies +
				  unsent * h->t.plan->receivers;

	trial->rate = h->load.frames_per_s;
	trial->delivered = delivered;
	trial->unsent = unsent;
	trial->lost = sender->copies > delivered ? sender->copies - delivered : 0;
	trial->loss = expected ? 1 - (double)delivered / (double)expected : 0;
	trial->held = trial->loss <= h->s->tolerance;
}

static void note_trial(struct hunt *h, const struct trial *trial)
{
	json_t *to = json_object();

	result_ratio(to, "rate", trial->rate, 1);
	result_ratio(to, "loss", trial->loss, 1);
	result_number(to, "lost", trial->lost);
	result_number(to, "unsent", trial->unsent);
	result_number(to, "delivered", trial->delivered);
	json_object_set_new(to, "held", json_boolean(trial->held));
	json_array_append_new(h->trials, to);
}

/* A frame that nobody refused and that was late all the same was ours to send. */
static const char *limit_of(const struct trial *trial,
			    const struct traffic_result *result)
{
	if (trial->lost > trial->unsent)
		return "loss";
	return result->sender.refused ? "refused" : "bench";
}

static int try_once(struct hunt *h)
{
	struct traffic_result result;
	struct trial trial;
	int err;

	h->load.frames_per_s = h->search.rate;
	progress_label(h->t.progress, "%.0f frames/s", h->search.rate);
	err = traffic_run(&h->t, &result);
	if (err)
		return err;
	judge(h, &result, &trial);
	note_trial(h, &trial);
	if (trial.held) {
		json_decref(h->held);
		h->held = result_traffic(h->s, &h->load, &h->t, &result);
	}
	if (!trial.held && (!h->limited_by || trial.rate <= h->failed_rate)) {
		h->limited_by = limit_of(&trial, &result);
		h->failed_rate = trial.rate;
	}
	if (search_note(&h->search, trial.held) == SEARCH_HELD) {
		json_decref(h->best);
		h->best = json_incref(h->held);
	}
	return 0;
}

/* What it delivers when it is asked for all it can. */
static int full_speed(struct hunt *h, double *rate)
{
	struct traffic_result result;
	int err;

	progress_label(h->t.progress, "full speed");
	err = traffic_run(&h->t, &result);
	if (err)
		return err;
	*rate = (double)result.receiver.tracker.delivered /
		h->t.plan->receivers * NS_PER_S / (double)result.elapsed_ns;
	if (*rate >= 1)
		return 0;
	fputs("ringbench: nothing arrives, at any rate\n", stderr);
	return -EIO;
}

static json_t *report(struct hunt *h, double full_rate)
{
	const struct search *search = &h->search;
	json_t *to = h->best ? json_incref(h->best) : result_request(h->s);

	result_ratio(to, "full_speed_frames_per_s", full_rate, 1);
	result_ratio(to, "throughput_frames_per_s", search->low, 1);
	result_ratio(to, "throughput_bits_per_s",
		     search->low * 8 * h->s->sizes.mean_bytes, 1);
	result_ratio(to, "throughput_upper_frames_per_s", search->high,
		     search->high > 0);
	json_object_set_new(to, "limited_by", h->limited_by ?
			    json_string(h->limited_by) : json_null());
	json_object_set(to, "trials", h->trials);
	return to;
}

int throughput_search(const struct settings *s, const struct traffic *t,
		      json_t **result)
{
	struct hunt h = {
		.s = s, .t = *t, .load = *t->load, .trials = json_array(),
	};
	double full_rate;
	int err;

	h.t.load = &h.load;
	err = full_speed(&h, &full_rate);
	/* Nothing but the schedule keeps the sender back. */
	h.load.window = 0;
	search_init(&h.search, full_rate, TRIAL_FRAMES_MIN * (double)NS_PER_S /
		    (double)h.load.limit_ns, s->precision,
		    (unsigned int)s->number[OPTION_TRIALS]);
	while (!err && !h.search.is_done)
		err = try_once(&h);
	if (!err)
		*result = report(&h, full_rate);
	json_decref(h.held);
	json_decref(h.best);
	json_decref(h.trials);
	return err;
}
