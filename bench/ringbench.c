/*
 * ringbench: attaches to any switch as guests do, and measures it.
 *
 * The modes are defaults for one and the same measurement (traffic.h), but for
 * roundtrip, which asks and answers, search, which repeats it at one rate after
 * the other, attach, which only joins and looks at the switch, floor, which needs
 * none, and replay.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "floor.h"
#include "now.h"
#include "output.h"
#include "replay.h"
#include "result.h"
#include "roundtrip.h"
#include "settings.h"
#include "throughput.h"
#include "traffic.h"

enum exit_status {
	EXIT_MEASURED = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_INTERRUPTED = 130,
};

/* Set by a signal, so that what has a name is removed before the end. */
static volatile sig_atomic_t interrupted;

static void interrupt(int signal_number)
{
	(void)signal_number;
	interrupted = 1;
}

static void catch_signals(void)
{
	const struct sigaction action = { .sa_handler = interrupt };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

/* Two descriptors per port; a thousand ports need more than the usual 1024. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int measure_traffic(const struct settings *s, const struct traffic *t,
			   json_t **result)
{
	struct traffic_result measured;
	int err = traffic_run(t, &measured);

	if (!err)
		*result = result_traffic(s, t->load, t, &measured);
	return err;
}

static int measure_roundtrip(const struct settings *s, const struct traffic *t,
			     json_t **result)
{
	struct roundtrip_result measured;
	int err = roundtrip_run(t, &measured);

	if (!err)
		*result = result_roundtrip(s, t, &measured);
	return err;
}

/* What a switch with all these ports holds, and uses while nothing happens. */
static int measure_attached(const struct settings *s, const struct traffic *t,
			    json_t **result)
{
	const uint64_t start_ns = now_ns();
	struct traffic_usages before, after;
	int err = traffic_read_usages(t, &before);

	if (!err && t->load->limit_ns)
		sleep_until_ns(start_ns + t->load->limit_ns);
	if (!err)
		err = traffic_read_usages(t, &after);
	if (!err && interrupted)
		err = -EINTR;
	if (err)
		return err;
	proc_subtract(&after.other, &before.other);
	*result = result_attach(s, t->load->limit_ns ? now_ns() - start_ns : 0,
				&after.other);
	return 0;
}

static int measure_mode(const struct settings *s, const struct traffic *t,
			json_t **result)
{
	switch (s->mode) {
	case MODE_ROUNDTRIP:
		return measure_roundtrip(s, t, result);
	case MODE_SEARCH:
		return throughput_search(s, t, result);
	case MODE_ATTACH:
		return measure_attached(s, t, result);
	case MODE_RATE:
	case MODE_LATENCY:
	case MODE_STALLED:
	case MODE_FLOOR:
	case MODE_REPLAY:
	case MODE_COUNT:
		break;
	}
	return measure_traffic(s, t, result);
}

static int join_and_measure(const struct settings *s, struct traffic *t,
			    const struct plan *plan, json_t **result)
{
	const struct ports_setup setup = {
		.near = s->near,
		.far = s->far,
		.idle = (unsigned int)s->number[OPTION_IDLE_PORTS],
		.addresses = (uint32_t)s->number[OPTION_ADDRESSES],
	};
	struct ports *ports = ports_join(&setup, plan);
	int err = ports ? 0 : -EIO;

	t->ports = ports;
	if (!err)
		err = measure_mode(s, t, result);
	ports_free(ports);
	return err;
}

/* Returns 0 with *@result, or -errno after saying what went wrong. */
static int measure(const struct settings *s, json_t **result)
{
	const unsigned int count = (unsigned int)s->number[OPTION_PORTS];
	struct plan plan;
	struct load load;
	struct progress progress;
	struct traffic t = {
		.load = &load, .plan = &plan, .progress = &progress,
		.switch_pid = (pid_t)s->number[OPTION_PID],
		.interrupted = &interrupted,
	};
	int err = plan_init(&plan, s->pattern, count);

	if (err) {
		fprintf(stderr, "ringbench: --ports %u: %s\n", count,
			err == -E2BIG ? "too many for all-to-all" :
			strerror(-err));
		return err;
	}
	settings_load(s, &load);
	progress_init(&progress, !s->is_quiet);
	progress_label(&progress, "%s", mode_name[s->mode]);
	if (s->mode == MODE_FLOOR)
		err = floor_measure(s, &t, result);
	else
		err = join_and_measure(s, &t, &plan, result);
	plan_fini(&plan);
	return err;
}

static int replay(const struct settings *s, json_t **result)
{
	const struct replay_setup setup = {
		.sender = s->near,
		.receiver = s->far,
		.frames_path = s->frames_path,
		.size_bytes = s->sizes.max_bytes,
		.limit_ns = s->number[OPTION_MILLISECONDS] * NS_PER_MS,
		.window = s->number[OPTION_WINDOW],
		.switch_pid = (pid_t)s->number[OPTION_PID],
	};
	struct replay_result measured;
	int err = replay_run(&setup, &measured);

	if (!err)
		*result = replay_report(&setup, &measured);
	return err;
}

int main(int argc, char **argv)
{
	json_t *result = NULL, *floor = NULL;
	struct settings s;
	bool as_expected = false;
	int err;

	if (settings_parse(&s, argc, argv))
		return EXIT_USAGE;
	if (s.floor_path && !(floor = floor_read(&s)))
		return EXIT_USAGE;
	raise_descriptor_limit();
	catch_signals();
	err = s.mode == MODE_REPLAY ? replay(&s, &result) : measure(&s, &result);
	if (!err && floor)
		floor_compare(&s, floor, result);
	if (!err)
		as_expected = output_result(&s, result);
	json_decref(floor);
	json_decref(result);
	if (err == -EINTR)
		return EXIT_INTERRUPTED;
	return as_expected ? EXIT_MEASURED : EXIT_FAILED;
}
