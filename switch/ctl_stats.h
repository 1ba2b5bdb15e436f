/* What `stats show --watch` and `top -j` have in common: ctl_watch.c. */
#ifndef CTL_STATS_H
#define CTL_STATS_H

#include <stdbool.h>
#include <stdint.h>

struct ctl;

struct watch {
	bool on;
	double seconds; /* between two looks */
	int64_t count;	/* of tables; 0: without end */
};

/* Print the rates of all ports or one (@port, or NULL), again and again: as a
 * table each time, or with -j a line. Returns the exit code. */
int watch_rates(struct ctl *ctl, const char *port, const struct watch *watch);

#endif
