#include "listener.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/socket.h>
#include <unistd.h>

#include "admission.h"
#include "handover.h"
#include "handover_parts.h"
#include "handover_record.h"
#include "kept.h"
#include "log.h"
#include "loop.h"
#include "opener.h"
#include "port_bess.h"
#include "port_inherit.h"
#include "port_io.h"
#include "port_message.h"
#include "port_name.h"
#include "port_stream.h"
#include "port_uml.h"
#include "sw.h"
#include "vde_directory.h"

/* --- making them -------------------------------------------------------- */

static int adopt(struct listener *l, char *why, size_t why_bytes)
{
	int fd = atoi(l->endpoint->argument), kind, err;
	char wrong[128];
	struct sockaddr_un addr = { 0 };
	socklen_t bytes = sizeof(addr) - 1;

	err = inherit_listener_kind(fd, l->endpoint->name, &kind, wrong,
				    sizeof(wrong));
	if (err) {
		snprintf(why, why_bytes, "--listen fd:%d: %s", fd, wrong);
		return err;
	}
	socket_refuse_descriptors(fd);
	l->file.fd = fd;
	l->serves = (enum endpoint_kind)kind;
	/* Where it is, so that data sockets can be beside it; the file is
	 * another's to remove, and no file has inode 0. */
	if (!getsockname(fd, (void *)&addr, &bytes) && addr.sun_path[0] == '/')
		snprintf(l->file.path, sizeof(l->file.path), "%s",
			 addr.sun_path);
	return 0;
}

static int open_one(struct sw *sw, struct listener *l, char *why,
		    size_t why_bytes)
{
	if (l->endpoint->kind == LISTEN_FD)
		return adopt(l, why, why_bytes);
	return opener_listen(sw_opener(sw), l->endpoint, &l->file,
			     l->made_directory, why, why_bytes);
}

static bool has_data_sockets(const struct listener *l)
{
	return l->serves == LISTEN_UML || l->serves == LISTEN_VDE;
}

/* Those that a switch has left that was killed; none is anybody's else, since
 * the listener is ours now. Of others opener_listen() has seen to that. */
static void remove_leftovers(const struct sw *sw, const struct listener *l)
{
	char prefix[SOCKET_PATH_BYTES];

	if (l->endpoint->kind == LISTEN_FD && has_data_sockets(l) &&
	    listener_data_prefix(sw, l->endpoint, prefix, sizeof(prefix)))
		vde_directory_sweep(prefix);
}

/* Not while sockets of its guests are in there. */
static void remove_directory(struct sw *sw, struct listener *l)
{
	if (*l->made_directory &&
	    !opener_remove_directory(sw_opener(sw), l->made_directory))
		*l->made_directory = '\0';
}

static uint32_t key_of(const struct sw *sw, const struct listener *l)
{
	return KEPT_LISTENER + (uint32_t)(l - sw->listeners);
}

/* It is open since another process; what is beside it is in use. */
static bool take_over(struct sw *sw, struct listener *l)
{
	struct listener_record r;

	if (!handover_take_listener(sw, key_of(sw, l), &r, &l->file))
		return false;
	l->serves = r.serves;
	snprintf(l->made_directory, sizeof(l->made_directory), "%s",
		 r.made_directory);
	return true;
}

/* At the place in sw->listeners that @e has among the options. */
static int listen_at(struct sw *sw, const struct endpoint *e, char *why,
		     size_t why_bytes)
{
	struct listener *l = &sw->listeners[e - sw->options->listeners];
	int err;

	remove_directory(sw, l);
	*l = (struct listener){
		.file = { .fd = -1 },
		.endpoint = e,
		.serves = e->kind,
		.gen = l->gen,
	};
	while (sw->listener_count <= l - sw->listeners)
		sw->listeners[sw->listener_count++].file.fd = -1;
	if (take_over(sw, l)) {
		loop_file_add(&sw->loop, l->file.fd);
		return 0;
	}
	err = open_one(sw, l, why, why_bytes);
	if (err)
		return err;
	loop_file_add(&sw->loop, l->file.fd);
	if (!sw->running && e->kind == LISTEN_VDE)
		vde_directory_give(l->file.path, l->made_directory,
				   sw->options->user);
	remove_leftovers(sw, l);
	handover_keep_listener(sw, key_of(sw, l), e->argument, &l->file,
			       l->serves, l->made_directory);
	handover_options_changed(sw);
	return 0;
}

int listeners_open(struct sw *sw, char *why, size_t why_bytes)
{
	const struct options *o = sw->options;

	/* Most of them are never touched, and cost nothing. */
	sw->listeners = calloc(LISTENERS_MAX, sizeof(*sw->listeners));
	if (!sw->listeners) {
		snprintf(why, why_bytes, "out of memory");
		return -ENOMEM;
	}
	while (sw->listener_count < o->listener_count)
		sw->listeners[sw->listener_count++].file.fd = -1;
	for (unsigned i = 0; i < o->listener_count; i++) {
		int err = o->listeners[i].removed
				  ? 0
				  : listen_at(sw, &o->listeners[i], why,
					      why_bytes);

		if (err)
			return err;
	}
	return 0;
}

static void close_listener(struct sw *sw, struct listener *l)
{
	loop_file_remove(&sw->loop, l->file.fd);
	opener_close_file(sw_opener(sw), &l->file);
	l->file.fd = -1;
	remove_directory(sw, l);
}

struct listener *listener_add(struct sw *sw, const struct endpoint *e,
			      char *why, size_t why_bytes)
{
	struct listener *l = &sw->listeners[e - sw->options->listeners];

	if (listen_at(sw, e, why, why_bytes)) {
		close_listener(sw, l);
		return NULL;
	}
	loop_arm_accept(sw, (uint16_t)(l - sw->listeners));
	return l;
}

void listener_port_gone(struct sw *sw, const struct endpoint *e)
{
	struct listener *l;

	if (endpoint_role(e->kind) != ENDPOINT_LISTENER)
		return;
	l = &sw->listeners[e - sw->options->listeners];
	if (!listener_is_open(l))
		remove_directory(sw, l);
}

void listener_remove(struct sw *sw, struct listener *l)
{
	loop_cancel_accept(sw, (uint16_t)(l - sw->listeners));
	kept_forget(sw->kept, key_of(sw, l));
	handover_options_changed(sw);
	close_listener(sw, l);
	l->gen++;
}

void listeners_close(struct sw *sw)
{
	for (uint16_t i = 0; i < sw->listener_count; i++) {
		struct listener *l = &sw->listeners[i];

		if (listener_is_open(l))
			close_listener(sw, l);
		remove_directory(sw, l);
	}
	free(sw->listeners);
	sw->listeners = NULL;
	sw->listener_count = 0;
}

const char *listener_data_prefix(const struct sw *sw, const struct endpoint *e,
				 char *prefix, size_t bytes)
{
	const struct listener *l = &sw->listeners[e - sw->options->listeners];
	const char *path = l->file.path;
	int length = (int)strlen(path), written;

	if (*path != '/')
		return NULL;
	if (l->serves == LISTEN_VDE)
		length = (int)(strrchr(path, '/') - path);
	written = snprintf(prefix, bytes, "%.*s%c", length, path,
			   l->serves == LISTEN_VDE ? '/' : '.');
	return (size_t)written < bytes ? prefix : NULL;
}

/* --- letting in --------------------------------------------------------- */

static bool in_allowed_group(const struct options *o, gid_t gid)
{
	for (unsigned i = 0; i < o->allow_gid_count; i++)
		if (o->allow_gids[i] == gid)
			return true;
	return false;
}

/* Supplementary groups count as well: SO_PEERGROUPS, socket(7). */
static bool allowed(const struct options *o, int fd, const struct ucred *peer)
{
	gid_t groups[256];
	socklen_t bytes = sizeof(groups);

	if (!o->allow_uid_count && !o->allow_gid_count)
		return true;
	for (unsigned i = 0; i < o->allow_uid_count; i++)
		if (o->allow_uids[i] == peer->uid)
			return true;
	if (in_allowed_group(o, peer->gid))
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &bytes))
		return false;
	for (size_t i = 0; i < bytes / sizeof(gid_t); i++)
		if (in_allowed_group(o, groups[i]))
			return true;
	return false;
}

/* As whom we run, without a system call. */
static uid_t own_uid(const struct options *o)
{
	return o->user != (uid_t)-1 ? o->user : (uid_t)getauxval(AT_EUID);
}

static void evict_joining(struct sw *sw)
{
	struct port *p = admission_gives_way(&sw->ports);

	if (p)
		port_fail(&sw->ports, p, "silent, and its place is needed");
}

static bool is_reserved(const struct options *o, const char *name)
{
	for (unsigned i = 0; i < o->listener_count; i++)
		if (!o->listeners[i].removed &&
		    !strcmp(o->listeners[i].name, name))
			return true;
	for (unsigned i = 0; i < o->port_count; i++)
		if (!o->ports[i].removed && !strcmp(o->ports[i].name, name))
			return true;
	return false;
}

void listener_reclaim_name(struct sw *sw, const char *name)
{
	struct port *holder = port_by_name(&sw->ports, name);

	if (!holder || holder->reattach || !port_io_other_side_has_gone(holder))
		return;
	port_fail(&sw->ports, holder, "the other side has gone, and is back");
	loop_close_failed(sw);
}

/*
 * The name that a connection asks for: the listener's, or the last word of the
 * path that it has bound its own end to (UML: src=PATH). NULL if none, or one
 * that is not for it.
 */
static const char *wanted_name(struct sw *sw, const struct port *p,
			       struct sockaddr_un *addr)
{
	socklen_t bytes = sizeof(*addr) - 1;
	const char *name;

	if (*p->endpoint->name) {
		listener_reclaim_name(sw, p->endpoint->name);
		return p->endpoint->name;
	}
	memset(addr, 0, sizeof(*addr));
	if (getpeername(p->fd, (void *)addr, &bytes) || !addr->sun_path[0])
		return NULL;
	name = basename(addr->sun_path);
	if (!endpoint_name_is_good(name) || is_reserved(sw->options, name))
		return NULL;
	listener_reclaim_name(sw, name);
	return port_by_name(&sw->ports, name) ? NULL : name;
}

/* Nothing has to be said: whoever is connected takes part. */
static void attach(struct sw *sw, struct port *p)
{
	const struct endpoint *e = p->endpoint;
	struct sockaddr_un addr;
	int err = p->ops == &stream_ops ? stream_open(p, e->mtu)
					: message_open(sw, p, e->mtu);

	if (err) {
		log_guest(sw->now_ms, "pid %u uid %u: cannot get receive buffers: %s",
			  p->peer_pid, p->peer_uid, strerror(-err));
		port_fail(&sw->ports, p, "it cannot be attached");
		return;
	}
	port_name_give(&sw->ports, p, wanted_name(sw, p, &addr), 0);
	port_up(&sw->ports, p);
	log_guest(sw->now_ms, "port %s: pid %u uid %u attached", p->name,
		  p->peer_pid, p->peer_uid);
	p->ops->arm_recv(sw, p);
}

static const struct port_ops *ops_for(const struct listener *l)
{
	return l->serves == LISTEN_BESS	  ? &bess_ops
	       : l->serves == LISTEN_STREAM ? &stream_ops
					    : &uml_ops;
}

static void new_connection(struct sw *sw, const struct listener *l, int fd)
{
	struct ucred peer = { 0 };
	socklen_t bytes = sizeof(peer);
	struct port *p;
	char why[128];

	socket_refuse_descriptors(fd);
	getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes);
	if (!allowed(sw->options, fd, &peer)) {
		log_guest(sw->now_ms,
			  "%s:%s: connection of pid %d uid %u refused: not among --allow-uid, --allow-gid",
			  endpoint_kinds[l->endpoint->kind],
			  l->endpoint->argument, peer.pid, peer.uid);
		close(fd);
		return;
	}
	if (!admission_allows(&sw->ports, peer.uid, sw->options->ports_per_uid,
			      own_uid(sw->options), why, sizeof(why))) {
		log_guest(sw->now_ms,
			  "%s:%s: connection of pid %d uid %u refused: %s",
			  endpoint_kinds[l->endpoint->kind],
			  l->endpoint->argument, peer.pid, peer.uid, why);
		close(fd);
		return;
	}
	if (sw->ports.joining_count >= JOINING_MAX &&
	    admission_joining(&sw->ports) >= JOINING_MAX)
		evict_joining(sw);
	p = port_new(&sw->ports, ops_for(l), l->endpoint->queue, sw->now_ms);
	if (!p) {
		log_guest(sw->now_ms,
			  "%s:%s: connection of pid %d uid %u refused: all %d ports are in use",
			  endpoint_kinds[l->endpoint->kind],
			  l->endpoint->argument, peer.pid, peer.uid, PORTS_MAX);
		close(fd);
		return;
	}
	p->endpoint = l->endpoint;
	p->peer_pid = (uint32_t)peer.pid;
	p->peer_uid = peer.uid;
	loop_file_add(&sw->loop, fd);
	if (p->ops == &uml_ops) {
		p->control_fd = fd;
		uml_start(sw, p);
	} else {
		p->fd = fd;
		attach(sw, p);
	}
}

void listeners_start(struct sw *sw)
{
	for (uint16_t i = 0; i < sw->listener_count; i++)
		if (listener_is_open(&sw->listeners[i]))
			loop_arm_accept(sw, i);
}

/*
 * Out of descriptors: whoever is silent gives way, and the next attempt is
 * left to the tick; asking again at once would fail and fail.
 */
void listener_on_accept(struct sw *sw, uint16_t index, uint32_t gen, int res,
			bool more)
{
	struct listener *l = &sw->listeners[index];

	if (l->gen == gen && !more)
		l->accepting = false;
	if ((sw->stopping && !sw->restarting) || l->gen != gen) {
		if (res >= 0)
			close(res);
		return;
	}
	if (res >= 0) {
		l->complained = false;
		new_connection(sw, l, res);
		if (!more)
			loop_arm_accept(sw, index);
		return;
	}
	if (sw->quiescing)
		return;
	if (!l->complained)
		log_guest(sw->now_ms, "%s:%s: cannot accept a connection: %s%s",
			  endpoint_kinds[l->endpoint->kind],
			  l->endpoint->argument, strerror(-res),
			  res == -EMFILE ? " (raise the limit: ulimit -n)" : "");
	l->complained = true;
	evict_joining(sw);
	l->paused = true;
	sw->accept_paused = true;
}

void listeners_resume(struct sw *sw)
{
	sw->accept_paused = false;
	for (uint16_t i = 0; i < sw->listener_count; i++)
		if (listener_is_open(&sw->listeners[i]) &&
		    sw->listeners[i].paused) {
			sw->listeners[i].paused = false;
			loop_arm_accept(sw, i);
		}
}
