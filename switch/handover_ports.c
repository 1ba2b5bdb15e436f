/*
 * Ports: what is kept of each, and how it comes back.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "handover.h"
#include "handover_parts.h"
#include "handover_record.h"
#include "kept.h"
#include "log.h"
#include "mac.h"
#include "port_bess.h"
#include "port_connect.h"
#include "port_dgram.h"
#include "port_message.h"
#include "port_name.h"
#include "port_stream.h"
#include "port_tap.h"
#include "port_uml.h"
#include "socket_file.h"
#include "sw.h"

/* --- keeping -------------------------------------------------------------- */

static enum port_record_kind kind_of(const struct port *p)
{
	return p->ops == &uml_ops      ? RECORD_UML
	       : p->ops == &bess_ops   ? RECORD_BESS
	       : p->ops == &stream_ops ? RECORD_STREAM
	       : p->ops == &dgram_ops  ? RECORD_DGRAM
				       : RECORD_TAP;
}

static uint16_t endpoint_number(const struct sw *sw, const struct endpoint *e)
{
	const struct options *o = sw->options;

	return (uint16_t)(endpoint_role(e->kind) == ENDPOINT_LISTENER
				  ? e - o->listeners
				  : e - o->ports);
}

static uint8_t flags_of(const struct port *p)
{
	return (uint8_t)((p->named ? RECORD_NAMED : 0) |
			 (p->is_vde ? RECORD_VDE : 0) |
			 (p->fd < 0 || p->detached ? RECORD_DETACHED : 0) |
			 (p->state == PORT_JOINING ? RECORD_JOINING : 0) |
			 (p->control_fd >= 0 ? RECORD_HAS_CONTROL : 0) |
			 (endpoint_role(p->endpoint->kind) == ENDPOINT_LISTENER
				  ? RECORD_LISTENER
				  : 0));
}

static uint16_t address_of(int fd, char *to, size_t bytes,
			   int (*ask)(int, struct sockaddr *, socklen_t *))
{
	struct sockaddr_un addr = { 0 };
	socklen_t length = sizeof(addr);

	if (ask(fd, (void *)&addr, &length) || length > bytes)
		return 0;
	memcpy(to, &addr, length);
	return (uint16_t)length;
}

static void write_record(const struct sw *sw, const struct port *p,
			 struct port_record *r)
{
	memset(r, 0, sizeof(*r));
	r->version = HANDOVER_VERSION;
	r->kind = (uint8_t)kind_of(p);
	r->flags = flags_of(p);
	r->number = p->number;
	r->endpoint = endpoint_number(sw, p->endpoint);
	r->peer_pid = p->peer_pid;
	r->peer_uid = p->peer_uid;
	port_settings_of(p, &r->settings);
	memcpy(r->name, p->name, sizeof(r->name));
	memcpy(r->description, p->description, sizeof(r->description));
	endpoint_format_short(p->endpoint, r->where, sizeof(r->where));
	if (r->kind == RECORD_UML && p->fd >= 0) {
		r->own_bytes = address_of(p->fd, r->own, sizeof(r->own),
					  getsockname);
		r->guest_bytes = address_of(p->fd, r->guest, sizeof(r->guest),
					    getpeername);
	}
	if (p->state == PORT_JOINING) {
		r->request_bytes = (uint16_t)p->request_bytes;
		memcpy(r->request, p->request, sizeof(r->request));
	}
	if (p->file)
		file_record_write(&r->file, p->file);
}

/* Only a guest that goes on sending to where it was told has anything of a record
 * without its descriptors. A VDE client's socket is connected to ours, and would
 * have to be connected anew by itself. */
static unsigned durability(const struct port_record *r)
{
	return r->own_bytes && r->guest_bytes && !(r->flags & RECORD_VDE)
		       ? KEEPER_DURABLE
		       : 0;
}

static int keep(struct sw *sw, const struct port *p)
{
	struct {
		struct port_record port;
		uint8_t tap[TAP_RECORD_BYTES];
	} r;
	size_t bytes = sizeof(r.port);
	int fds[KEEPER_FDS_MAX], tap_bytes;
	unsigned n = 0;

	write_record(sw, p, &r.port);
	if (r.port.kind == RECORD_TAP) {
		tap_bytes = tap_port_export(p, r.tap, sizeof(r.tap), fds, &n);
		if (tap_bytes < 0)
			return tap_bytes;
		bytes += (size_t)tap_bytes;
	} else {
		if (p->fd >= 0)
			fds[n++] = p->fd;
		if (p->control_fd >= 0)
			fds[n++] = p->control_fd;
	}
	return kept_keep(sw->kept, p->id, durability(&r.port), p->name, &r,
			 bytes, fds, n);
}

int handover_port(struct sw *sw, struct port *p)
{
	int err;

	if (!sw->kept)
		return 0;
	if (p->state != PORT_UP && p->state != PORT_JOINING)
		return kept_forget(sw->kept, p->id);
	err = keep(sw, p);
	if (err && err != -EAGAIN)
		log_guest(sw->now_ms, "port %s: would not outlive a crash: %s",
			  p->name, strerror(-err));
	return err;
}

/* --- coming back ---------------------------------------------------------- */

/* The endpoint that it says, if that is still the same; or one that is. */
static const struct endpoint *find_endpoint(const struct sw *sw,
					    const struct port_record *r)
{
	const struct options *o = sw->options;
	bool listener = r->flags & RECORD_LISTENER;
	const struct endpoint *all = listener ? o->listeners : o->ports;
	unsigned count = listener ? o->listener_count : o->port_count;
	char text[ENDPOINT_BYTES];

	for (unsigned i = 0; i <= count; i++) {
		const struct endpoint *e = &all[i ? i - 1 : r->endpoint];

		if (!i && r->endpoint >= count)
			continue;
		endpoint_format_short(e, text, sizeof(text));
		if (!strcmp(text, r->where))
			return e;
	}
	return NULL;
}

static const struct port_ops *ops_of(unsigned kind)
{
	return kind == RECORD_UML      ? &uml_ops
	       : kind == RECORD_BESS   ? &bess_ops
	       : kind == RECORD_STREAM ? &stream_ops
				       : &dgram_ops;
}

/* Its descriptors, in the order of keep(). */
static bool give_descriptors(struct port *p, const struct port_record *r,
			     struct held *h)
{
	bool has_frames = p->ops == &dgram_ops || !(r->flags & RECORD_DETACHED);
	unsigned n = 0;

	if (r->flags & RECORD_JOINING)
		has_frames = false;
	if (h->fd_count != (unsigned)has_frames + !!(r->flags & RECORD_HAS_CONTROL))
		return false;
	if (has_frames)
		p->fd = h->fds[n++];
	if (r->flags & RECORD_HAS_CONTROL)
		p->control_fd = h->fds[n++];
	h->fd_count = 0; /* they are the port's */
	p->detached = r->flags & RECORD_DETACHED && !(r->flags & RECORD_JOINING);
	return true;
}

static int open_buffers(struct sw *sw, struct port *p)
{
	return p->ops == &stream_ops ? stream_open(p, p->endpoint->mtu)
				     : message_open(sw, p, p->endpoint->mtu);
}

/* What is special to a kind. False with a line in @why. */
static bool complete(struct sw *sw, struct port *p, const struct port_record *r,
		     const char **why)
{
	int err = 0;

	memcpy(p->description, r->description, sizeof(p->description));
	if (r->flags & RECORD_JOINING) {
		p->request_bytes = r->request_bytes;
		memcpy(p->request, r->request, sizeof(p->request));
		return true;
	}
	err = open_buffers(sw, p);
	if (!err && p->ops == &uml_ops)
		uml_adopt(p, r->flags & RECORD_VDE);
	else if (!err && p->ops == &dgram_ops)
		err = dgram_adopt(sw, p, &r->file);
	else if (!err && endpoint_role(p->endpoint->kind) == ENDPOINT_PORT)
		connect_adopt(sw, p);
	if (!err && p->ops == &stream_ops)
		stream_adopt(p);
	*why = "no memory for its buffers";
	return !err;
}

static struct port *adopt_socket(struct sw *sw, struct held *h,
				 const struct port_record *r,
				 const struct endpoint *e, const char **why)
{
	struct port *p = port_new_at(&sw->ports, ops_of(r->kind),
				     r->settings.queue, sw->now_ms,
				     (uint16_t)h->key);

	*why = "no memory";
	if (!p)
		return NULL;
	p->endpoint = e;
	p->peer_pid = r->peer_pid;
	p->peer_uid = r->peer_uid;
	*why = "its descriptors are not there";
	if (h->flags & KEEPER_FROM_FILE
		    ? !uml_revive(p, r, why)
		    : !give_descriptors(p, r, h) || !complete(sw, p, r, why)) {
		port_fail(&sw->ports, p, *why);
		return NULL;
	}
	if (h->flags & KEEPER_FROM_FILE && !complete(sw, p, r, why)) {
		port_fail(&sw->ports, p, *why);
		return NULL;
	}
	if (p->fd >= 0)
		loop_file_add(&sw->loop, p->fd);
	if (p->control_fd >= 0)
		loop_file_add(&sw->loop, p->control_fd);
	return p;
}

static struct port *adopt_tap(struct sw *sw, struct held *h,
			      const struct endpoint *e, char *why,
			      size_t why_bytes)
{
	struct port *p = tap_port_adopt(
		sw, (uint16_t)h->key, e, h->record + sizeof(struct port_record),
		h->bytes - sizeof(struct port_record), h->fds, h->fd_count, why,
		why_bytes);

	if (p)
		h->fd_count = 0;
	return p;
}

/* What arm_recv(), which start-up calls for all, does not ask for. */
static void resume(struct sw *sw, struct port *p)
{
	if (kind_of(p) == RECORD_TAP)
		tap_port_resume(sw, p);
	else if (p->ops == &uml_ops && p->control_fd >= 0)
		uml_start(sw, p);
}

void handover_release(struct sw *sw, struct port *p)
{
	p->quarantined = false;
	/* The keeper's mark goes with what it holds, which it gets again. */
	kept_forget(sw->kept, p->id);
	p->changed = sw->ports.changed = true;
	resume(sw, p);
	p->ops->arm_recv(sw, p);
	log_info("port %s: out of quarantine", p->name);
}

/* It takes part again, as it was set. */
static void up(struct sw *sw, struct port *p, const struct held *h,
	       const struct port_record *r)
{
	port_name_restore(&sw->ports, p, r->name, r->number,
			  r->flags & RECORD_NAMED);
	if (sw->handover->before && !(h->flags & KEEPER_FROM_FILE))
		shared_take_port(sw->handover->before, p);
	p->kept = true;
	p->last = r->settings;
	port_up(&sw->ports, p);
	port_set_flags(&sw->ports, p, p->flags | r->settings.flags);
	p->kept = false;
	if (h->flags & KEEPER_QUARANTINED) {
		log_error("port %s: in quarantine, since the switch has crashed three times with a frame of its guest: ringctl port del %s, or try again with ringctl port up %s",
			  p->name, p->name, p->name);
		p->quarantined = true;
		port_set_flags(&sw->ports, p, p->flags | PORT_ADMIN_DOWN);
	} else {
		resume(sw, p);
	}
}

static void adopt(struct sw *sw, struct held *h)
{
	char line[512] = "";
	const char *why = line;
	struct port_record r;
	const struct endpoint *e = NULL;
	struct port *p = NULL;

	if (!port_record_read(h->record, h->bytes, &r))
		why = "another version has left it in a way that is not understood";
	else if (!(e = find_endpoint(sw, &r)))
		why = "what it belongs to has gone";
	else if (!port_record_fits(&r, e->kind))
		why = "it is not what belongs there";
	else if (r.flags & RECORD_JOINING && h->flags & KEEPER_QUARANTINED)
		why = "the switch has crashed three times with it joining";
	else if (r.kind == RECORD_TAP)
		p = adopt_tap(sw, h, e, line, sizeof(line));
	else
		p = adopt_socket(sw, h, &r, e, &why);
	if (!p)
		log_error("port %.*s: closed: %s", KEEPER_NAME_BYTES, h->name,
			  why);
	else if (!(r.flags & RECORD_JOINING))
		up(sw, p, h, &r);
	/* One that is joining goes on in the next tick: what it joins by is not
	 * open yet (uml_expire_joining()). */
	for (unsigned i = 0; i < h->fd_count; i++)
		close(h->fds[i]);
	if (!p)
		kept_forget(sw->kept, h->key);
}

static bool is_up(const void *context, uint16_t id)
{
	const struct ports *ps = context;

	return id < ps->id_end && ps->by_id[id]->state == PORT_UP;
}

void handover_ports(struct sw *sw)
{
	struct handover *ho = sw->handover;
	struct held *frames;

	if (ho->before)
		shared_take_past(ho->before, &sw->ports);
	for (size_t i = 0; i < ho->found_count; i++) {
		struct held *h = ho->found[i];

		if (!h || h->key >= PORTS_MAX)
			continue;
		ho->found[i] = NULL;
		adopt(sw, h);
		free(h);
	}
	if (ho->before)
		mac_restore(sw->forward.macs, shared_macs(ho->before),
			    ho->before->mac_entries, is_up, &sw->ports);
	frames = handover_take(sw, KEPT_FRAMES);
	if (frames && frames->fd_count == 1)
		handover_frames_read(sw, frames->fds[0]);
	if (frames) {
		kept_forget(sw->kept, KEPT_FRAMES);
		for (unsigned i = 0; i < frames->fd_count; i++)
			close(frames->fds[i]);
	}
	free(frames);
}
