/* One line on standard error that says how far a measurement is, where that is a
 * terminal. */
#ifndef BENCH_PROGRESS_H
#define BENCH_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct shared;

struct progress {
	bool is_on;
	char label[64];			/* what is being measured */
	uint64_t shown_ns;		/* when it was last written */
	uint64_t received;		/* by then */
};

/* On if it is @wanted and standard error is a terminal. */
void progress_init(struct progress *p, bool wanted);
/* What is measured from now on. */
void progress_label(struct progress *p, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Write the line again, if it is time to. */
void progress_show(struct progress *p, uint64_t now, const struct shared *s);
/* Remove the line, so that something else can be written. */
void progress_clear(struct progress *p);

#endif
