#include "ctl_rates.h"

#include <stdlib.h>
#include <string.h>

#include "ctl_json.h"

/* The order of rate.counted. */
enum { RECEIVED, RECEIVED_BYTES, SENT, SENT_BYTES, DROPPED, COUNTED };

static void count(const json_t *port, double to[COUNTED])
{
	to[RECEIVED] = js_number(port, "received");
	to[RECEIVED_BYTES] = js_number(port, "received_bytes");
	to[SENT] = js_number(port, "sent");
	to[SENT_BYTES] = js_number(port, "sent_bytes");
	to[DROPPED] = js_number(port, "dropped") +
		      js_number(port, "undelivered");
}

/* A counter that runs backwards belongs to somebody new under an old name. */
static double rate(double before, double now, double seconds)
{
	return now > before && seconds > 0 ? (now - before) / seconds : 0;
}

static void add_sample(struct rate *p, const json_t *port, double seconds)
{
	double now[COUNTED];

	count(port, now);
	p->received = rate(p->counted[RECEIVED], now[RECEIVED], seconds);
	p->received_bytes = rate(p->counted[RECEIVED_BYTES],
				 now[RECEIVED_BYTES], seconds);
	p->sent = rate(p->counted[SENT], now[SENT], seconds);
	p->sent_bytes = rate(p->counted[SENT_BYTES], now[SENT_BYTES], seconds);
	p->dropped = rate(p->counted[DROPPED], now[DROPPED], seconds);
	memcpy(p->counted, now, sizeof(now));
	p->queued = js_number(port, "queued");
	p->queue_limit = js_number(port, "queue_limit");
	p->stalls = js_number(port, "stalls");
	memmove(p->history + 1, p->history,
		sizeof(p->history) - sizeof(*p->history));
	p->history[0] = p->received_bytes + p->sent_bytes;
	if (p->samples < RATES_HISTORY)
		p->samples++;
}

static void free_rate(struct rate *p)
{
	free(p->name);
	free(p->state);
}

/* The port called @name, looked for from @hint on: answers have the same order
 * mostly. NULL: it is new, or there is no memory for it. */
static struct rate *find(struct rates *r, const char *name, size_t hint)
{
	for (size_t k = 0; k < r->count; k++) {
		struct rate *p = &r->ports[(hint + k) % r->count];

		if (!strcmp(p->name, name))
			return p;
	}
	return NULL;
}

static struct rate *add_port(struct rates *r, const json_t *port)
{
	struct rate *more = realloc(r->ports, (r->count + 1) * sizeof(*more));
	struct rate *p;

	if (!more)
		return NULL;
	r->ports = more;
	p = &more[r->count];
	*p = (struct rate){ .name = strdup(js_text(port, "name")) };
	if (!p->name)
		return NULL;
	/* What it did before we came is no rate. */
	count(port, p->counted);
	r->count++;
	return p;
}

static void forget_gone(struct rates *r)
{
	size_t kept = 0;

	for (size_t i = 0; i < r->count; i++) {
		if (!r->ports[i].seen)
			free_rate(&r->ports[i]);
		else
			r->ports[kept++] = r->ports[i];
	}
	r->count = kept;
}

bool rates_add(struct rates *r, const json_t *stats)
{
	const json_t *ports = json_object_get(stats, "ports"), *port;
	const json_t *total = json_object_get(stats, "total");
	double uptime_s = js_number(stats, "uptime");
	size_t i;

	if (!json_is_array(ports))
		return false;
	r->seconds = r->rounds ? uptime_s - r->uptime_s : 0;
	r->uptime_s = uptime_s;
	r->time = js_number(stats, "time");
	for (i = 0; i < r->count; i++)
		r->ports[i].seen = false;
	json_array_foreach(ports, i, port) {
		struct rate *p = find(r, js_text(port, "name"), i);

		if (!p)
			p = add_port(r, port);
		if (!p)
			continue;
		free(p->state);
		p->state = strdup(js_text(port, "state"));
		p->seen = true;
		add_sample(p, port, r->seconds);
	}
	forget_gone(r);
	if (!r->rounds++)
		count(total, r->total.counted);
	add_sample(&r->total, total, r->seconds);
	return true;
}

void rates_fini(struct rates *r)
{
	for (size_t i = 0; i < r->count; i++)
		free_rate(&r->ports[i]);
	free(r->ports);
	*r = (struct rates){ 0 };
}

/* A count; 0 if what the switch says cannot be one. */
static json_t *count_json(double n)
{
	return json_integer(n >= 0 && n < 9e15 ? (json_int_t)n : 0);
}

static json_t *rate_json(const struct rate *p)
{
	json_t *to = json_object();

	if (p->name)
		json_object_set_new(to, "name", json_string(p->name));
	if (p->state)
		json_object_set_new(to, "state", json_string(p->state));
	json_object_set_new(to, "received_rate", json_real(p->received));
	json_object_set_new(to, "received_byte_rate",
			    json_real(p->received_bytes));
	json_object_set_new(to, "sent_rate", json_real(p->sent));
	json_object_set_new(to, "sent_byte_rate", json_real(p->sent_bytes));
	json_object_set_new(to, "dropped_rate", json_real(p->dropped));
	json_object_set_new(to, "queued", count_json(p->queued));
	json_object_set_new(to, "stalls", count_json(p->stalls));
	return to;
}

json_t *rates_json(const struct rates *r)
{
	json_t *ports = json_array();

	for (size_t i = 0; i < r->count; i++)
		json_array_append_new(ports, rate_json(&r->ports[i]));
	return json_pack("{s:f, s:f, s:o, s:o}", "time", r->time, "seconds",
			 r->seconds, "ports", ports, "total",
			 rate_json(&r->total));
}
