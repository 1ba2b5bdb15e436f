#include "control.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "capture.h"
#include "client.h"
#include "clock.h"
#include "control_commands.h"
#include "events.h"
#include "handover.h"
#include "kept.h"
#include "log.h"
#include "loop.h"
#include "opener.h"
#include "socket_file.h"
#include "sw.h"

enum { CLIENTS = CONTROL_DOORS * CONTROL_CLIENTS_MAX };

struct door {
	struct socket_file file;
	bool paused; /* out of descriptors */
};

struct control {
	struct door doors[CONTROL_DOORS]; /* the first may do everything */
	struct client clients[CLIENTS];	  /* of the first door, then the other */
	uint16_t next;			  /* whose turn it is */
	bool busy;			  /* somebody may have something to do */
	uint64_t not_before_ns;		  /* the next step, while frames flow */
	struct control_counters counters;
};

/* --- the sockets ---------------------------------------------------------- */

static int open_door(struct sw *sw, uint32_t key, const struct endpoint *e,
		     int mode, char *why, size_t why_bytes)
{
	struct door *d = &sw->control->doors[key - KEPT_CONTROL];
	int err = 0;

	if (!options_wants(e))
		return 0;
	if (e->mode >= 0)
		mode = e->mode;
	if (!handover_take_socket(sw, key, &d->file))
		err = socket_file_open(&d->file, e->argument, SOCK_STREAM, mode,
				       e->group, why, why_bytes);
	if (err)
		return err;
	loop_file_add(&sw->loop, d->file.fd);
	socket_refuse_descriptors(d->file.fd);
	handover_keep_socket(sw, key, e->argument, &d->file);
	return 0;
}

int control_open(struct sw *sw, char *why, size_t why_bytes)
{
	struct control *ctl = calloc(1, sizeof(*ctl));
	int err;

	sw->control = ctl;
	if (!ctl) {
		snprintf(why, why_bytes, "out of memory");
		return -ENOMEM;
	}
	/* With its first object it would open /dev/urandom, and take the time
	 * instead if it cannot: clients could make its tables slow. */
	json_object_seed(0);
	ctl->doors[0].file.fd = ctl->doors[1].file.fd = -1;
	for (uint16_t i = 0; i < CLIENTS; i++)
		ctl->clients[i] = (struct client){ .fd = -1, .index = i };
	err = open_door(sw, KEPT_CONTROL, &sw->options->control, 0600, why,
			why_bytes);
	return err ? err
		   : open_door(sw, KEPT_MONITOR, &sw->options->monitor, 0660,
			       why, why_bytes);
}

static void arm_door(struct sw *sw, uint16_t i)
{
	if (sw->control->doors[i].file.fd >= 0)
		loop_arm_poll(sw, sw->control->doors[i].file.fd, POLLIN,
			      LOOP_DOOR, i, 0);
}

void control_start(struct sw *sw)
{
	for (uint16_t i = 0; i < CONTROL_DOORS; i++)
		arm_door(sw, i);
}

void control_resume(struct sw *sw)
{
	for (uint16_t i = 0; i < CONTROL_DOORS; i++)
		if (sw->control->doors[i].paused) {
			sw->control->doors[i].paused = false;
			arm_door(sw, i);
		}
}

const struct control_counters *control_counters(const struct sw *sw)
{
	return &sw->control->counters;
}

struct control_counters *control_counters_of(struct sw *sw)
{
	return &sw->control->counters;
}

/* --- clients come and go -------------------------------------------------- */

static uint64_t *count_of(struct control *ctl, const struct client *c)
{
	return c->monitor ? &ctl->counters.monitors : &ctl->counters.clients;
}

static void close_client(struct sw *sw, struct client *c)
{
	if (c->reading)
		loop_cancel_poll(sw, LOOP_CLIENT_IN, c->index, c->gen);
	if (c->writing)
		loop_cancel_poll(sw, LOOP_CLIENT_OUT, c->index, c->gen);
	if (c->capture)
		capture_end(sw, c);
	events_leave(sw, c);
	json_decref(c->id);
	free(c->in);
	free(c->out.bytes);
	loop_file_remove(&sw->loop, c->fd);
	close(c->fd);
	--*count_of(sw->control, c);
	*c = (struct client){ .fd = -1, .index = c->index, .gen = c->gen + 1 };
}

static struct client *first_of(struct control *ctl, uint16_t door)
{
	return &ctl->clients[door * CONTROL_CLIENTS_MAX];
}

/* Its other side has been closed, whether that has been looked at or not. */
static bool has_gone(const struct client *c)
{
	struct pollfd state = { .fd = c->fd };

	return poll(&state, 1, 0) == 1 && state.revents & POLLHUP;
}

/* Who has to go for another: who has gone already, or the one silent for
 * longest. */
static struct client *choose_victim(struct client *first)
{
	struct client *oldest = first;

	for (struct client *c = first; c < first + CONTROL_CLIENTS_MAX; c++) {
		if (has_gone(c))
			return c;
		if (c->active_ms < oldest->active_ms)
			oldest = c;
	}
	return oldest;
}

static struct client *make_place(struct sw *sw, uint16_t door)
{
	struct client *first = first_of(sw->control, door), *victim;

	for (struct client *c = first; c < first + CONTROL_CLIENTS_MAX; c++)
		if (c->fd < 0)
			return c;
	victim = choose_victim(first);
	close_client(sw, victim);
	return victim;
}

static void arm_client(struct sw *sw, struct client *c);

static void welcome(struct sw *sw, uint16_t door, int fd)
{
	struct client *c = make_place(sw, door);

	c->fd = fd;
	loop_file_add(&sw->loop, fd);
	c->monitor = door == 1;
	c->active_ms = sw->now_ms;
	c->wait_id = PORT_NONE;
	++*count_of(sw->control, c);
	arm_client(sw, c);
}

void control_on_door(struct sw *sw, uint16_t door)
{
	struct door *d = &sw->control->doors[door];
	int fd;

	if (d->file.fd < 0)
		return; /* the switch ends */
	fd = accept4(d->file.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0) {
		welcome(sw, door, fd);
	} else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
		log_guest(sw->now_ms, "control socket %s: cannot accept: %s",
			  d->file.path, strerror(errno));
		d->paused = true;
		sw->accept_paused = true;
		return;
	}
	arm_door(sw, door);
}

void clients_each(struct sw *sw,
		  void (*each)(struct sw *sw, struct client *c, void *context),
		  void *context)
{
	for (uint16_t i = 0; i < CLIENTS; i++)
		if (sw->control->clients[i].fd >= 0)
			each(sw, &sw->control->clients[i], context);
}

void control_close(struct sw *sw)
{
	struct control *ctl = sw->control;

	for (uint16_t i = 0; ctl && i < CLIENTS; i++) {
		struct client *c = &ctl->clients[i];

		if (c->fd < 0)
			continue;
		if (c->capture && !c->job)
			capture_finish(sw, c);
		client_flush(sw, c);
		while (c->capture && capture_flush(sw, c))
			;
		close_client(sw, c);
	}
	for (int i = 0; ctl && i < CONTROL_DOORS; i++)
		if (ctl->doors[i].file.fd >= 0) {
			loop_file_remove(&sw->loop, ctl->doors[i].file.fd);
			opener_close_file(sw_opener(sw),
					  &ctl->doors[i].file);
		}
}

/* --- what a client says --------------------------------------------------- */

static bool is_answering(const struct client *c)
{
	return c->produce || c->job || c->wait_id != PORT_NONE;
}

/* Whether what it says is for us; monitoring and capturing last for ever. */
static bool takes_requests(const struct client *c)
{
	return !c->events && !c->capture && !c->closing && !c->failed;
}

/* The end of its first line, or NULL. */
static char *line_end(const struct client *c)
{
	return c->in_at < c->in_end
		       ? memchr(c->in + c->in_at, '\n', c->in_end - c->in_at)
		       : NULL;
}

/* Wait for what it says next, or reads. Who only listens is not read, but for
 * its end; and io_uring tells of that again and again. */
static void arm_client(struct sw *sw, struct client *c)
{
	/* Whether it goes on talking is open until its expression is compiled. */
	bool full = c->job || (takes_requests(c) && line_end(c));

	if (!c->reading && !c->readable && !c->in_ended && !full) {
		loop_arm_poll(sw, c->fd, takes_requests(c) ? POLLIN : POLLRDHUP,
			      LOOP_CLIENT_IN, c->index, c->gen);
		c->reading = true;
	}
	if (!c->writing && !c->retry && (client_pending(c) || capture_pending(c))) {
		loop_arm_poll(sw, c->fd, POLLOUT, LOOP_CLIENT_OUT, c->index,
			      c->gen);
		c->writing = true;
	}
}

/* It has ended its side, or all of it. A last line may lack its end. */
static void on_end(struct sw *sw, struct client *c)
{
	c->in_ended = true;
	if (c->capture && !c->job)
		capture_finish(sw, c);
	else if (takes_requests(c) && c->in_at < c->in_end && !line_end(c) &&
		 c->in_end <= CONTROL_LINE_BYTES)
		c->in[c->in_end++] = '\n';
}

static bool make_room(struct client *c)
{
	if (!c->in)
		c->in = malloc(CONTROL_LINE_BYTES + 1);
	if (!c->in)
		return false;
	c->in_end -= c->in_at;
	memmove(c->in, c->in + c->in_at, c->in_end);
	c->in_at = 0;
	return true;
}

/* Some of what it has said. */
static void take_input(struct sw *sw, struct client *c)
{
	ssize_t n;

	if (!takes_requests(c)) {
		on_end(sw, c); /* nothing else is told of such a client */
		return;
	}
	if (!make_room(c)) {
		c->failed = true;
		return;
	}
	n = recv(c->fd, c->in + c->in_end, CONTROL_LINE_BYTES + 1 - c->in_end,
		 MSG_DONTWAIT);
	if (n > 0)
		c->in_end += (size_t)n;
	else if (n == 0)
		on_end(sw, c);
	else if (errno != EAGAIN && errno != EINTR)
		c->failed = true;
	c->active_ms = sw->now_ms;
	if (c->in_end > CONTROL_LINE_BYTES && !line_end(c)) {
		client_refuse(c, "syntax",
			      "a line of more than %d bytes: requests are shorter",
			      CONTROL_LINE_BYTES);
		c->closing = true;
	}
}

/* Blank lines are no requests, however many there are. */
static void skip_blanks(struct client *c)
{
	while (c->in_at < c->in_end && strchr(" \t\r\n", c->in[c->in_at]) &&
	       c->in[c->in_at])
		c->in_at++;
}

static void execute_line(struct sw *sw, struct client *c)
{
	const char *line = c->in + c->in_at;
	size_t bytes = (size_t)(line_end(c) - line);

	c->in_at += bytes + 1;
	sw->control->counters.requests++;
	control_execute(sw, c, line, bytes);
	skip_blanks(c);
	/* What it had said behind that is for nobody. */
	if (!takes_requests(c))
		c->in_at = c->in_end;
}

/* --- steps ---------------------------------------------------------------- */

/* One step of @c. Returns whether there was something to do. */
static bool step(struct sw *sw, struct client *c)
{
	if (c->said) {
		c->said = false;
		return true;
	}
	if (client_pending(c) >= CONTROL_OUT_BYTES || c->failed)
		return false;
	if (c->readable) {
		c->readable = false;
		take_input(sw, c);
		skip_blanks(c);
		return true;
	}
	if (c->produce) {
		if (c->produce(sw, c)) {
			c->produce = NULL;
			client_put_text(c, "}\n");
		}
		return true;
	}
	if (c->wait_id != PORT_NONE) {
		if (ports_find(&sw->ports, c->wait_id, c->wait_gen))
			return false;
		c->wait_id = PORT_NONE;
		client_return(c, json_object());
		return true;
	}
	if (c->job || !takes_requests(c) || !line_end(c))
		return false;
	execute_line(sw, c);
	return true;
}

/* What follows from what has just been done for @c. */
static void settle(struct sw *sw, struct client *c)
{
	client_flush(sw, c);
	if (c->capture)
		capture_flush(sw, c);
	if (c->in_ended && takes_requests(c) && !is_answering(c) && !line_end(c))
		c->closing = true;
	if (c->failed ||
	    (c->closing && !client_pending(c) && !capture_pending(c)))
		close_client(sw, c);
	else
		arm_client(sw, c);
}

static bool step_somebody(struct sw *sw)
{
	struct control *ctl = sw->control;

	for (uint16_t n = 0; n < CLIENTS; n++) {
		struct client *c = &ctl->clients[ctl->next];

		ctl->next = (uint16_t)((ctl->next + 1) % CLIENTS);
		if (c->fd < 0 || !step(sw, c))
			continue;
		settle(sw, c);
		return true;
	}
	return false;
}

void control_run(struct sw *sw, bool traffic)
{
	struct control *ctl = sw->control;
	uint64_t now_ns, end_ns;

	if (!ctl->busy)
		return;
	now_ns = clock_now_ns();
	if (traffic && now_ns < ctl->not_before_ns)
		return;
	ctl->busy = step_somebody(sw);
	end_ns = clock_now_ns();
	ctl->not_before_ns = end_ns + CONTROL_SHARE * (end_ns - now_ns);
}

uint64_t control_wait_ns(const struct sw *sw, bool traffic)
{
	const struct control *ctl = sw->control;
	uint64_t now_ns;

	if (!ctl || !ctl->busy)
		return UINT64_MAX;
	if (!traffic)
		return 0;
	now_ns = clock_now_ns();
	return now_ns < ctl->not_before_ns ? ctl->not_before_ns - now_ns : 0;
}

void control_say(struct sw *sw, struct client *c)
{
	c->said = true;
	sw->control->busy = true;
}

void control_lost_event(struct sw *sw)
{
	sw->control->counters.events_lost++;
}

void control_poke(struct sw *sw)
{
	if (sw->control)
		sw->control->busy = true;
}

static struct client *find(struct sw *sw, uint16_t index, uint32_t gen)
{
	struct client *c = &sw->control->clients[index];

	return c->fd >= 0 && c->gen == gen ? c : NULL;
}

void control_on_input(struct sw *sw, uint16_t index, uint32_t gen, int events)
{
	struct client *c = find(sw, index, gen);

	if (!c)
		return;
	c->reading = false;
	/* Who only listens may talk: nobody reads it. */
	c->failed |= events < 0 || (events & POLLHUP && !takes_requests(c));
	c->readable = takes_requests(c) || events & POLLRDHUP;
	control_say(sw, c);
}

void control_on_compiled(struct sw *sw, uint16_t index, uint32_t gen)
{
	struct client *c = find(sw, index, gen);

	if (!c)
		return;
	capture_compiled(sw, c);
	sw->control->busy = true;
	settle(sw, c);
}

void control_on_output(struct sw *sw, uint16_t index, uint32_t gen, int events)
{
	struct client *c = find(sw, index, gen);

	if (!c)
		return;
	c->writing = false;
	/* io_uring tells of a side that has ended whatever is asked, at once
	 * and for ever. */
	if (events > 0 && !(events & (POLLOUT | POLLHUP | POLLERR))) {
		c->retry = true;
		sw->clients_retry = true;
		return;
	}
	control_say(sw, c);
}

static void try_again(struct sw *sw, struct client *c, void *context)
{
	(void)context;
	if (!c->retry)
		return;
	c->retry = false;
	control_say(sw, c);
}

void control_tick(struct sw *sw)
{
	sw->clients_retry = false;
	clients_each(sw, try_again, NULL);
}
