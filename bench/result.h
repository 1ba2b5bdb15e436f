/* From what was measured to JSON; keys.h says what the keys are. */
#ifndef BENCH_RESULT_H
#define BENCH_RESULT_H

#include <jansson.h>

#include "load.h"
#include "roundtrip.h"
#include "settings.h"
#include "traffic.h"

/* All give a new object, the caller's. */
json_t *result_traffic(const struct settings *s, const struct load *load,
		       const struct traffic *t,
		       const struct traffic_result *result);
json_t *result_roundtrip(const struct settings *s, const struct traffic *t,
			 const struct roundtrip_result *result);
json_t *result_attach(const struct settings *s, uint64_t elapsed_ns,
		      const struct proc_usage *usage);

/* Only what was asked for. */
json_t *result_request(const struct settings *s);

/* Parts of them ---------------------------------------------------------------- */

void result_number(json_t *to, const char *key, uint64_t value);
/* null if there is no whole. */
void result_ratio(json_t *to, const char *key, double part, double whole);
/* How fast it was, and what of the processors we have used. */
void result_rates(json_t *to, const struct traffic_result *result);
/* @name_min_ns and so on. */
void result_times(json_t *to, const char *name, const struct histogram *h);

#endif
