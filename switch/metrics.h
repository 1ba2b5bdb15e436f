/*
 * The statistics as Prometheus reads them: OpenMetrics 1.0, or its forerunner,
 * text format 0.0.4.
 *
 * All samples of one name have to stand together there, the ports' one after
 * another. A switch of 4096 ports makes more than ten megabytes of that, which
 * are written in pieces while frames go on. So a scrape begins with copies of
 * what each port has counted, made a few ports at a time while it writes what
 * the first name is about, and everything else is written from the copies: what
 * it says of a port was true at one moment, also if the port has gone since.
 * What it says of the switch as a whole was true when it began.
 */
#ifndef METRICS_H
#define METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct metrics_scrape;
struct sw;

enum {
	/* Ports that are copied for one piece. */
	METRICS_COPIED_AT_ONCE = 32,
	/* Room that a piece needs at least. */
	METRICS_PIECE_MIN = 4096,
};

/* A scrape of @sw, which must outlive it. NULL if there is no memory. */
struct metrics_scrape *metrics_scrape_new(struct sw *sw, bool openmetrics);
void metrics_scrape_free(struct metrics_scrape *s);

/*
 * Write the next piece, whole lines, to @to, of @room bytes. Returns how many
 * they are, 0 after the last piece, or -ENOMEM: then there are no more.
 */
ssize_t metrics_scrape_more(struct metrics_scrape *s, char *to, size_t room);

#endif
