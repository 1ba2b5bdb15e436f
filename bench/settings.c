/* Reading the command line. See settings.h. */
#include "settings.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "now.h"

enum { DEVICE_WINDOW = 256 };

static int complain(enum option_id id, const char *text, const char *why)
{
	fprintf(stderr, "ringbench: --%s %s: %s\n", option_table[id].name, text,
		why);
	return -EINVAL;
}

static int parse_number(enum option_id id, const char *text, uint64_t *value)
{
	const struct option_entry *option = &option_table[id];
	char why[80], *end;
	uint64_t parsed;

	errno = 0;
	parsed = strtoull(text, &end, 10);
	if (!errno && end != text && !*end && *text >= '0' && *text <= '9' &&
	    parsed >= option->min && parsed <= option->max) {
		*value = parsed;
		return 0;
	}
	snprintf(why, sizeof(why), "not a number from %" PRIu64 " to %" PRIu64,
		 option->min, option->max);
	return complain(id, text, why);
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
			struct peer_end *end)
{
	const int word = parse_word(id, text, len, peer_kind_name,
				    PEER_KIND_COUNT);

	if (word < 0)
		return word;
	end->kind = (enum peer_kind)word;
	return 0;
}

static int parse_receiver(const char *text, struct peer_end *end)
{
	const size_t len = strcspn(text, ":");

	if (!text[len] || !text[len + 1])
		return complain(OPTION_RECEIVER, text, "not CLIENT:PATH");
	end->path = text + len + 1;
	return parse_client(OPTION_RECEIVER, text, len, end);
}

/* "CLIENT:PATH", or only PATH, which may have a colon in it too. */
static void parse_target(const char *text, struct peer_end *end)
{
	const size_t len = strcspn(text, ":");

	end->path = text;
	for (int i = 0; i < PEER_KIND_COUNT; i++) {
		if (text[len] && strlen(peer_kind_name[i]) == len &&
		    !memcmp(text, peer_kind_name[i], len)) {
			end->kind = (enum peer_kind)i;
			end->path = text + len + 1;
		}
	}
}

static int parse_seconds(const char *text, uint64_t *milliseconds)
{
	double seconds;
	const char *unit = units_number(text, &seconds);

	if (!unit || *unit || seconds > 3600)
		return complain(OPTION_SECONDS, text,
				"not a number of seconds from 0 to 3600");
	*milliseconds = (uint64_t)(seconds * 1000 + 0.5);
	return 0;
}

static int parse_rate(enum option_id id, const char *text, struct rate *rate)
{
	if (units_rate(text, rate))
		return complain(id, text, "not a rate, as 100k, 1.5Mframes/s or "
				"200Mbit/s");
	if (id == OPTION_IDLE_READ && rate->is_bits)
		return complain(id, text, "frames a second are needed");
	return 0;
}

static int parse_share(enum option_id id, const char *text, double *share)
{
	return units_share(text, share) ?
	       complain(id, text, "not a share, as 0.1% or 0.001") : 0;
}

static int parse_expect(const char *text, struct settings *s)
{
	const char *why;

	if (s->expect_count == EXPECTS_MAX)
		return complain(OPTION_EXPECT, text, "too many");
	if (expect_parse(&s->expect[s->expect_count], text, &why))
		return complain(OPTION_EXPECT, text, why);
	s->expect_count++;
	return 0;
}

static int parse_sizes(const char *text, struct settings *s)
{
	s->sizes_text = text;
	return sizes_parse(&s->sizes, text) ?
	       complain(OPTION_SIZE, text, "not sizes from 60 to 65535, as 1500, "
			"60x7,590x4,1514 or imix") : 0;
}

static int parse_word_option(enum option_id id, const char *text,
			     struct settings *s)
{
	const bool is_pattern = id == OPTION_PATTERN;
	const int word = parse_word(id, text, strlen(text), is_pattern ?
				    plan_pattern_name : refused_name, is_pattern ?
				    (int)PLAN_PATTERN_COUNT :
				    (int)REFUSED_POLICY_COUNT);

	if (word < 0)
		return word;
	if (is_pattern)
		s->pattern = (enum plan_pattern)word;
	else
		s->refused_policy = (enum refused_policy)word;
	return 0;
}

static int parse_option(enum option_id id, const char *text, struct settings *s)
{
	struct rate rate;
	int err;

	switch (id) {
	case OPTION_SECONDS:
		return parse_seconds(text, &s->number[OPTION_MILLISECONDS]);
	case OPTION_SIZE:
		return parse_sizes(text, s);
	case OPTION_PATTERN:
	case OPTION_REFUSED:
		return parse_word_option(id, text, s);
	case OPTION_RATE:
		return parse_rate(id, text, &s->rate);
	case OPTION_IDLE_READ:
		err = parse_rate(id, text, &rate);
		s->idle_read_per_s = err ? 0 : rate.value;
		return err;
	case OPTION_CLIENT:
		return parse_client(id, text, strlen(text), &s->near);
	case OPTION_RECEIVER:
		return parse_receiver(text, &s->far);
	case OPTION_TOLERANCE:
		return parse_share(id, text, &s->tolerance);
	case OPTION_PRECISION:
		return parse_share(id, text, &s->precision);
	case OPTION_FRAMES:
		s->frames_path = text;
		return 0;
	case OPTION_FLOOR:
		s->floor_path = text;
		return 0;
	case OPTION_EXPECT:
		return parse_expect(text, s);
	case OPTION_JSON:
	case OPTION_TABLE:
		s->wants_json = id == OPTION_JSON;
		return 0;
	case OPTION_QUIET:
		s->is_quiet = true;
		return 0;
	case OPTION_WINDOW:
		s->has_window = true;
		return parse_number(id, text, &s->number[id]);
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

/* Ends the program where help is wanted. */
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
			settings_help();
			exit(EXIT_SUCCESS);
		}
		if (id == '?')
			err = -EINVAL;	/* getopt_long has said why */
		else
			err = parse_option((enum option_id)id, optarg, s);
	}
	return err;
}

/* What is left: a PATH, or for floor the kinds that are wanted. */
static int parse_words(int count, char **words, struct settings *s)
{
	struct peer_end end;

	if (s->mode == MODE_FLOOR) {
		for (int i = 0; i < count; i++) {
			if (parse_client(OPTION_CLIENT, words[i],
					 strlen(words[i]), &end))
				return -EINVAL;
			s->wants_kind[end.kind] = true;
		}
		return 0;
	}
	if (count == 1) {
		parse_target(words[0], &s->near);
		return 0;
	}
	if (count)
		fprintf(stderr, "ringbench: %s: one argument too many\n",
			words[1]);
	else
		fputs("ringbench: needs MODE and PATH (see --help)\n", stderr);
	return -EINVAL;
}

static bool is_device(const struct peer_end *end)
{
	return end->kind == PEER_PACKET || end->kind == PEER_TAP;
}

/* What no single option can know about itself. */
static const char *check(const struct settings *s)
{
	const uint64_t *number = s->number;

	if (s->mode == MODE_ATTACH && !number[OPTION_PID])
		return "attach looks at the switch's memory: --pid is needed";
	if (s->mode == MODE_REPLAY && !s->frames_path)
		return "replay: --frames is needed";
	if (number[OPTION_IDLE_EVERY] && !number[OPTION_IDLE_PORTS])
		return "--idle-every: there are no --idle-ports";
	if (s->mode == MODE_ROUNDTRIP && s->pattern != PLAN_PAIRS)
		return "roundtrip: the pattern is pairs";
	if (s->pattern == PLAN_PAIRS && number[OPTION_PORTS] % 2)
		return "--ports: pairs need an even number";
	if (s->mode == MODE_SEARCH && s->rate.value > 0)
		return "search finds the rate: --rate is not for it";
	if (s->mode == MODE_SEARCH && number[OPTION_TRIALS] % 2 == 0)
		return "--trials: most decide, so an odd number";
	if (s->precision <= 0)
		return "--precision: more than 0";
	if (s->sizes.cycle > 1 && s->mode == MODE_REPLAY)
		return "replay: one --size, that of the frames in the file";
	return NULL;
}

static void set_defaults(struct settings *s)
{
	if (!s->far.path && s->mode != MODE_REPLAY)
		s->far = s->near;
	if (!s->has_window && s->mode != MODE_REPLAY && s->rate.value <= 0 &&
	    !s->number[OPTION_PAUSE_US] && !s->number[OPTION_JITTER_US] &&
	    (is_device(&s->near) || is_device(&s->far)))
		s->number[OPTION_WINDOW] = DEVICE_WINDOW;
}

int settings_parse(struct settings *s, int argc, char **argv)
{
	const char *why;

	*s = (struct settings){
		.tolerance = 0.001,
		.precision = 0.02,
		.wants_json = !isatty(STDOUT_FILENO),
	};
	parse_sizes("1500", s);
	if (argc < 2 || strcmp(argv[1], "--help") == 0) {
		if (argc >= 2) {
			settings_help();
			exit(EXIT_SUCCESS);
		}
		fputs("ringbench: needs MODE and PATH (see --help)\n", stderr);
		return -EINVAL;
	}
	if (parse_mode(argv[1], s))
		return -EINVAL;
	/* getopt_long() starts its messages with its first argument. */
	argv[1] = argv[0];
	if (parse_options(argc - 1, argv + 1, s) ||
	    parse_words(argc - 1 - optind, argv + 1 + optind, s))
		return -EINVAL;
	why = check(s);
	if (why) {
		fprintf(stderr, "ringbench: %s\n", why);
		return -EINVAL;
	}
	set_defaults(s);
	return 0;
}

void settings_load(const struct settings *s, struct load *load)
{
	const uint64_t *number = s->number;
	const double frame_bits = 8 * s->sizes.mean_bytes;

	*load = (struct load){
		.sizes = s->sizes,
		.count = number[OPTION_COUNT],
		.limit_ns = number[OPTION_MILLISECONDS] * NS_PER_MS,
		.frames_per_s = s->rate.is_bits ? s->rate.value / frame_bits :
				s->rate.value,
		.burst = number[OPTION_BURST],
		.pause_ns = number[OPTION_PAUSE_US] * NS_PER_US,
		.jitter_ns = number[OPTION_JITTER_US] * NS_PER_US,
		.broadcast_every = number[OPTION_BROADCAST_EVERY],
		.idle_every = number[OPTION_IDLE_EVERY],
		.idle_read_per_s = s->idle_read_per_s,
		.sources = number[OPTION_SOURCES],
		.window = number[OPTION_WINDOW],
		.batch = (unsigned int)number[OPTION_BATCH],
		.refused_policy = s->refused_policy,
	};
}
