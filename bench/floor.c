/* Measuring without a switch. See floor.h. */
#include "floor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "direct.h"
#include "now.h"
#include "pattern.h"
#include "result.h"

enum {
	/* Frames in a row: as an unconnected socket has room for. */
	BATCH = 8,
	BATCHES = 2000,
	/* Lone frames: as many as fit into the time that is asked for. */
	LONE_FRAMES_MIN = 100,
	LONE_LIMIT_S = 60,
	LONE_PAUSE_US = 200,
	LONE_JITTER_US = 100,
	DEVICE_WINDOW = 256,
};

static int compare_u64(const void *left, const void *right)
{
	const uint64_t a = *(const uint64_t *)left;
	const uint64_t b = *(const uint64_t *)right;

	return (a > b) - (a < b);
}

/* Of one frame, of batches; what else happens on the machine is in few. */
static double median(uint64_t *batch_ns)
{
	qsort(batch_ns, BATCHES, sizeof(*batch_ns), compare_u64);
	return (double)batch_ns[BATCHES / 2] / BATCH;
}

struct cost {
	uint64_t send_ns[BATCHES], receive_ns[BATCHES];
	uint8_t frame[FRAME_MAX_BYTES];
};

static int time_batch(const struct peer *from, const struct peer *to,
		      size_t len, struct cost *cost, int i)
{
	const uint64_t start_ns = now_ns();
	uint64_t sent_ns;
	int err = 0;
	ssize_t n = 0;

	for (int k = 0; !err && k < BATCH; k++)
		err = peer_send_one(from, cost->frame, len, false);
	sent_ns = now_ns();
	for (int k = 0; !err && n >= 0 && k < BATCH; k++)
		n = peer_recv_one(to, cost->frame, sizeof(cost->frame), 100);
	cost->send_ns[i] = sent_ns - start_ns;
	cost->receive_ns[i] = now_ns() - sent_ns;
	return err ? err : n < 0 ? (int)n : 0;
}

/* What a system call costs that sends at @from, and one that receives at @to. */
static int time_calls(const struct peer *from, const struct peer *to, size_t len,
		      double *send_ns, double *receive_ns)
{
	const struct pattern p = { 0 };
	struct cost *cost = calloc(1, sizeof(*cost));
	int err = cost ? 0 : -ENOMEM;

	if (cost)
		pattern_write(cost->frame, len, to->mac, from->mac,
			      TYPE_TRAFFIC, &p);
	for (int i = 0; !err && i < BATCHES; i++)
		err = time_batch(from, to, len, cost, i);
	if (!err) {
		*send_ns = median(cost->send_ns);
		*receive_ns = median(cost->receive_ns);
	}
	free(cost);
	return err;
}

static int add_calls(const struct ports *ports, size_t len, json_t *to)
{
	double send_ns, receive_ns, other_ns;
	int err;

	/* There and back: of a tap, both ends are of different kinds. */
	err = time_calls(&ports->peer[0], &ports->peer[1], len, &send_ns,
			 &other_ns);
	if (!err)
		err = time_calls(&ports->peer[1], &ports->peer[0], len,
				 &other_ns, &receive_ns);
	if (err)
		return err;
	result_ratio(to, "send_ns", send_ns, 1);
	result_ratio(to, "receive_ns", receive_ns, 1);
	result_ratio(to, "cpu_ns_per_frame", send_ns + receive_ns, 1);
	return 0;
}

static int add_rate(const struct settings *s, struct traffic *t, json_t *to)
{
	struct load load;
	struct traffic_result result;
	int err;

	settings_load(s, &load);
	if (t->ports->peer[0].kind == PEER_TAP ||
	    t->ports->peer[0].kind == PEER_PACKET)
		load.window = DEVICE_WINDOW;
	t->load = &load;
	err = traffic_run(t, &result);
	if (err)
		return err;
	result_rates(to, &result);
	return 0;
}

static int add_latency(const struct settings *s, struct traffic *t, json_t *to)
{
	struct load load;
	struct traffic_result result;
	int err;

	settings_load(s, &load);
	load.count = load.limit_ns / NS_PER_US / (LONE_PAUSE_US + LONE_JITTER_US);
	if (load.count < LONE_FRAMES_MIN)
		load.count = LONE_FRAMES_MIN;
	load.limit_ns = LONE_LIMIT_S * NS_PER_S;
	load.pause_ns = LONE_PAUSE_US * NS_PER_US;
	load.jitter_ns = LONE_JITTER_US * NS_PER_US;
	t->load = &load;
	err = traffic_run(t, &result);
	if (!err)
		result_times(to, "latency", &result.receiver.latency);
	return err;
}

static int measure_kind(const struct settings *s, const struct traffic *any,
			const struct ports *ports, json_t *to)
{
	struct traffic t = *any;
	int err = add_calls(ports, s->sizes.max_bytes, to);

	t.ports = ports;
	if (err) {
		fprintf(stderr, "ringbench: floor, %s: %s\n",
			peer_kind_name[ports->peer[0].kind],
			peer_why(ports->peer[0].kind, err));
		return err;
	}
	err = add_rate(s, &t, to);
	return err ? err : add_latency(s, &t, to);
}

static bool wants_any(const struct settings *s)
{
	for (int kind = 0; kind < PEER_KIND_COUNT; kind++)
		if (s->wants_kind[kind])
			return true;
	return false;
}

/* Returns 0, also where it is only noted why not. */
static int add_kind(const struct settings *s, const struct traffic *t,
		    enum peer_kind kind, json_t *kinds, json_t *missing)
{
	const char *name = peer_kind_name[kind];
	struct ports *ports;
	struct peer ends[2];
	json_t *to;
	int err = direct_open(ends, kind);

	if (err) {
		json_object_set_new(missing, name, json_sprintf(
			"%s: %s", kind == PEER_TAP || kind == PEER_PACKET ?
			"no tap of our own" : "no sockets", strerror(-err)));
		return 0;
	}
	ports = ports_direct(ends);
	if (!ports)
		return -ENOMEM;	/* which is said, and the end */
	progress_label(t->progress, "floor, %s", name);
	to = json_object();
	err = measure_kind(s, t, ports, to);
	json_object_set_new(kinds, name, to);
	ports_free(ports);
	return err;
}

int floor_measure(const struct settings *s, const struct traffic *t,
		  json_t **result)
{
	json_t *kinds = json_object(), *missing = json_object();
	int err = 0;

	for (int kind = 0; !err && kind < PEER_KIND_COUNT; kind++)
		if (s->wants_kind[kind] || !wants_any(s))
			err = add_kind(s, t, (enum peer_kind)kind, kinds, missing);
	*result = json_pack("{s:s, s:s, s:i, s:o, s:o}", "mode", "floor",
			    "sizes", s->sizes_text, "size_bytes",
			    (int)s->sizes.max_bytes, "kinds", kinds,
			    "not_measured", missing);
	if (err) {
		json_decref(*result);
		*result = NULL;
	}
	return err;
}

static json_t *complain(const char *path, const char *what)
{
	fprintf(stderr, "ringbench: --floor %s: %s\n", path, what);
	return NULL;
}

json_t *floor_read(const struct settings *s)
{
	json_error_t error;
	json_t *floor = json_load_file(s->floor_path, 0, &error);
	const char *sizes = json_string_value(json_object_get(floor, "sizes"));

	if (!floor)
		return complain(s->floor_path, error.text);
	if (json_is_object(json_object_get(floor, "kinds")) && sizes &&
	    strcmp(sizes, s->sizes_text) == 0)
		return floor;
	json_decref(floor);
	return complain(s->floor_path, sizes ?
			"was measured with frames of another --size" :
			"not what ringbench floor has printed");
}

static double value_of(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

void floor_compare(const struct settings *s, const json_t *floor,
		   json_t *result)
{
	const json_t *kinds = json_object_get(floor, "kinds");
	const json_t *near = json_object_get(kinds,
					     peer_kind_name[s->near.kind]);
	const json_t *far = json_object_get(kinds, peer_kind_name[s->far.kind]);
	const double near_rate = value_of(near, "frames_per_s");
	const double far_rate = value_of(far, "frames_per_s");

	if (!near || !far)
		return;
	if (json_is_number(json_object_get(result, "switch_cpu_ns_per_frame")))
		result_ratio(result, "cpu_x_floor",
			     value_of(result, "switch_cpu_ns_per_frame"),
			     value_of(near, "receive_ns") +
			     value_of(far, "send_ns"));
	if (json_is_number(json_object_get(result, "latency_p50_ns")))
		result_ratio(result, "latency_p50_x_floor",
			     value_of(result, "latency_p50_ns"),
			     value_of(near, "latency_p50_ns") +
			     value_of(far, "latency_p50_ns"));
	/* Of other modes, and of a rate that was asked for, it would say nothing. */
	if (s->mode == MODE_RATE && !json_is_number(json_object_get(result, "rate_wanted")))
		result_ratio(result, "rate_x_floor",
			     value_of(result, "frames_per_s"),
			     near_rate < far_rate ? near_rate : far_rate);
}
