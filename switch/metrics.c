#include "metrics.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "metrics_text.h"
#include "metrics_values.h"
#include "sw.h"

#ifndef VERSION
#define VERSION "unknown"
#endif

#define SWITCH_PREFIX "ringswitch_"
#define PORT_PREFIX "ringswitch_port_"

struct block {
	struct block *next;
	unsigned count;
	struct metrics_port ports[METRICS_COPIED_AT_ONCE];
};

struct metrics_scrape {
	struct sw *sw;
	bool openmetrics, headed, ended;
	uint16_t next_id; /* of ports that are to be copied */
	/* What is written next: of the table below, its values, the copies. */
	unsigned step, value, port;
	struct block *block;
	struct block *first, *last;
	struct metrics_switch all;
	char bounds[LATENCY_BUCKETS][16]; /* of buckets, in seconds */
};

/* A sample begins with its name; @v stands behind @prefix in it. */
struct name {
	const char *prefix;
	const struct metrics_value *v;
};

static const struct {
	const char *word, *suffix;
} types[] = {
	[METRICS_COUNTER] = { "counter", "_total" },
	[METRICS_GAUGE] = { "gauge", "" },
	[METRICS_INFO] = { "info", "_info" },
	[METRICS_HISTOGRAM] = { "histogram", "" },
};

static const char *const states[] = { "up",	  "blocked", "stalled",
				      "detached", "down",    "admin-down",
				      "quarantined" };

/* With what would end the value early written as it has to be. */
static void put_label(struct text *t, const char *key, const char *value)
{
	text_put(t, key);
	text_put(t, "=\"");
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			text_bytes(t, "\\", 1);
		if (*value == '\n')
			text_put(t, "\\n");
		else
			text_bytes(t, value, 1);
	}
	text_bytes(t, "\"", 1);
}

/* All of a line but its value: of port @port ("": of none), and with a label
 * @key (NULL: none). */
static void put_name(struct text *t, struct name n, const char *suffix,
		     const char *port, const char *key, const char *value)
{
	text_put(t, n.prefix);
	text_put(t, n.v->name);
	text_put(t, suffix);
	if (*port || key) {
		text_bytes(t, "{", 1);
		if (*port)
			put_label(t, "port", port);
		if (*port && key)
			text_bytes(t, ",", 1);
		if (key)
			put_label(t, key, value);
		text_bytes(t, "}", 1);
	}
	text_bytes(t, " ", 1);
}

static void put_number(struct text *t, uint64_t n)
{
	text_number(t, n);
	text_bytes(t, "\n", 1);
}

/* What begins a family. The older format knows no information and no units,
 * and calls a counter by the name that its samples have. */
static void put_head(struct text *t, struct name n, bool openmetrics)
{
	const char *suffix = openmetrics ? "" : types[n.v->type].suffix;
	const char *const lines[][2] = {
		{ "TYPE", n.v->type == METRICS_INFO && !openmetrics
				  ? "gauge"
				  : types[n.v->type].word },
		{ "UNIT", openmetrics ? n.v->unit : NULL },
		{ "HELP", n.v->help },
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		if (!lines[i][1])
			continue;
		text_put(t, "# ");
		text_put(t, lines[i][0]);
		text_bytes(t, " ", 1);
		text_put(t, n.prefix);
		text_put(t, n.v->name);
		text_put(t, suffix);
		text_bytes(t, " ", 1);
		text_put(t, lines[i][1]);
		text_bytes(t, "\n", 1);
	}
}

/* What is written of a port's or of all ports' numbers, @p, or of the switch's:
 * the samples of one name. */
typedef void put_samples(struct text *t, const struct metrics_scrape *s,
			 struct name n, const struct metrics_port *p);

static void put_port_info(struct text *t, const struct metrics_scrape *s,
			  struct name n, const struct metrics_port *p)
{
	(void)s;
	put_name(t, n, "_info", p->name, "kind", p->kind);
	put_number(t, 1);
}

static void put_state(struct text *t, const struct metrics_scrape *s,
		      struct name n, const struct metrics_port *p)
{
	(void)s;
	for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++) {
		put_name(t, n, "", p->name, "state", states[i]);
		put_number(t, !strcmp(states[i], p->state));
	}
}

static void put_value(struct text *t, const struct metrics_scrape *s,
		      struct name n, const struct metrics_port *p)
{
	(void)s;
	put_name(t, n, types[n.v->type].suffix, p->name, NULL, NULL);
	put_number(t, metrics_value(n.v, p));
}

static void put_switch_value(struct text *t, const struct metrics_scrape *s,
			     struct name n, const struct metrics_port *p)
{
	(void)p;
	put_name(t, n, types[n.v->type].suffix, "", NULL, NULL);
	put_number(t, metrics_value(n.v, &s->all));
}

static void put_drops(struct text *t, struct name n,
		      const struct metrics_port *p, int from, int end)
{
	for (int i = from; i < end; i++) {
		put_name(t, n, "_total", p->name, "reason", drop_names[i]);
		put_number(t, p->c.drop[i]);
	}
}

static void put_dropped(struct text *t, const struct metrics_scrape *s,
			struct name n, const struct metrics_port *p)
{
	(void)s;
	put_drops(t, n, p, 0, DROP_FIRST_EGRESS);
}

static void put_undelivered(struct text *t, const struct metrics_scrape *s,
			    struct name n, const struct metrics_port *p)
{
	(void)s;
	put_drops(t, n, p, DROP_FIRST_EGRESS, DROP_COUNT);
}

/* A bucket counts those before it as well. */
static void put_latency(struct text *t, const struct metrics_scrape *s,
			struct name n, const struct metrics_port *p)
{
	uint64_t samples = 0;

	for (int i = 0; i < LATENCY_BUCKETS; i++) {
		samples += p->latency.bucket[i];
		put_name(t, n, "_bucket", p->name, "le", s->bounds[i]);
		put_number(t, samples);
	}
	put_name(t, n, "_sum", p->name, NULL, NULL);
	text_seconds(t, p->latency.sum_ns);
	text_bytes(t, "\n", 1);
	put_name(t, n, "_count", p->name, NULL, NULL);
	put_number(t, samples);
}

static void put_build(struct text *t, const struct metrics_scrape *s,
		      struct name n, const struct metrics_port *p)
{
	(void)s;
	(void)p;
	put_name(t, n, "_info", "", "version", VERSION);
	put_number(t, 1);
}

static void put_seconds(struct text *t, const struct metrics_scrape *s,
			struct name n, const struct metrics_port *p)
{
	(void)p;
	put_name(t, n, types[n.v->type].suffix, "", NULL, NULL);
	text_seconds(t, metrics_value(n.v, &s->all));
	text_bytes(t, "\n", 1);
}

static const struct metrics_value
	port_info = { .name = "port", .type = METRICS_INFO,
		      .help = "What kind of port it is." },
	port_state = { .name = "state", .type = METRICS_GAUGE,
		       .help = "1 for the state that the port is in." },
	dropped = { .name = "dropped_frames", .unit = "frames",
		    .help = "Received frames that went no further." },
	undelivered = { .name = "undelivered_frames", .unit = "frames",
			.help = "Offered frames that were not handed over." },
	latency = { .name = "latency_seconds", .unit = "seconds",
		    .type = METRICS_HISTOGRAM,
		    .help = "Time that frames for that port took through the switch, of one in 64." },
	build = { .name = "build", .type = METRICS_INFO,
		  .help = "The switch's release." },
	seconds[] = {
		{ .name = "cpu_seconds", .unit = "seconds",
		  .at = offsetof(struct metrics_switch, cpu_ns),
		  .help = "Processor time that the switch has used." },
		{ .name = "start_time_seconds", .unit = "seconds",
		  .type = METRICS_GAUGE,
		  .at = offsetof(struct metrics_switch, started_ns),
		  .help = "When the switch was started, since 1970." },
	};

static_assert(LATENCY_EVERY == 64, "the help says so");

/* The whole text. */
static const struct step {
	const char *prefix;
	const struct metrics_value *values;
	unsigned count;
	bool each_port; /* or once, of all */
	put_samples *put;
} steps[] = {
	{ SWITCH_PREFIX, &port_info, 1, true, put_port_info },
	{ PORT_PREFIX, &port_state, 1, true, put_state },
	{ PORT_PREFIX, metrics_port_values, METRICS_PORT_VALUES, true,
	  put_value },
	{ PORT_PREFIX, &dropped, 1, true, put_dropped },
	{ PORT_PREFIX, &undelivered, 1, true, put_undelivered },
	{ SWITCH_PREFIX, &latency, 1, true, put_latency },
	{ SWITCH_PREFIX, metrics_port_values, METRICS_SUMMED, false,
	  put_value },
	{ SWITCH_PREFIX, &dropped, 1, false, put_dropped },
	{ SWITCH_PREFIX, &undelivered, 1, false, put_undelivered },
	{ SWITCH_PREFIX, metrics_switch_values, METRICS_SWITCH_VALUES, false,
	  put_switch_value },
	{ SWITCH_PREFIX, &build, 1, false, put_build },
	{ SWITCH_PREFIX, seconds, 2, false, put_seconds },
};

enum { STEPS = sizeof(steps) / sizeof(*steps) };

struct metrics_scrape *metrics_scrape_new(struct sw *sw, bool openmetrics)
{
	struct metrics_scrape *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->sw = sw;
	s->openmetrics = openmetrics;
	metrics_read_switch(sw, &s->all);
	for (unsigned i = 0; i < LATENCY_BUCKETS; i++)
		if (latency_bound(i))
			snprintf(s->bounds[i], sizeof(s->bounds[i]), "%.9g",
				 (double)latency_bound(i) / 1e9);
		else
			snprintf(s->bounds[i], sizeof(s->bounds[i]), "+Inf");
	return s;
}

void metrics_scrape_free(struct metrics_scrape *s)
{
	for (struct block *next, *b = s ? s->first : NULL; b; b = next) {
		next = b->next;
		free(b);
	}
	free(s);
}

static bool all_copied(const struct metrics_scrape *s)
{
	return s->next_id >= s->sw->ports.id_end;
}

/* Copy the next ports that are there, a block full at most. */
static int copy_ports(struct metrics_scrape *s)
{
	struct block *b = malloc(sizeof(*b));

	if (!b)
		return -ENOMEM;
	b->next = NULL;
	b->count = 0;
	while (b->count < METRICS_COPIED_AT_ONCE && !all_copied(s))
		b->count += metrics_read_port(s->sw, s->next_id++,
					      &b->ports[b->count]);
	if (s->last)
		s->last->next = b;
	else
		s->first = s->block = b;
	s->last = b;
	return 0;
}

/* The next copy that has not been written under the name we are at. */
static const struct metrics_port *next_port(struct metrics_scrape *s)
{
	while (s->block && s->port == s->block->count && s->block->next) {
		s->block = s->block->next;
		s->port = 0;
	}
	if (!s->block || s->port == s->block->count)
		return NULL;
	return &s->block->ports[s->port++];
}

static void go_on(struct metrics_scrape *s)
{
	const struct step *step = &steps[s->step];

	do
		s->value++;
	while (s->value < step->count && !step->values[s->value].name);
	if (s->value == step->count) {
		s->step++;
		s->value = 0;
	}
	s->headed = false;
	s->block = s->first;
	s->port = 0;
}

/* The first copies are made on the way, see the header. */
static bool waits_for_copies(const struct metrics_scrape *s)
{
	return s->step == 0 && !all_copied(s);
}

/* Write what comes next, at most METRICS_PIECE_MIN bytes. Returns whether to go
 * on in this piece. */
static bool put_next(struct text *t, struct metrics_scrape *s)
{
	const struct step *step = &steps[s->step];
	struct name n = { step->prefix, &step->values[s->value] };
	const struct metrics_port *p;

	if (!s->headed) {
		put_head(t, n, s->openmetrics);
		s->headed = true;
		return true;
	}
	p = step->each_port ? next_port(s) : &s->all.total;
	if (p)
		step->put(t, s, n, p);
	else if (waits_for_copies(s))
		return false;
	if (!p || !step->each_port)
		go_on(s);
	return true;
}

ssize_t metrics_scrape_more(struct metrics_scrape *s, char *to, size_t room)
{
	struct text t = { .to = to, .room = room };

	assert(room >= METRICS_PIECE_MIN);
	if (waits_for_copies(s) && copy_ports(s))
		return -ENOMEM;
	while (s->step < STEPS && t.room - t.used >= METRICS_PIECE_MIN)
		if (!put_next(&t, s))
			break;
	if (s->step == STEPS && !s->ended &&
	    t.room - t.used >= METRICS_PIECE_MIN) {
		if (s->openmetrics)
			text_put(&t, "# EOF\n");
		s->ended = true;
	}
	return (ssize_t)t.used;
}
