/*
 * The command line of ringbench. A mode is a set of defaults for one and the
 * same measurement, with few exceptions; each of them can be changed by an
 * option.
 */
#ifndef BENCH_SETTINGS_H
#define BENCH_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "expect.h"
#include "load.h"
#include "peer.h"
#include "plan.h"
#include "units.h"

enum mode {
	MODE_RATE,
	MODE_LATENCY,
	MODE_STALLED,
	MODE_ROUNDTRIP,
	MODE_SEARCH,
	MODE_ATTACH,
	MODE_FLOOR,
	MODE_REPLAY,
	MODE_COUNT
};

/* Those before OPTION_SECONDS take a whole number. */
enum option_id {
	OPTION_PORTS,
	OPTION_IDLE_PORTS,
	OPTION_IDLE_EVERY,
	OPTION_BROADCAST_EVERY,
	OPTION_ADDRESSES,
	OPTION_SOURCES,
	OPTION_COUNT,
	OPTION_BURST,
	OPTION_PAUSE_US,
	OPTION_JITTER_US,
	OPTION_WINDOW,
	OPTION_BATCH,
	OPTION_MILLISECONDS,
	OPTION_TRIALS,
	OPTION_PID,
	OPTION_SECONDS,
	OPTION_SIZE,
	OPTION_PATTERN,
	OPTION_RATE,
	OPTION_IDLE_READ,
	OPTION_REFUSED,
	OPTION_CLIENT,
	OPTION_RECEIVER,
	OPTION_TOLERANCE,
	OPTION_PRECISION,
	OPTION_FRAMES,
	OPTION_FLOOR,
	OPTION_EXPECT,
	OPTION_JSON,
	OPTION_TABLE,
	OPTION_QUIET,
	OPTION_HELP,
	OPTION_ID_COUNT
};
enum { NUMBER_COUNT = OPTION_SECONDS, EXPECTS_MAX = 32 };

struct settings {
	enum mode mode;
	struct peer_end near, far;	/* path NULL: not said */
	enum plan_pattern pattern;
	enum refused_policy refused_policy;
	const char *sizes_text;
	struct sizes sizes;
	struct rate rate;		/* value 0: none */
	double idle_read_per_s;
	double tolerance, precision;
	const char *frames_path, *floor_path;
	bool wants_json, is_quiet;
	bool wants_kind[PEER_KIND_COUNT];	/* MODE_FLOOR */
	bool has_window;
	unsigned int expect_count;
	struct expect expect[EXPECTS_MAX];
	uint64_t number[NUMBER_COUNT];
};

struct option_entry {
	const char *name;
	const char *argument;
	uint64_t min, max;		/* of a whole number */
	const char *help;
};

/* settings_table.c */
extern const struct option_entry option_table[OPTION_ID_COUNT];
extern const char *const mode_name[MODE_COUNT];
extern const uint64_t mode_default[MODE_COUNT][NUMBER_COUNT];
extern const char *const refused_name[REFUSED_POLICY_COUNT];
void settings_help(void);

/*
 * Read the command line. Returns 0, or -EINVAL after saying in one line what
 * is wrong with it. --help prints and ends the program.
 */
int settings_parse(struct settings *s, int argc, char **argv);

/* The load that is asked for. */
void settings_load(const struct settings *s, struct load *load);

#endif
