/*
 * The counters as text: what filters have counted, one line a port of key=value
 * words, then the sums and the MAC table. A drop reason, or a rule, is there once
 * it has counted something.
 */
#ifndef STATS_H
#define STATS_H

struct sw;

/* Print them to where reports go (log.h). */
void stats_report(struct sw *sw);

#endif
