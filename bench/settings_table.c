/* The tables of modes and options, and the help that is made of them. */
#include <inttypes.h>
#include <stdio.h>

#include "ports.h"
#include "settings.h"

/* Limits on what may be asked for; each keeps a run bounded. */
enum {
	MAX_SECONDS = 3600,
	MAX_IDLE_PORTS = 9000,
	MAX_BUSY_PORTS = 4096,
	MAX_PAUSE_US = 1000000,
	MAX_WINDOW = 1 << 20,
	MAX_BURST = 1 << 20,
	MAX_TRIALS = 99,
};
#define MAX_COUNT 1000000000000ULL

const char *const mode_name[MODE_COUNT] = {
	[MODE_RATE] = "rate",
	[MODE_LATENCY] = "latency",
	[MODE_STALLED] = "stalled",
	[MODE_ROUNDTRIP] = "roundtrip",
	[MODE_SEARCH] = "search",
	[MODE_ATTACH] = "attach",
	[MODE_FLOOR] = "floor",
	[MODE_REPLAY] = "replay",
};

static const char *const mode_help[MODE_COUNT] = {
	[MODE_RATE] = "as many frames as go through, or as --rate says",
	[MODE_LATENCY] = "one-way time of lone frames",
	[MODE_STALLED] = "broadcasts to one reader among ports that never read",
	[MODE_ROUNDTRIP] = "a frame there and back, then the next",
	[MODE_SEARCH] = "the highest rate without loss",
	[MODE_ATTACH] = "memory and rest of a switch with many idle ports",
	[MODE_FLOOR] = "what sockets and taps cost here without a switch",
	[MODE_REPLAY] = "frames of a file, to --receiver or to nobody",
};

const char *const refused_name[REFUSED_POLICY_COUNT] = {
	[REFUSED_YIELD] = "yield",
	[REFUSED_BLOCK] = "block",
};

static const char *const client_help[PEER_KIND_COUNT] = {
	[PEER_UML] = "UML kernel, eth0=daemon",
	[PEER_VDE] = "libvdeplug; PATH is that of ctl in its directory",
	[PEER_BESS] = "UML kernel, vec0:transport=bess",
	[PEER_STREAM] = "QEMU, -netdev stream",
	[PEER_DGRAM] = "QEMU, -netdev dgram; PATH.N to PATH.N.peer, N from 0",
	[PEER_PACKET] = "any network device PATH; {} in it is the port, from 0",
	[PEER_TAP] = "a tap by its name, or number of a descriptor; {} as well",
};

static const char *const pattern_help[PLAN_PATTERN_COUNT] = {
	[PLAN_PAIRS] = "port 0 to 1, 2 to 3 ...",
	[PLAN_ONE_TO_MANY] = "0 to all others in turns",
	[PLAN_MANY_TO_ONE] = "all others to 0",
	[PLAN_ALL_TO_ALL] = "each to each other in turns",
	[PLAN_BROADCAST] = "0 to everybody",
	[PLAN_UNKNOWN] = "0 to addresses that nobody has",
};

const uint64_t mode_default[MODE_COUNT][NUMBER_COUNT] = {
	[MODE_RATE] = {
		[OPTION_PORTS] = 2, [OPTION_BURST] = 1, [OPTION_BATCH] = 32,
		[OPTION_MILLISECONDS] = 3000,
	},
	[MODE_LATENCY] = {
		[OPTION_PORTS] = 2, [OPTION_BURST] = 1, [OPTION_BATCH] = 32,
		[OPTION_MILLISECONDS] = 60000, [OPTION_COUNT] = 20000,
		[OPTION_PAUSE_US] = 200, [OPTION_JITTER_US] = 100,
	},
	[MODE_STALLED] = {
		[OPTION_PORTS] = 2, [OPTION_BURST] = 1, [OPTION_BATCH] = 32,
		[OPTION_MILLISECONDS] = 30000, [OPTION_COUNT] = 2000,
		[OPTION_PAUSE_US] = 100, [OPTION_BROADCAST_EVERY] = 1,
		[OPTION_IDLE_PORTS] = 12,
	},
	[MODE_ROUNDTRIP] = {
		[OPTION_PORTS] = 2, [OPTION_BURST] = 1, [OPTION_BATCH] = 32,
		[OPTION_MILLISECONDS] = 3000,
	},
	[MODE_SEARCH] = {
		[OPTION_PORTS] = 2, [OPTION_BURST] = 1, [OPTION_BATCH] = 32,
		[OPTION_MILLISECONDS] = 1000, [OPTION_TRIALS] = 3,
	},
	[MODE_ATTACH] = {
		[OPTION_PORTS] = 2, [OPTION_BURST] = 1, [OPTION_BATCH] = 32,
		[OPTION_IDLE_PORTS] = 1000,
	},
	[MODE_FLOOR] = {
		[OPTION_PORTS] = 2, [OPTION_BURST] = 1, [OPTION_BATCH] = 32,
		[OPTION_MILLISECONDS] = 1000,
	},
	[MODE_REPLAY] = {
		[OPTION_PORTS] = 2, [OPTION_BURST] = 1, [OPTION_BATCH] = 32,
		[OPTION_WINDOW] = 256, [OPTION_MILLISECONDS] = 1000,
	},
};

const struct option_entry option_table[OPTION_ID_COUNT] = {
	[OPTION_PORTS] = { "ports", "N", 2, MAX_BUSY_PORTS,
		"ports that take part in the traffic" },
	[OPTION_PATTERN] = { "pattern", "PATTERN", 0, 0,
		"who sends to whom, below; default pairs" },
	[OPTION_IDLE_PORTS] = { "idle-ports", "N", 0, MAX_IDLE_PORTS,
		"more ports that are learnt from and never read" },
	[OPTION_IDLE_READ] = { "idle-read", "RATE", 0, 0,
		"they read so many frames a second instead" },
	[OPTION_IDLE_EVERY] = { "idle-every", "N", 0, MAX_COUNT,
		"every Nth frame goes to one of them in turns; 0: none" },
	[OPTION_BROADCAST_EVERY] = { "broadcast-every", "N", 0, MAX_COUNT,
		"every Nth frame is a broadcast; 0: none" },
	[OPTION_ADDRESSES] = { "addresses", "N", 0, 1000000,
		"so many learnt at the receivers, sent to in turns; 0: one each" },
	[OPTION_SOURCES] = { "sources", "N", 0, ADDRESSES_MAX,
		"source addresses of each sender in turns; 0: its own" },
	[OPTION_SIZE] = { "size", "SIZES", 0, 0,
		"of a frame without FCS: 1500, or 60x7,590x4,1514, or imix" },
	[OPTION_RATE] = { "rate", "RATE", 0, 0,
		"of all senders: 100k (frames/s), 200Mbit/s; default: full speed" },
	[OPTION_BURST] = { "burst", "N", 1, MAX_BURST,
		"frames at once, at the same rate" },
	[OPTION_PAUSE_US] = { "pause-us", "US", 0, MAX_PAUSE_US,
		"without --rate: sleep before each burst; 0: do not" },
	[OPTION_JITTER_US] = { "jitter-us", "US", 0, MAX_PAUSE_US,
		"add a random time up to this to each pause" },
	[OPTION_SECONDS] = { "seconds", "S", 0, 0,
		"stop sending after this time at the latest; of search, a trial" },
	[OPTION_MILLISECONDS] = { "milliseconds", "MS", 0,
		MAX_SECONDS * 1000ULL, "the same in milliseconds" },
	[OPTION_COUNT] = { "count", "N", 0, MAX_COUNT,
		"stop after N frames; 0: when the time is over" },
	[OPTION_WINDOW] = { "window", "N", 0, MAX_WINDOW,
		"frames on their way to receivers at most; 0: any" },
	[OPTION_BATCH] = { "batch", "N", 1, PEER_BATCH_MAX,
		"frames a system call at most" },
	[OPTION_REFUSED] = { "refused", "yield|block", 0, 0,
		"when refused, yield and try again (default), or sleep" },
	[OPTION_CLIENT] = { "client", "CLIENT", 0, 0,
		"what PATH is for, without CLIENT: in front; default uml" },
	[OPTION_RECEIVER] = { "receiver", "CLIENT:PATH", 0, 0,
		"receivers attach like this instead" },
	[OPTION_TOLERANCE] = { "tolerance", "SHARE", 0, 0,
		"search: loss that a rate may have; default 0.1%" },
	[OPTION_PRECISION] = { "precision", "SHARE", 0, 0,
		"search: of its answer; default 2%" },
	[OPTION_TRIALS] = { "trials", "N", 1, MAX_TRIALS,
		"search: of each rate; most of them decide" },
	[OPTION_PID] = { "pid", "PID", 1, INT32_MAX,
		"the switch, with its children: report CPU time and memory" },
	[OPTION_FLOOR] = { "floor", "FILE", 0, 0,
		"what ringbench floor has printed: say multiples of it" },
	[OPTION_EXPECT] = { "expect", "TEXT", 0, 0,
		"as loss<0.1%; exit status 1 if not so; may be repeated" },
	[OPTION_JSON] = { "json", NULL, 0, 0,
		"print JSON; default where standard output is no terminal" },
	[OPTION_TABLE] = { "table", NULL, 0, 0,
		"print a table; default where it is one" },
	[OPTION_QUIET] = { "quiet", NULL, 0, 0,
		"do not say on a terminal how far it is" },
	[OPTION_FRAMES] = { "frames", "FILE", 0, 0,
		"replay: what is sent; each ends with its number, 4 bytes" },
	[OPTION_HELP] = { "help", NULL, 0, 0, "print this and exit" },
};

/* In the order in which they are of interest. */
static const enum option_id help_order[OPTION_ID_COUNT] = {
	OPTION_PORTS, OPTION_PATTERN, OPTION_RECEIVER, OPTION_CLIENT,
	OPTION_IDLE_PORTS, OPTION_IDLE_READ, OPTION_IDLE_EVERY,
	OPTION_BROADCAST_EVERY, OPTION_ADDRESSES, OPTION_SOURCES, OPTION_SIZE,
	OPTION_RATE, OPTION_BURST, OPTION_PAUSE_US, OPTION_JITTER_US,
	OPTION_SECONDS, OPTION_MILLISECONDS, OPTION_COUNT, OPTION_WINDOW,
	OPTION_BATCH, OPTION_REFUSED, OPTION_TOLERANCE, OPTION_PRECISION,
	OPTION_TRIALS, OPTION_PID, OPTION_FLOOR, OPTION_EXPECT, OPTION_JSON,
	OPTION_TABLE, OPTION_QUIET, OPTION_FRAMES, OPTION_HELP,
};

static void print_defaults(void)
{
	puts("\ndefaults by mode (0 is not shown):");
	for (int i = 0; i < NUMBER_COUNT; i++) {
		if (i == OPTION_PID || i == OPTION_BURST)
			continue;
		printf("  --%-15s", option_table[i].name);
		for (int mode = 0; mode < MODE_COUNT; mode++)
			if (mode_default[mode][i])
				printf(" %s %" PRIu64, mode_name[mode],
				       mode_default[mode][i]);
		putchar('\n');
	}
}

void settings_help(void)
{
	puts("usage: ringbench MODE [CLIENT:]PATH [OPTION]...\n"
	     "       ringbench floor [CLIENT]... [OPTION]...\n"
	     "\n"
	     "Attach to the switch at PATH as guests do, and measure it.\n");
	for (int i = 0; i < MODE_COUNT; i++)
		printf("  %-17s %s\n", mode_name[i], mode_help[i]);
	putchar('\n');
	for (int i = 0; i < OPTION_ID_COUNT; i++) {
		const struct option_entry *option = &option_table[help_order[i]];

		printf("  --%-15s %-11s %s\n", option->name,
		       option->argument ? option->argument : "", option->help);
	}
	puts("\nclients:");
	for (int i = 0; i < PEER_KIND_COUNT; i++)
		printf("  %-17s %s\n", peer_kind_name[i], client_help[i]);
	print_defaults();
	puts("\npatterns:");
	for (int i = 0; i < PLAN_PATTERN_COUNT; i++)
		printf("  %-17s %s\n", plan_pattern_name[i], pattern_help[i]);
	puts("\nexit status: 0 measured and as expected, 1 not, 2 usage");
}
