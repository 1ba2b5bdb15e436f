/*
 * Taps from one switch process to the next: its device, as it is now, and its
 * filter. What else happened to the device meanwhile is told of when network
 * devices are watched again.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../tap/filter.h"
#include "endpoint.h"
#include "port_io.h"
#include "port_security.h"
#include "port_tap.h"
#include "port_tap_inside.h"
#include "sw.h"

struct tap_record {
	uint32_t link_index;
	uint32_t frame_max;
	uint64_t device;
	uint8_t attached, link_down, inherited;
	uint8_t unused[5];
	uint64_t filter_bytes;
	unsigned char filter[FILTER_RECORD_BYTES];
};

_Static_assert(sizeof(struct tap_record) <= TAP_RECORD_BYTES, "room for it");

int tap_port_export(const struct port *p, void *record, size_t bytes, int *fds,
		    unsigned *n)
{
	struct filter_record filter = { 0 };
	struct tap_record r = {
		.link_index = p->link_index,
		.frame_max = p->frame_max,
		.device = p->device,
		.attached = !p->detached,
		.link_down = p->link_down,
		.inherited = !p->reattach,
	};

	if (bytes < sizeof(r))
		return -EMSGSIZE;
	*n = 0;
	if (r.attached)
		fds[(*n)++] = p->fd;
	if (p->filter)
		filter_export(p->filter, &filter);
	for (unsigned i = 0; i < filter.fd_count; i++)
		fds[(*n)++] = filter.fds[i];
	r.filter_bytes = filter.bytes;
	memcpy(r.filter, filter.record, sizeof(r.filter));
	memcpy(record, &r, sizeof(r));
	return sizeof(r);
}

/* The filter that is behind the device in @fds; NULL, and 0, if there is
 * none. */
static int adopt_filter(const struct endpoint *e, const struct tap_record *r,
			const int *fds, unsigned n, struct filter **filter,
			char *why, size_t why_bytes)
{
	const struct filter_options wanted = port_tap_filters(e);
	struct filter_record record = { .bytes = r->filter_bytes,
					.fd_count = n };

	*filter = NULL;
	if (!r->filter_bytes && !n && !filter_is_wanted(&wanted))
		return 0;
	if (!r->filter_bytes || r->filter_bytes > sizeof(record.record) ||
	    n > FILTER_FDS) {
		snprintf(why, why_bytes,
			 "tap %s: what was left of it makes no sense",
			 e->argument);
		return -EINVAL;
	}
	memcpy(record.record, r->filter, sizeof(record.record));
	memcpy(record.fds, fds, n * sizeof(*fds));
	*filter = filter_import(&wanted, e->argument, &record, why, why_bytes);
	return *filter ? 0 : -EINVAL;
}

static int read_record(const struct endpoint *e, const void *record,
		       size_t bytes, unsigned n, struct tap_record *r,
		       char *why, size_t why_bytes)
{
	if (bytes == sizeof(*r)) {
		memcpy(r, record, sizeof(*r));
		if (n >= r->attached && r->attached <= 1 &&
		    (r->attached || !r->inherited))
			return 0;
	}
	snprintf(why, why_bytes, "tap %s: what was left of it makes no sense",
		 e->argument);
	return -EINVAL;
}

/* Nothing of this fails any more. */
static void adopt(struct sw *sw, struct port *p, const struct tap_record *r,
		  struct filter *filter, int fd)
{
	p->reattach = r->inherited ? NULL : port_tap_attach_again;
	p->link_index = r->link_index;
	p->link_down = r->link_down;
	p->frame_max = r->frame_max;
	p->tags_extra = true;
	p->detached = !r->attached;
	p->fd = fd;
	if (fd >= 0)
		loop_file_add(&sw->loop, fd);
	port_tap_use_filter(sw, p, filter);
	if (r->device)
		port_set_device(&sw->ports, p, r->device);
}

struct port *tap_port_adopt(struct sw *sw, uint16_t id,
			    const struct endpoint *e, const void *record,
			    size_t bytes, const int *fds, unsigned n, char *why,
			    size_t why_bytes)
{
	struct filter *filter = NULL;
	struct tap_record r;
	struct port *p;

	if (read_record(e, record, bytes, n, &r, why, why_bytes))
		return NULL;
	p = port_new_at(&sw->ports, &tap_ops, e->queue, sw->now_ms, id);
	if (!p) {
		snprintf(why, why_bytes, "out of memory");
		return NULL;
	}
	p->endpoint = e;
	if (port_tap_make_pool(sw, p, e->argument, why, why_bytes) ||
	    adopt_filter(e, &r, fds + r.attached, n - r.attached, &filter, why,
			 why_bytes)) {
		port_fail(&sw->ports, p, "cannot be taken over");
		return NULL;
	}
	adopt(sw, p, &r, filter, r.attached ? fds[0] : -1);
	return p;
}

void tap_port_resume(struct sw *sw, struct port *p)
{
	if (p->detached)
		port_io_look(sw, p);
	port_tap_arm_samples(sw, p);
}
