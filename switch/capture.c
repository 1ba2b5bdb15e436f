#include "capture.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "../tap/filter_expression.h"
#include "block_ring.h"
#include "client.h"
#include "clock.h"
#include "control.h"
#include "expression_job.h"
#include "loop.h"
#include "observe.h"
#include "pcapng.h"
#include "port_name.h"
#include "sw.h"

enum {
	INTERFACE_BYTES = 512, /* of a block, with a name and a description */
	STATISTICS_BYTES = 96,
	COMMENT_BYTES = 64,
	INTERFACES_MAX = 65536, /* names, however many ports come and go */
};

/* One port, however often it goes and comes back. */
struct interface {
	char name[PORT_NAME_BYTES];
	bool written; /* the file has it, as @number */
	uint32_t number;
	uint64_t received, dropped;
};

struct capture {
	struct capture *next;
	struct client *client;
	struct filter_expression *expression; /* NULL: all frames */
	char port[PORT_NAME_BYTES];	      /* "": all */
	uint32_t snaplen;
	bool in, out, drops;
	bool finished;
	struct block_ring ring;
	/* The end of the file, behind that. */
	uint8_t *sums;
	size_t sums_at, sums_end;
	struct interface *interfaces;
	uint32_t interface_count, interface_room, written_count;
	/* By port id: the place of its interface, plus 1. */
	uint32_t place[PORTS_MAX];
};

/* --- the buffer ----------------------------------------------------------- */

size_t capture_pending(const struct client *c)
{
	const struct capture *cap = c->capture;

	return cap ? block_ring_pending(&cap->ring) + cap->sums_end -
			     cap->sums_at
		   : 0;
}

bool capture_flush(struct sw *sw, struct client *c)
{
	struct capture *cap = c->capture;
	size_t bytes = cap->sums_end - cap->sums_at;
	const uint8_t *from = NULL;
	bool ring = block_ring_pending(&cap->ring);
	ssize_t n;

	if (ring)
		from = block_ring_front(&cap->ring, &bytes);
	else if (bytes)
		from = cap->sums + cap->sums_at;
	if (!from || client_pending(c) || c->failed)
		return false;
	if (bytes > CAPTURE_SEND_BYTES)
		bytes = CAPTURE_SEND_BYTES;
	n = send(c->fd, from, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0) {
		c->failed = errno != EAGAIN && errno != EINTR;
		return false;
	}
	c->active_ms = sw->now_ms;
	if (ring)
		block_ring_sent(&cap->ring, (size_t)n);
	else
		cap->sums_at += (size_t)n;
	return true;
}

/* --- interfaces ----------------------------------------------------------- */

static struct interface *interface_of(struct capture *cap, const struct port *p)
{
	struct interface *more;
	uint32_t i = 0;

	while (i < cap->interface_count &&
	       strcmp(cap->interfaces[i].name, p->name))
		i++;
	if (i == INTERFACES_MAX)
		return NULL;
	if (i == cap->interface_room) {
		uint32_t room = i ? 2 * i : 8;

		more = realloc(cap->interfaces, room * sizeof(*more));
		if (!more)
			return NULL;
		cap->interfaces = more;
		cap->interface_room = room;
	}
	if (i == cap->interface_count) {
		cap->interfaces[i] = (struct interface){ .number = 0 };
		memcpy(cap->interfaces[i].name, p->name, sizeof(p->name));
		cap->interface_count++;
	}
	cap->place[p->id] = i + 1;
	return &cap->interfaces[i];
}

/* Whether the file has it, or has it now. */
static bool write_interface(struct capture *cap, struct interface *i,
			    const char *description)
{
	uint8_t *to;

	if (i->written)
		return true;
	to = block_ring_room(&cap->ring, INTERFACE_BYTES);
	if (!to)
		return false;
	block_ring_put(&cap->ring,
		       pcapng_interface(to, INTERFACE_BYTES, i->name,
					description, cap->snaplen));
	i->number = cap->written_count++;
	i->written = true;
	return true;
}

/* --- ports ---------------------------------------------------------------- */

static bool is_captured(const struct capture *cap, const struct port *p)
{
	return !cap->finished &&
	       (!*cap->port || !strcmp(cap->port, p->name));
}

static void attach(struct sw *sw, struct capture *cap, struct port *p)
{
	struct interface *i = interface_of(cap, p);

	if (!i)
		return;
	write_interface(cap, i, p->description);
	p->captures++;
	observe_port(sw, p);
}

static void detach(struct sw *sw, struct capture *cap, struct port *p)
{
	if (!cap->place[p->id])
		return;
	cap->place[p->id] = 0;
	p->captures--;
	observe_port(sw, p);
}

void captures_port_up(struct sw *sw, struct port *p)
{
	for (struct capture *cap = sw->captures; cap; cap = cap->next)
		if (is_captured(cap, p))
			attach(sw, cap, p);
}

void captures_port_down(struct sw *sw, struct port *p)
{
	for (struct capture *cap = sw->captures; cap; cap = cap->next)
		detach(sw, cap, p);
}

/* --- frames --------------------------------------------------------------- */

static bool is_wanted(const struct capture *cap, const struct frame *f,
		      uint32_t there, bool in, enum seen seen)
{
	if (seen == SEEN_DROPPED && !cap->drops)
		return false;
	if (in ? !cap->in : !cap->out)
		return false;
	return !cap->expression ||
	       filter_expression_matches(cap->expression, f->data, there);
}

static void take(struct sw *sw, struct capture *cap, struct interface *i,
		 const struct pcapng_packet *packet)
{
	size_t bytes = pcapng_packet_bytes(packet->captured, COMMENT_BYTES);
	struct control_counters *c = control_counters_of(sw);
	struct pcapng_packet p = *packet;
	uint8_t *to;

	i->received++;
	c->capture_frames++;
	if (!write_interface(cap, i, "") || !(to = block_ring_room(&cap->ring, bytes))) {
		i->dropped++;
		c->capture_dropped++;
		return;
	}
	p.interface = i->number;
	block_ring_put(&cap->ring, pcapng_packet(to, bytes, &p));
	control_say(sw, cap->client);
}

void captures_take(struct sw *sw, struct port *p, const struct frame *f,
		   enum seen seen, enum drop why)
{
	bool in = seen == SEEN_IN ||
		  (seen == SEEN_DROPPED && why < DROP_FIRST_EGRESS);
	/* One that is too long for its buffer is not all there. */
	uint32_t there = f->len < f->pool->slot_bytes ? f->len
						      : f->pool->slot_bytes;
	char comment[COMMENT_BYTES] = "";
	struct pcapng_packet packet = {
		.time_ns = clock_wall_ns(),
		.data = f->data,
		.bytes = f->len,
		.direction = in ? PCAPNG_IN : PCAPNG_OUT,
		.comment = comment,
	};

	if (seen == SEEN_DROPPED)
		snprintf(comment, sizeof(comment), "dropped: %s",
			 drop_names[why]);
	for (struct capture *cap = sw->captures; cap; cap = cap->next) {
		if (!cap->place[p->id] || !is_wanted(cap, f, there, in, seen))
			continue;
		packet.captured = there < cap->snaplen ? there : cap->snaplen;
		take(sw, cap, &cap->interfaces[cap->place[p->id] - 1], &packet);
	}
}

/* --- beginning and end ---------------------------------------------------- */

static void unlink_capture(struct sw *sw, struct capture *cap)
{
	struct capture **at = &sw->captures;

	while (*at && *at != cap)
		at = &(*at)->next;
	if (!*at)
		return;
	*at = cap->next;
	for (uint16_t i = 0; i < sw->ports.id_end; i++)
		detach(sw, cap, sw->ports.by_id[i]);
	control_counters_of(sw)->captures--;
}

static void write_sums(struct capture *cap)
{
	size_t room = cap->interface_count * STATISTICS_BYTES;
	uint64_t now_ns = clock_wall_ns();

	cap->sums = malloc(room + 1);
	for (uint32_t n = 0; cap->sums && n < cap->interface_count; n++) {
		const struct interface *i = &cap->interfaces[n];

		if (i->written)
			cap->sums_end += pcapng_statistics(
				cap->sums + cap->sums_end, room - cap->sums_end,
				i->number, now_ns, i->received, i->dropped);
	}
}

void capture_finish(struct sw *sw, struct client *c)
{
	struct capture *cap = c->capture;

	if (cap->finished)
		return;
	cap->finished = true;
	unlink_capture(sw, cap);
	write_sums(cap);
	c->closing = true;
}

void capture_end(struct sw *sw, struct client *c)
{
	struct capture *cap = c->capture;

	unlink_capture(sw, cap);
	if (c->job) {
		loop_file_remove(&sw->loop, expression_job_fd(c->job));
		expression_job_abandon(c->job);
	}
	c->job = NULL;
	c->capture = NULL;
	filter_expression_free(cap->expression);
	free(cap->interfaces);
	free(cap->ring.bytes);
	free(cap->sums);
	free(cap);
}

static void start(struct sw *sw, struct client *c)
{
	struct capture *cap = c->capture;

	cap->client = c;
	cap->next = sw->captures;
	sw->captures = cap;
	control_counters_of(sw)->captures++;
	block_ring_put(&cap->ring, pcapng_section(cap->ring.bytes, cap->ring.size,
						  "ringswitch"));
	for (uint16_t i = 0; i < sw->ports.id_end; i++) {
		struct port *p = sw->ports.by_id[i];

		if (p->state == PORT_UP && is_captured(cap, p))
			attach(sw, cap, p);
	}
}

static const char *string_of(const json_t *arguments, const char *name,
			     const char *otherwise)
{
	const char *text = json_string_value(json_object_get(arguments, name));

	return text ? text : otherwise;
}

static json_int_t number_of(const json_t *arguments, const char *name,
			    json_int_t otherwise)
{
	const json_t *value = json_object_get(arguments, name);

	return value ? json_integer_value(value) : otherwise;
}

/* What can be said of the arguments alone; false with an answer that says what
 * is wrong. */
static bool are_good(struct sw *sw, struct client *c, const char *port,
		     const char *direction, const char *expression,
		     json_int_t snaplen, json_int_t buffer)
{
	if (strcmp(port, "all") && !port_by_name(&sw->ports, port))
		client_refuse(c, "not-found", "port '%.64s': there is none of that name: see port.show", port);
	else if (strcmp(direction, "both") && strcmp(direction, "in") &&
		 strcmp(direction, "out"))
		client_refuse(c, "argument", "direction '%.32s': must be both, in or out", direction);
	else if (strlen(expression) >= EXPRESSION_BYTES)
		client_refuse(c, "argument", "expression: must be at most %d bytes", EXPRESSION_BYTES - 1);
	else if (snaplen < 1 || snaplen > CAPTURE_SNAPLEN_MAX)
		client_refuse(c, "argument", "snaplen: must be 1 to %d bytes", CAPTURE_SNAPLEN_MAX);
	else if (buffer < CAPTURE_BUFFER_MIN || buffer > CAPTURE_BUFFER_MAX)
		client_refuse(c, "argument", "buffer: must be %d to %d bytes", CAPTURE_BUFFER_MIN, CAPTURE_BUFFER_MAX);
	else
		return true;
	return false;
}

static size_t all_buffers(const struct sw *sw)
{
	size_t sum = 0;

	for (const struct capture *cap = sw->captures; cap; cap = cap->next)
		sum += cap->ring.size;
	return sum;
}

/* What is asked for, or NULL with an answer. */
static struct capture *read_arguments(struct sw *sw, struct client *c,
				      const json_t *arguments)
{
	const char *port = string_of(arguments, "port", "");
	const char *direction = string_of(arguments, "direction", "both");
	json_int_t snaplen = number_of(arguments, "snaplen",
				       CAPTURE_SNAPLEN_MAX);
	json_int_t buffer = number_of(arguments, "buffer",
				      CAPTURE_BUFFER_DEFAULT);
	struct capture *cap;

	if (!are_good(sw, c, port, direction,
		      string_of(arguments, "expression", ""), snaplen, buffer))
		return NULL;
	if (all_buffers(sw) + (size_t)buffer > CAPTURE_TOTAL_MAX) {
		client_refuse(c, "refused", "captures that go on have most of the %d bytes there are for their buffers: end one, or ask for a smaller buffer", CAPTURE_TOTAL_MAX);
		return NULL;
	}
	cap = calloc(1, sizeof(*cap));
	if (cap)
		cap->ring.bytes = malloc((size_t)buffer);
	if (!cap || !cap->ring.bytes) {
		free(cap);
		client_refuse(c, "refused", "no memory for a buffer of %lld bytes", (long long)buffer);
		return NULL;
	}
	cap->ring.size = (size_t)buffer;
	cap->snaplen = (uint32_t)snaplen;
	cap->in = strcmp(direction, "out");
	cap->out = strcmp(direction, "in");
	cap->drops = !json_is_false(json_object_get(arguments, "drops"));
	if (strcmp(port, "all"))
		memcpy(cap->port, port, strlen(port) + 1);
	return cap;
}

static void begin(struct sw *sw, struct client *c)
{
	client_return(c, json_pack("{s:s}", "format", "pcapng"));
	start(sw, c);
	if (c->in_ended)
		capture_finish(sw, c);
}

void capture_compiled(struct sw *sw, struct client *c)
{
	struct capture *cap = c->capture;
	char why[256], text[EXPRESSION_BYTES];

	snprintf(text, sizeof(text), "%s", expression_job_text(c->job));
	loop_file_remove(&sw->loop, expression_job_fd(c->job));
	cap->expression = expression_job_end(c->job, why, sizeof(why));
	c->job = NULL;
	if (cap->expression) {
		begin(sw, c);
		return;
	}
	client_refuse(c, "argument", "expression '%.160s': %s (see pcap-filter(7))",
		      text, why);
	capture_end(sw, c);
}

void capture_command(struct sw *sw, struct client *c, const json_t *arguments)
{
	const char *text = string_of(arguments, "expression", "");
	char why[128];

	c->capture = read_arguments(sw, c, arguments);
	if (!c->capture)
		return;
	if (!*text) {
		begin(sw, c);
		return;
	}
	c->job = expression_job_start(sw->opener, text, why, sizeof(why));
	if (!c->job) {
		capture_end(sw, c);
		client_refuse(c, "refused", "expression: %s", why);
		return;
	}
	loop_file_add(&sw->loop, expression_job_fd(c->job));
	loop_arm_poll(sw, expression_job_fd(c->job), POLLIN, LOOP_COMPILED,
		      c->index, c->gen);
}
