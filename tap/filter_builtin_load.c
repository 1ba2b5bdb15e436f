#include "filter_builtin_load.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "filter.skel.h"
#include "filter_program.h"

/* Room for a set: 4 MiB, but at least twice what the first file needs. Maps
 * cannot be made larger later, when privileges have gone. */
enum { LINES_MIN = 65536 };

_Static_assert(offsetof(struct filter_bpf__bss, in_force) == 0,
	       "where filter_memory.c looks for it");

static int load(struct filter_bpf **skeleton, const char *tap, uint32_t room,
		char *log, char *why, size_t why_bytes)
{
	struct bpf_object_open_opts options;
	const char *reason;
	int err;

	/* libbpf wants zeros in its padding, too. */
	memset(&options, 0, sizeof(options));
	options.sz = sizeof(options);
	options.kernel_log_buf = log;
	options.kernel_log_size = FILTER_LOG_BYTES;
	*skeleton = filter_bpf__open_opts(&options);
	err = *skeleton ? bpf_map__set_max_entries((*skeleton)->maps.lines,
						   FILTER_SETS * room)
			: -errno;
	if (!err)
		err = filter_bpf__load(*skeleton);
	if (!err)
		return 0;
	reason = filter_verifier_reason(log, err);
	snprintf(why, why_bytes,
		 "tap %s: rules: cannot load the built-in filter: %s (%s)", tap,
		 reason ? reason : strerror(-err), filter_load_remedy(err));
	return err;
}

/* What libbpf has, it closes. */
static int take(struct filter_bpf *skeleton, struct filter_builtin_loaded *to)
{
	const int from[] = {
		bpf_program__fd(skeleton->progs.to_guests),
		bpf_program__fd(skeleton->progs.to_host),
		bpf_map__fd(skeleton->maps.lines),
		bpf_map__fd(skeleton->maps.bss),
		bpf_map__fd(skeleton->maps.samples),
	};
	int *const fds[] = {
		&to->programs.socket_fd,
		&to->programs.xdp_fd,
		&to->map_fd[FILTER_MAP_LINES],
		&to->map_fd[FILTER_MAP_STATE],
		&to->map_fd[FILTER_MAP_SAMPLES],
	};

	for (size_t i = 0; i < sizeof(from) / sizeof(*from); i++) {
		*fds[i] = fcntl(from[i], F_DUPFD_CLOEXEC, 0);
		if (*fds[i] < 0)
			return -errno;
	}
	return 0;
}

int filter_builtin_load(const char *tap, uint32_t lines,
			struct filter_builtin_loaded *to, char *why,
			size_t why_bytes)
{
	struct filter_bpf *skeleton = NULL;
	char *log = calloc(1, FILTER_LOG_BYTES);
	int err = -ENOMEM;

	*to = (struct filter_builtin_loaded){ .programs = { -1, -1, -1 },
					      .map_fd = { -1, -1, -1 },
					      .room = LINES_MIN };
	snprintf(why, why_bytes, "out of memory");
	while (to->room < 2 * lines)
		to->room *= 2;
	filter_program_quiet();
	if (log)
		err = load(&skeleton, tap, to->room, log, why, why_bytes);
	if (!err) {
		err = take(skeleton, to);
		if (err) {
			snprintf(why, why_bytes, "tap %s: rules: %s", tap,
				 strerror(-err));
			filter_builtin_unload(to);
		}
	}
	filter_bpf__destroy(skeleton);
	free(log);
	return err;
}

static void close_one(int fd)
{
	if (fd >= 0)
		close(fd);
}

void filter_builtin_unload(const struct filter_builtin_loaded *loaded)
{
	close_one(loaded->programs.socket_fd);
	close_one(loaded->programs.xdp_fd);
	for (int i = 0; i < FILTER_MAPS; i++)
		close_one(loaded->map_fd[i]);
}
