#include "metrics_words.h"

#include <stdbool.h>

#include "metrics_text.h"
#include "metrics_values.h"
#include "port_name.h"
#include "sw.h"

static void put_word(struct text *t, const char *prefix, const char *word,
		     uint64_t n)
{
	if (t->used)
		text_bytes(t, " ", 1);
	text_put(t, prefix);
	text_put(t, word);
	text_bytes(t, ":", 1);
	text_number(t, n);
}

static void put_values(struct text *t, const struct metrics_value *values,
		       int count, const void *of)
{
	for (int i = 0; i < count; i++)
		put_word(t, "", values[i].word, metrics_value(&values[i], of));
}

/* What all have first, at the same places in every line. */
static void put_summed(struct text *t, const struct metrics_port *p)
{
	put_values(t, metrics_port_values, METRICS_SUMMED, p);
	for (int i = 0; i < DROP_COUNT; i++)
		put_word(t, "drop_", drop_names[i], p->c.drop[i]);
}

static bool put_port(struct text *t, const struct sw *sw, const char *name)
{
	const struct port *p = port_by_name(&sw->ports, name);
	struct metrics_port now;

	if (!p || !metrics_read_port(sw, p->id, &now))
		return false;
	put_summed(t, &now);
	put_values(t, metrics_port_values + METRICS_SUMMED,
		   METRICS_PORT_VALUES - METRICS_SUMMED, &now);
	put_word(t, "", "latency_samples", now.latency.samples);
	put_word(t, "", "latency_sum_ns", now.latency.sum_ns);
	return true;
}

static bool put_switch(struct text *t, struct sw *sw, const char *sum)
{
	struct metrics_switch all;

	metrics_read_switch(sw, &all);
	put_summed(t, sum && !strcmp(sum, "closed") ? &all.closed : &all.total);
	if (sum)
		return true;
	put_values(t, metrics_switch_values, METRICS_SWITCH_VALUES, &all);
	put_word(t, "", "uptime", all.uptime_s);
	put_word(t, "", "cpu_ms", all.cpu_ns / 1000000);
	return true;
}

size_t metrics_words(struct sw *sw, const char *port,
		     char to[METRICS_WORDS_BYTES])
{
	struct text t = { .to = to, .room = METRICS_WORDS_BYTES };
	bool is_sum = !port || !strcmp(port, "total") || !strcmp(port, "closed");

	if (is_sum ? !put_switch(&t, sw, port) : !put_port(&t, sw, port))
		return 0;
	text_bytes(&t, "\n", 1);
	return t.used;
}
