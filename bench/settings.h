/*
 * The command line of ringbench. A mode is a set of defaults for one and the
 * same measurement; each of them can be changed by an option.
 */
#ifndef BENCH_SETTINGS_H
#define BENCH_SETTINGS_H

#include <stdint.h>

#include "peer.h"
#include "sender.h"
#include "traffic.h"

enum mode {
	MODE_RATE,
	MODE_LATENCY,
	MODE_STALLED,
	MODE_ATTACH,
	MODE_REPLAY,
	MODE_COUNT
};

/* Those before OPTION_CLIENT take a number. */
enum option_id {
	OPTION_SIZE,
	OPTION_SECONDS,
	OPTION_COUNT,
	OPTION_PAUSE_US,
	OPTION_JITTER_US,
	OPTION_BROADCAST_EVERY,
	OPTION_IDLE_PORTS,
	OPTION_WINDOW,
	OPTION_MILLISECONDS,
	OPTION_PID,
	OPTION_CLIENT,
	OPTION_RECEIVER,
	OPTION_REFUSED,
	OPTION_FRAMES,
	OPTION_HELP,
	OPTION_ID_COUNT
};
enum { NUMBER_COUNT = OPTION_CLIENT };

struct settings {
	enum mode mode;
	struct traffic_end sender, receiver;
	enum refused_policy refused_policy;
	const char *frames_path;
	uint64_t number[NUMBER_COUNT];
};

extern const char *const mode_name[MODE_COUNT];
extern const char *const client_name[PEER_KIND_COUNT];
extern const char *const refused_name[REFUSED_POLICY_COUNT];

/*
 * Read the command line. Returns 0, or -EINVAL after saying in one line what
 * is wrong with it. --help prints and ends the program.
 */
int settings_parse(struct settings *s, int argc, char **argv);

#endif
