/*
 * The statistics as one line of "name:value" words, which Cacti takes from its
 * scripts as it is, and from which MRTG's and others' are easily cut.
 */
#ifndef METRICS_WORDS_H
#define METRICS_WORDS_H

#include <stddef.h>

struct sw;

enum { METRICS_WORDS_BYTES = 4096 }; /* more than the longest line */

/*
 * Write the line of the port called @port, of "closed" or of "total"; or with
 * NULL that of the switch, which is the total and all that is no port's. Returns
 * the bytes of it, which @to has room for, or 0 if there is no such port.
 */
size_t metrics_words(struct sw *sw, const char *port,
		     char to[METRICS_WORDS_BYTES]);

#endif
