/* Searching for the rate at which loss begins (search.h), with real traffic. */
#ifndef BENCH_THROUGHPUT_H
#define BENCH_THROUGHPUT_H

#include <jansson.h>

#include "load.h"
#include "settings.h"
#include "traffic.h"

/*
 * Search with @t, whose load is one as fast as it goes. A rate holds if, of the
 * frames that are due in a trial, no more than the tolerated share does not
 * arrive: what the switch does not take in time, it would have lost. Returns 0
 * with *@result, the caller's, or -errno after saying what went wrong.
 */
int throughput_search(const struct settings *s, const struct traffic *t,
		      json_t **result);

#endif
