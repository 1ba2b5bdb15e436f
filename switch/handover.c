#include "handover.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "endpoint.h"
#include "handover_parts.h"
#include "handover_record.h"
#include "kept.h"
#include "log.h"
#include "options.h"
#include "socket_file.h"
#include "sw.h"

/* --- what is held --------------------------------------------------------- */

static void close_held(struct held *h)
{
	for (unsigned i = 0; i < h->fd_count; i++)
		close(h->fds[i]);
	free(h);
}

/* As much memory as its record needs. */
static bool remember(struct handover *ho, const struct held *h)
{
	size_t bytes = offsetof(struct held, record) + h->bytes;
	struct held **all = realloc(ho->found,
				    (ho->found_count + 1) * sizeof(*all));
	struct held *copy = malloc(bytes);

	if (all)
		ho->found = all;
	if (!all || !copy) {
		free(copy);
		return false;
	}
	memcpy(copy, h, bytes);
	ho->found[ho->found_count++] = copy;
	return true;
}

static int collect(struct sw *sw)
{
	struct handover *ho = sw->handover;
	struct held *h = malloc(sizeof(*h));
	int got = h ? kept_next(sw->kept, h) : -ENOMEM;

	for (; got == 1; got = kept_next(sw->kept, h))
		if (!remember(ho, h)) {
			got = -ENOMEM;
			break;
		}
	free(h);
	return got;
}

struct held *handover_take(struct sw *sw, uint32_t key)
{
	struct handover *ho = sw->handover;

	for (size_t i = 0; i < ho->found_count; i++)
		if (ho->found[i] && ho->found[i]->key == key) {
			struct held *h = ho->found[i];

			ho->found[i] = NULL;
			return h;
		}
	return NULL;
}

static void open_before(struct sw *sw)
{
	struct held *h = handover_take(sw, KEPT_COUNTERS);

	if (!h)
		return;
	if (h->fd_count == 1)
		sw->handover->before = shared_look(h->fds[0]);
	if (!sw->handover->before)
		log_info("counters and addresses start anew: another version has left them");
	close_held(h);
}

int handover_open(struct sw *sw, char *why, size_t why_bytes)
{
	struct handover *ho = calloc(1, sizeof(*ho));
	int err = ho ? kept_open(&sw->kept, why, why_bytes) : -ENOMEM, fd = -1;

	sw->handover = ho;
	if (!ho)
		snprintf(why, why_bytes, "out of memory");
	else
		ho->shared_fd = ho->frames_fd = -1;
	if (err)
		return err;
	err = collect(sw);
	if (!err) {
		open_before(sw);
		ho->shared = shared_new(sw->options->mac_entries,
					sw->kept ? &fd : NULL);
		err = ho->shared ? 0 : -errno;
	}
	if (err) {
		snprintf(why, why_bytes, "memory for counters and addresses: %s",
			 strerror(-err));
		return err;
	}
	ho->shared->started_wall_ns = ho->before
					      ? ho->before->started_wall_ns
					      : clock_wall_ns();
	ho->shared_fd = fd;
	sw->again = kept_starts(sw->kept) > 1;
	return 0;
}

void handover_free(struct sw *sw)
{
	struct handover *ho = sw->handover;

	for (size_t i = 0; ho && i < ho->found_count; i++)
		if (ho->found[i])
			close_held(ho->found[i]);
	if (ho) {
		free(ho->found);
		shared_free(ho->before);
		shared_free(ho->shared);
		if (ho->shared_fd >= 0)
			close(ho->shared_fd);
		if (ho->frames_fd >= 0)
			close(ho->frames_fd);
	}
	free(ho);
	sw->handover = NULL;
	kept_free(sw->kept);
	sw->kept = NULL;
}

/* --- listening sockets ---------------------------------------------------- */

void file_record_write(struct file_record *to, const struct socket_file *s)
{
	memset(to, 0, sizeof(*to));
	/* One that does not fit stays behind when the switch ends. */
	if (strlen(s->path) >= sizeof(to->path))
		return;
	memcpy(to->path, s->path, strlen(s->path));
	to->device = s->device;
	to->inode = s->inode;
}

void file_record_read(const struct file_record *from, int fd,
		      struct socket_file *to)
{
	to->fd = fd;
	to->device = from->device;
	to->inode = from->inode;
	memcpy(to->path, from->path, sizeof(from->path));
}

/* Whoever asks who listens (SO_PEERCRED) is told who calls listen(). */
static void listen_anew(int fd)
{
	if (listen(fd, LISTEN_BACKLOG))
		log_error("listen: %s", strerror(errno));
}

bool handover_take_listener(struct sw *sw, uint32_t key,
			    struct listener_record *r, struct socket_file *file)
{
	struct held *h = handover_take(sw, key);
	bool sound = h && h->fd_count == 1 &&
		     listener_record_read(h->record, h->bytes, r);

	if (sound) {
		file_record_read(&r->file, h->fds[0], file);
		listen_anew(file->fd);
		free(h);
	} else if (h) {
		log_error("%.*s: another version has left it in a way that is not understood",
			  (int)sizeof(h->name), h->name);
		close_held(h);
	}
	return sound;
}

bool handover_take_socket(struct sw *sw, uint32_t key, struct socket_file *to)
{
	struct listener_record r;

	return handover_take_listener(sw, key, &r, to);
}

void handover_keep_listener(struct sw *sw, uint32_t key, const char *name,
			    const struct socket_file *s, unsigned serves,
			    const char *made_directory)
{
	struct listener_record r = { .version = HANDOVER_VERSION,
				     .serves = serves };

	if (!sw->kept)
		return;
	file_record_write(&r.file, s);
	/* One that is cut would be another. */
	if (made_directory && strlen(made_directory) < sizeof(r.made_directory))
		strcpy(r.made_directory, made_directory);
	if (kept_keep(sw->kept, key, 0, name, &r, sizeof(r), &s->fd, 1))
		log_error("%s: would not outlive a crash", name);
}

void handover_keep_socket(struct sw *sw, uint32_t key, const char *name,
			  const struct socket_file *s)
{
	handover_keep_listener(sw, key, name, s, 0, NULL);
}

/* --- the configuration ---------------------------------------------------- */

static void take_endpoint(struct options *o, bool listener, unsigned number,
			  const char *text)
{
	struct endpoint *all = listener ? o->listeners : o->ports;
	unsigned *count = listener ? &o->listener_count : &o->port_count;
	char why[512];

	for (; *count <= number; ++*count)
		all[*count].removed = true;
	if (endpoint_parse(listener ? ENDPOINT_LISTENER : ENDPOINT_PORT, text,
			   &all[number], why, sizeof(why))) {
		log_error("'%.100s' is gone: must be %s", text, why);
		all[number].removed = true;
	}
}

static void take_endpoints(struct options *o, const char *text, size_t bytes)
{
	const char *at = text, *end = text + bytes, *what;
	unsigned number;
	bool listener;

	memset(o->listeners, 0, sizeof(o->listeners));
	memset(o->ports, 0, sizeof(o->ports));
	o->listener_count = o->port_count = 0;
	while (at) {
		at = handover_endpoint_next(at, end, &listener, &number, &what);
		if (at)
			take_endpoint(o, listener, number, what);
	}
}

int handover_options(struct sw *sw, char *why, size_t why_bytes)
{
	struct held *h = handover_take(sw, KEPT_OTHERS);
	struct stat st;
	char *text;

	(void)why;
	(void)why_bytes;
	if (!h)
		return 0;
	if (h->fd_count == 1 && !fstat(h->fds[0], &st) && st.st_size > 0 &&
	    st.st_size < CONFIG_FILE_BYTES * 4) {
		text = malloc((size_t)st.st_size);
		/* Read, not mapped: nobody can take it away under us. */
		if (text && pread(h->fds[0], text, (size_t)st.st_size, 0) ==
				    st.st_size)
			take_endpoints(sw->options, text, (size_t)st.st_size);
		free(text);
	}
	close_held(h);
	return 0;
}

static void write_endpoints(FILE *to, char letter, const struct endpoint *all,
			    unsigned count)
{
	char text[ENDPOINT_BYTES];

	for (unsigned i = 0; i < count; i++)
		if (!all[i].removed)
			fprintf(to, "%c%u %s%c", letter, i,
				endpoint_format(&all[i], text, sizeof(text)),
				'\0');
}

/* A new file each time: whoever dies in between leaves the old one. */
static int keep_options(struct sw *sw)
{
	const struct options *o = sw->options;
	int fd = memfd_create("ringswitch", MFD_CLOEXEC), err;
	FILE *to = fd >= 0 ? fdopen(fd, "w") : NULL;

	if (!to) {
		if (fd >= 0)
			close(fd);
		return -errno;
	}
	write_endpoints(to, 'L', o->listeners, o->listener_count);
	write_endpoints(to, 'P', o->ports, o->port_count);
	err = fflush(to) ? -EIO : 0;
	if (!err)
		err = kept_keep(sw->kept, KEPT_OTHERS, 0, "configuration", NULL,
				0, &fd, 1);
	fclose(to);
	return err;
}

void handover_options_changed(struct sw *sw)
{
	sw->handover->options_changed = sw->ports.changed = true;
}

/* --- while it runs -------------------------------------------------------- */

void handover_done(struct sw *sw)
{
	struct handover *ho = sw->handover;

	for (size_t i = 0; i < ho->found_count; i++) {
		if (!ho->found[i])
			continue;
		kept_forget(sw->kept, ho->found[i]->key);
		close_held(ho->found[i]);
	}
	free(ho->found);
	ho->found = NULL;
	ho->found_count = 0;
	shared_free(ho->before);
	ho->before = NULL;
	if (sw->kept && kept_keep(sw->kept, KEPT_COUNTERS, 0, "counters", NULL,
				  0, &ho->shared_fd, 1))
		log_error("counters would not outlive a crash");
	handover_options_changed(sw);
	for (uint16_t i = 0; i < sw->ports.id_end; i++)
		sw->ports.by_id[i]->changed = true;
	handover_round(sw);
}

/* What could not be said now is said in a tick (needs_tick()). */
void handover_round(struct sw *sw)
{
	struct handover *ho = sw->handover;

	sw->ports.changed = false;
	if (ho->options_changed && sw->kept) {
		ho->options_changed = keep_options(sw) == -EAGAIN;
		sw->ports.changed = ho->options_changed;
	}
	for (uint16_t i = 0; i < sw->ports.id_end; i++) {
		struct port *p = sw->ports.by_id[i];

		if (!p->changed)
			continue;
		p->changed = handover_port(sw, p) == -EAGAIN;
		sw->ports.changed |= p->changed;
	}
}

/* --- a planned restart ---------------------------------------------------- */

/* The keeper reads on when it has time; without it there is no restart. */
static void wait_for_keeper(const struct sw *sw)
{
	struct pollfd state = { .fd = kept_fd(sw->kept), .events = POLLOUT };

	poll(&state, 1, 1000);
}

static void keep_frames(struct sw *sw)
{
	int fd = handover_frames_write(sw), err = fd;

	while (fd >= 0 && (err = kept_keep(sw->kept, KEPT_FRAMES, 0, "frames",
					   NULL, 0, &fd, 1)) == -EAGAIN)
		wait_for_keeper(sw);
	if (err)
		log_error("frames that are in the switch are lost: %s",
			  strerror(-err));
}

int handover_leave(struct sw *sw)
{
	int err;

	for (uint16_t i = 0; i < sw->ports.id_end; i++) {
		struct port *p = sw->ports.by_id[i];

		if (p->state != PORT_UP && p->state != PORT_JOINING)
			continue;
		port_changed(&sw->ports, p);
		/* Floods that it has missed since it stalled are counted now. */
		port_set_flags(&sw->ports, p, p->flags);
	}
	for (handover_round(sw); sw->ports.changed; handover_round(sw))
		wait_for_keeper(sw);
	keep_frames(sw);
	while ((err = kept_restart(sw->kept)) == -EAGAIN)
		wait_for_keeper(sw);
	return err;
}
