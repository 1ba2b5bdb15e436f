/* Which rate to try next. See search.h. */
#include "search.h"

enum { RATES_MAX = 40 };

/* No step goes below half of the rate. */
static const double step_max = 0.5;

void search_init(struct search *s, double first_rate, double least,
		 double precision, unsigned int trials)
{
	*s = (struct search){
		.rate = first_rate,
		.least = least,
		.precision = precision,
		.step = 2 * precision < step_max ? 2 * precision : step_max,
		.trials = trials,
	};
}

static void choose_next(struct search *s)
{
	if (++s->rates >= RATES_MAX)
		s->is_done = true;
	else if (s->low > 0 && s->high > 0) {
		s->rate = (s->low + s->high) / 2;
		s->is_done = s->high - s->low <= s->precision * s->high;
	} else {
		s->rate = s->low > 0 ? s->low * (1 + s->step) :
			  s->high * (1 - s->step);
		s->step = 2 * s->step < step_max ? 2 * s->step : step_max;
		s->is_done = s->rate < s->least;
	}
}

enum search_verdict search_note(struct search *s, bool held)
{
	const unsigned int most = s->trials / 2 + 1;
	enum search_verdict verdict = SEARCH_FAILED;

	if (held)
		s->held++;
	else
		s->failed++;
	if (s->held < most && s->failed < most)
		return SEARCH_OPEN;
	if (s->held >= most) {
		verdict = SEARCH_HELD;
		s->low = s->rate;
	} else {
		s->high = s->rate;
	}
	s->held = 0;
	s->failed = 0;
	choose_next(s);
	return verdict;
}
