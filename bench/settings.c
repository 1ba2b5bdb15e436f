/* The table of options, and reading them. See settings.h. */
#include "settings.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pattern.h"

/* Limits on what may be asked for; each keeps a run bounded. */
enum {
	MAX_SECONDS = 600,
	MAX_PORTS = 9000,
	MAX_PAUSE_US = 1000000,
	MAX_LATENCY_SAMPLES = 1000000,
	MAX_WINDOW = 4096,
};

const char *const mode_name[MODE_COUNT] = {
	[MODE_RATE] = "rate",
	[MODE_LATENCY] = "latency",
	[MODE_STALLED] = "stalled",
	[MODE_ATTACH] = "attach",
	[MODE_REPLAY] = "replay",
};

const char *const client_name[PEER_KIND_COUNT] = {
	[PEER_UML] = "uml",
	[PEER_VDE] = "vde",
	[PEER_BESS] = "bess",
	[PEER_STREAM] = "stream",
	[PEER_DGRAM] = "dgram",
	[PEER_PACKET] = "packet",
	[PEER_TAP] = "tap",
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
	[PEER_PACKET] = "the host; PATH is a network device",
	[PEER_TAP] = "a switch; PATH is the number of a tap's descriptor",
};

static const uint64_t mode_default[MODE_COUNT][NUMBER_COUNT] = {
	[MODE_RATE] = {
		[OPTION_SIZE] = 1500, [OPTION_SECONDS] = 3,
	},
	[MODE_LATENCY] = {
		[OPTION_SIZE] = 1500, [OPTION_SECONDS] = 60,
		[OPTION_COUNT] = 20000,
		[OPTION_PAUSE_US] = 200, [OPTION_JITTER_US] = 100,
	},
	[MODE_STALLED] = {
		[OPTION_SIZE] = 1500, [OPTION_SECONDS] = 30,
		[OPTION_COUNT] = 2000, [OPTION_PAUSE_US] = 100,
		[OPTION_BROADCAST_EVERY] = 1, [OPTION_IDLE_PORTS] = 12,
	},
	[MODE_ATTACH] = {
		[OPTION_SIZE] = 1500, [OPTION_IDLE_PORTS] = 1000,
	},
	[MODE_REPLAY] = {
		[OPTION_SIZE] = 1500, [OPTION_WINDOW] = 256,
		[OPTION_MILLISECONDS] = 1000,
	},
};

static const struct {
	const char *name;
	const char *argument;
	uint64_t min, max;
	const char *help;
} option_table[OPTION_ID_COUNT] = {
	[OPTION_SIZE] = { "size", "BYTES", FRAME_MIN_BYTES, FRAME_MAX_BYTES,
		"frame on the wire, 14 bytes of header included" },
	[OPTION_SECONDS] = { "seconds", "S", 1, MAX_SECONDS,
		"stop sending after this time at the latest" },
	[OPTION_COUNT] = { "count", "N", 0, PATTERN_MAX_FRAMES,
		"stop after N frames; 0: when the time is over" },
	[OPTION_PAUSE_US] = { "pause-us", "US", 0, MAX_PAUSE_US,
		"sleep before each frame; 0: as fast as it goes" },
	[OPTION_JITTER_US] = { "jitter-us", "US", 0, MAX_PAUSE_US,
		"add a random time up to this to each pause" },
	[OPTION_BROADCAST_EVERY] = { "broadcast-every", "N", 0,
		PATTERN_MAX_FRAMES, "every Nth frame is a broadcast; 0: none" },
	[OPTION_IDLE_PORTS] = { "idle-ports", "N", 0, MAX_PORTS,
		"more ports that are learnt from and never read" },
	[OPTION_WINDOW] = { "window", "N", 1, MAX_WINDOW,
		"replay: frames that may be on their way to the receiver" },
	[OPTION_MILLISECONDS] = { "milliseconds", "MS", 1, MAX_SECONDS * 1000,
		"replay: stop sending after this time" },
	[OPTION_PID] = { "pid", "PID", 1, INT32_MAX,
		"process of the switch: report its CPU time and memory" },
	[OPTION_CLIENT] = { "client", "CLIENT", 0, 0,
		"attach as one of these below; default uml" },
	[OPTION_RECEIVER] = { "receiver", "CLIENT:PATH", 0, 0,
		"the receiver attaches like this instead" },
	[OPTION_REFUSED] = { "refused", "yield|block", 0, 0,
		"when refused, yield and try again (default), or sleep" },
	[OPTION_FRAMES] = { "frames", "FILE", 0, 0,
		"replay: what is sent; each ends with its number, 4 bytes" },
	[OPTION_HELP] = { "help", NULL, 0, 0, "print this and exit" },
};

static void print_help(void)
{
	puts("usage: ringbench MODE PATH [OPTION]...\n"
	     "\n"
	     "Attach to the switch at PATH as guests do, measure it, print JSON.\n"
	     "\n"
	     "  rate     frames a second from one busy sender to one receiver\n"
	     "  latency  one-way time of lone frames\n"
	     "  stalled  broadcasts to one reader among ports that never read\n"
	     "  attach   memory of the switch with many idle ports\n"
	     "  replay   frames of a file, to --receiver or to nobody\n");
	for (int i = 0; i < OPTION_ID_COUNT; i++)
		printf("  --%-15s %-11s %s\n", option_table[i].name,
		       option_table[i].argument ? option_table[i].argument : "",
		       option_table[i].help);
	puts("\nclients:");
	for (int i = 0; i < PEER_KIND_COUNT; i++)
		printf("  %-17s %s\n", client_name[i], client_help[i]);
	puts("\ndefaults by mode:");
	for (int i = 0; i < NUMBER_COUNT; i++) {
		if (i == OPTION_PID)
			continue;
		printf("  --%-15s", option_table[i].name);
		for (int mode = 0; mode < MODE_COUNT; mode++)
			printf(" %s %" PRIu64, mode_name[mode],
			       mode_default[mode][i]);
		putchar('\n');
	}
	puts("\nexit status: 0 measured, 1 could not measure, 2 usage");
}

static int parse_number(enum option_id id, const char *text, uint64_t *value)
{
	char *end;
	uint64_t parsed;

	errno = 0;
	parsed = strtoull(text, &end, 10);
	if (errno || end == text || *end || *text == '-' ||
	    parsed < option_table[id].min || parsed > option_table[id].max) {
		fprintf(stderr, "ringbench: --%s %s: not a number from %" PRIu64
			" to %" PRIu64 "\n", option_table[id].name, text,
			option_table[id].min, option_table[id].max);
		return -EINVAL;
	}
	*value = parsed;
	return 0;
}

/*
 * Returns the index in @words of the first @len bytes of @text, or -EINVAL
 * after saying which words there are.
 */
static int parse_word(enum option_id id, const char *text, size_t len,
		      const char *const words[], int count)
{
	for (int i = 0; i < count; i++)
		if (strlen(words[i]) == len && !memcmp(text, words[i], len))
			return i;
	fprintf(stderr, "ringbench: --%s %s: not", option_table[id].name, text);
	for (int i = 0; i < count; i++)
		fprintf(stderr, "%s %s", i ? " or" : "", words[i]);
	fputc('\n', stderr);
	return -EINVAL;
}

static int parse_client(enum option_id id, const char *text, size_t len,
			struct traffic_end *end)
{
	const int word = parse_word(id, text, len, client_name, PEER_KIND_COUNT);

	if (word < 0)
		return word;
	end->kind = (enum peer_kind)word;
	return 0;
}

static int parse_receiver(const char *text, struct traffic_end *end)
{
	const size_t len = strcspn(text, ":");

	if (!text[len]) {
		fprintf(stderr, "ringbench: --receiver %s: needs CLIENT:PATH\n",
			text);
		return -EINVAL;
	}
	end->path = text + len + 1;
	return parse_client(OPTION_RECEIVER, text, len, end);
}

static int parse_refused(const char *text, enum refused_policy *policy)
{
	const int word = parse_word(OPTION_REFUSED, text, strlen(text),
				    refused_name, REFUSED_POLICY_COUNT);

	if (word < 0)
		return word;
	*policy = (enum refused_policy)word;
	return 0;
}

static int parse_option(enum option_id id, const char *text, struct settings *s)
{
	switch (id) {
	case OPTION_CLIENT:
		return parse_client(id, text, strlen(text), &s->sender);
	case OPTION_RECEIVER:
		return parse_receiver(text, &s->receiver);
	case OPTION_REFUSED:
		return parse_refused(text, &s->refused_policy);
	case OPTION_FRAMES:
		s->frames_path = text;
		return 0;
	default:
		return parse_number(id, text, &s->number[id]);
	}
}

static int parse_mode(const char *text, struct settings *s)
{
	for (int mode = 0; mode < MODE_COUNT; mode++) {
		if (strcmp(text, mode_name[mode]) != 0)
			continue;
		s->mode = (enum mode)mode;
		memcpy(s->number, mode_default[mode], sizeof(s->number));
		return 0;
	}
	fprintf(stderr, "ringbench: %s: unknown mode (see --help)\n", text);
	return -EINVAL;
}

static int parse_options(int argc, char **argv, struct settings *s)
{
	struct option long_options[OPTION_ID_COUNT + 1] = { 0 };
	int id, err = 0;

	for (int i = 0; i < OPTION_ID_COUNT; i++)
		long_options[i] = (struct option){
			.name = option_table[i].name,
			.has_arg = option_table[i].argument != NULL,
			.val = i,
		};
	while (!err && (id = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (id == OPTION_HELP) {
			print_help();
			exit(EXIT_SUCCESS);
		}
		if (id == '?')
			err = -EINVAL;	/* getopt_long has said why */
		else
			err = parse_option((enum option_id)id, optarg, s);
	}
	if (!err && optind < argc) {
		fprintf(stderr, "ringbench: %s: one argument too many\n",
			argv[optind]);
		err = -EINVAL;
	}
	return err;
}

/* What no single option can know about itself. */
static int check(const struct settings *s)
{
	if (s->mode == MODE_LATENCY &&
	    (s->number[OPTION_COUNT] == 0 ||
	     s->number[OPTION_COUNT] > MAX_LATENCY_SAMPLES)) {
		fprintf(stderr, "ringbench: --count %" PRIu64
			": latency keeps every sample, so 1 to %d\n",
			s->number[OPTION_COUNT], MAX_LATENCY_SAMPLES);
		return -EINVAL;
	}
	if (s->mode == MODE_ATTACH && !s->number[OPTION_PID]) {
		fputs("ringbench: attach looks at the switch's memory: "
		      "--pid is needed\n", stderr);
		return -EINVAL;
	}
	if (s->mode == MODE_REPLAY && !s->frames_path) {
		fputs("ringbench: replay: --frames is needed\n", stderr);
		return -EINVAL;
	}
	if (s->mode != MODE_REPLAY && (s->sender.kind >= PEER_PACKET ||
				       s->receiver.kind >= PEER_PACKET)) {
		fputs("ringbench: packet and tap are for replay only\n", stderr);
		return -EINVAL;
	}
	return 0;
}

int settings_parse(struct settings *s, int argc, char **argv)
{
	*s = (struct settings){ .mode = MODE_RATE };
	if (argc > 1 && strcmp(argv[1], "--help") == 0) {
		print_help();
		exit(EXIT_SUCCESS);
	}
	if (argc < 3) {
		fputs("ringbench: needs MODE and PATH (see --help)\n",
		      stderr);
		return -EINVAL;
	}
	if (parse_mode(argv[1], s))
		return -EINVAL;
	s->sender.path = argv[2];
	/* getopt_long() starts its messages with its first argument. */
	argv[2] = argv[0];
	if (parse_options(argc - 2, argv + 2, s))
		return -EINVAL;
	if (!s->receiver.path && s->mode != MODE_REPLAY)
		s->receiver = s->sender;
	return check(s);
}
