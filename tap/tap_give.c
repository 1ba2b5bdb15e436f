#include "tap_give.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../switch/clock.h"
#include "filter_attach.h"

/* The device as the kernel's restarts leave it: busy for a moment. */
static int open_device(const struct tap_wish *w, struct tap_state *state,
		       char *why, size_t why_bytes)
{
	int fd = -EBUSY;

	for (int tries = 0; fd == -EBUSY && tries < w->tries; tries++) {
		if (tries)
			clock_pause();
		fd = tap_open(w->name, state, why, why_bytes);
	}
	return fd;
}

static int finish(const struct tap_wish *w, int fd, struct tap_state *state,
		  struct filter *filter, char *why, size_t why_bytes)
{
	int err = filter ? filter_open(filter, fd, state->name, clock_now_ms(),
				       why, why_bytes)
			 : 0;

	if (!filter || !filter_judges_to_host(filter))
		state->foreign_xdp = filter_xdp_id(state->name);
	return !err && w->mtu ? tap_set_mtu(state, w->mtu, why, why_bytes)
			      : err;
}

int tap_make(const struct tap_wish *w, struct tap_state *state,
	     struct filter **filter, char *why, size_t why_bytes)
{
	int fd, err;

	*filter = NULL;
	/* What is wrong with it shows before there is a device. */
	if (filter_is_wanted(&w->filter)) {
		*filter = filter_new(&w->filter, w->name, why, why_bytes);
		if (!*filter)
			return -EINVAL;
	}
	fd = err = open_device(w, state, why, why_bytes);
	if (fd >= 0) {
		err = finish(w, fd, state, *filter, why, why_bytes);
		if (!err)
			return fd;
		if (*filter)
			filter_close(*filter, fd);
		close(fd);
	}
	filter_free(*filter);
	*filter = NULL;
	return err;
}

/* Giving ------------------------------------------------------------------ */

/* The filter goes, what is in @to stays. Returns 0 or -errno. */
static int give_filter(struct filter *filter, struct filter_record *to)
{
	unsigned given = 0;

	to->bytes = to->fd_count = 0;
	if (!filter)
		return 0;
	filter_export(filter, to);
	while (given < to->fd_count) {
		int fd = fcntl(to->fds[given], F_DUPFD_CLOEXEC, 0);

		if (fd < 0)
			break;
		to->fds[given++] = fd;
	}
	filter_free(filter);
	if (given == to->fd_count)
		return 0;
	while (given)
		close(to->fds[--given]);
	to->bytes = to->fd_count = 0;
	return -EMFILE;
}

static void use_up(struct filter_record *r)
{
	for (unsigned i = 0; i < r->fd_count; i++)
		close(r->fds[i]);
	r->bytes = r->fd_count = 0;
}

/* The device has gone and is there again, made by somebody else: we make none.
 * It is taken with another MTU than was said rather than not at all. */
static int make_again(const struct tap_wish *w, struct tap_state *state,
		      struct filter *filter, char *why, size_t why_bytes)
{
	char ignored[FILTER_WHY_BYTES];
	int fd, err;

	snprintf(why, why_bytes, "tap %s: is not there", w->name);
	if (!if_nametoindex(w->name))
		return -ENODEV;
	fd = tap_open(w->name, state, why, why_bytes);
	if (fd < 0)
		return fd;
	err = filter ? filter_open(filter, fd, state->name, clock_now_ms(),
				   why, why_bytes)
		     : 0;
	if (err) {
		close(fd);
		/* It is somebody's program that is there, and may stay. */
		return err == -EBUSY ? -EEXIST : err;
	}
	if (w->mtu)
		tap_set_mtu(state, w->mtu, ignored, sizeof(ignored));
	return fd;
}

static int give_again(const struct tap_wish *w, struct tap_state *state,
		      struct filter_record *old, struct filter **filter,
		      char *why, size_t why_bytes)
{
	*filter = NULL;
	if (old->bytes) {
		*filter = filter_import(&w->filter, w->name, old, why,
					why_bytes);
		if (!*filter) {
			use_up(old);
			return -EINVAL;
		}
	}
	return make_again(w, state, *filter, why, why_bytes);
}

int tap_give(const struct tap_wish *w, bool again, struct tap_state *state,
	     struct filter_record *filter, char *why, size_t why_bytes)
{
	struct filter *made;
	int fd = again ? give_again(w, state, filter, &made, why, why_bytes)
		       : tap_make(w, state, &made, why, why_bytes);
	int err;

	if (fd < 0) {
		filter_free(made);
		filter->bytes = filter->fd_count = 0;
		return fd;
	}
	err = give_filter(made, filter);
	if (!err)
		return fd;
	snprintf(why, why_bytes, "tap %s: %s", w->name, strerror(-err));
	close(fd);
	return err;
}

void tap_give_bare(int tap_fd)
{
	filter_bare(tap_fd);
}
