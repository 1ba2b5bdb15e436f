/*
 * The search for the highest rate that holds: no more loss than is tolerated, as
 * RFC 2544 has it, made robust against noise as its successors are (MLRsearch):
 *
 * - It begins with what full speed delivers, not with the speed of a line; in
 *   steps that double until one rate holds and one does not, and then by halves,
 *   until the two are as near to each other as is asked for.
 * - A disturbance makes a good rate fail, hardly ever a bad one hold. So each
 *   rate gets several trials, and most of them decide.
 */
#ifndef BENCH_SEARCH_H
#define BENCH_SEARCH_H

#include <stdbool.h>

struct search {
	double low, high;	/* that held, that did not; 0: none so far */
	double rate;		/* to be tried */
	double least;		/* below it, it gives up */
	double precision;	/* (high - low) / high at the end */
	double step;		/* of the next rate outside, relative */
	unsigned int trials, held, failed;	/* of this rate */
	unsigned int rates;	/* tried so far */
	bool is_done;
};

/* @trials is odd. */
void search_init(struct search *s, double first_rate, double least,
		 double precision, unsigned int trials);

enum search_verdict { SEARCH_OPEN, SEARCH_HELD, SEARCH_FAILED };

/*
 * Whether a trial at s->rate @held. Returns what that decides about this rate;
 * the next trial is at s->rate, unless is_done.
 */
enum search_verdict search_note(struct search *s, bool held);

#endif
