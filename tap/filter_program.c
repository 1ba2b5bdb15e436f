#include "filter_program.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "filter_file.h"

enum { OBJECT_BYTES_MAX = 16 << 20 };

/* What libbpf has said last: it reports to a function without a context. */
static char libbpf_said[256];

/* Said of any failure, behind what has failed. */
static bool says_nothing(const char *format)
{
	return strstr(format, "BEGIN PROG LOAD LOG") ||
	       strstr(format, "failed to load object") ||
	       strstr(format, "prog '%s': failed to load: %d");
}

static int hear(enum libbpf_print_level level, const char *format, va_list args)
{
	char *end;

	if (level != LIBBPF_WARN || says_nothing(format))
		return 0;
	vsnprintf(libbpf_said, sizeof(libbpf_said), format, args);
	end = strchr(libbpf_said, '\n');
	if (end)
		*end = '\0';
	return 0;
}

static const char *said(int err)
{
	static const char prefix[] = "libbpf: ";
	const char *text = libbpf_said;

	if (!strncmp(text, prefix, strlen(prefix)))
		text += strlen(prefix);
	return *text ? text : strerror(-err);
}

void filter_program_quiet(void)
{
	*libbpf_said = '\0';
	libbpf_set_print(hear);
}

const char *filter_load_remedy(int err)
{
	switch (err) {
	case -ENOMEM:
		return "out of kernel memory";
	case -EMFILE:
		return "raise ulimit -n";
	case -EINVAL:
		return "is this kernel older than Linux 6.1?";
	case -ENOSYS:
		return "this kernel has no BPF";
	default:
		return "needs the machine's root, or CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN";
	}
}

/* What is in it after the reason: figures. */
static bool is_statistics(const char *line)
{
	static const char *const beginnings[] = {
		"processed ", "verification time", "stack depth",
		"max_states", "peak_states",	   "insns_",
	};

	for (size_t i = 0; i < sizeof(beginnings) / sizeof(*beginnings); i++)
		if (!strncmp(line, beginnings[i], strlen(beginnings[i])))
			return true;
	return false;
}

const char *filter_verifier_reason(char *log, int err)
{
	char *end = log + strlen(log);

	/* Other errors are not the verifier's, and the log is of something that
	 * it had found good. */
	if (err != -EACCES && err != -EINVAL && err != -E2BIG &&
	    err != -ENOSPC && err != -EFAULT)
		return NULL;
	while (end > log) {
		char *line;

		*end = '\0';
		line = strrchr(log, '\n');
		line = line ? line + 1 : log;
		if (*line && !is_statistics(line))
			return line;
		end = line > log ? line - 1 : log;
	}
	return NULL;
}

/* Objects ----------------------------------------------------------------- */

static int check_elf(const void *data, size_t bytes, char *why,
		     size_t why_bytes)
{
	const uint16_t one = 1;
	unsigned char ours = *(const unsigned char *)&one ? ELFDATA2LSB
							   : ELFDATA2MSB;
	Elf64_Ehdr header;
	const char *what = NULL;

	if (bytes >= sizeof(header))
		memcpy(&header, data, sizeof(header));
	if (bytes < sizeof(header) || memcmp(header.e_ident, ELFMAG, SELFMAG))
		what = "is no object file";
	else if (header.e_ident[EI_DATA] != ours)
		what = "is for machines with the other byte order";
	else if (header.e_machine != EM_BPF)
		what = "is not for BPF";
	if (!what)
		return 0;
	snprintf(why, why_bytes,
		 "%s (compile it with: clang -O2 -g -target bpf -c)", what);
	return -ENOEXEC;
}

enum hook { HOOK_SOCKET, HOOK_TC, HOOK_XDP, HOOK_NONE };

static const char *const hook_names[] = { "socket", "tc", "xdp" };

/* Whether @section is @name, or that, a '/' and anything but one of @others. */
static bool is_section(const char *section, const char *name,
		       const char *const *others)
{
	size_t length = strlen(name);

	if (strncmp(section, name, length))
		return false;
	if (!section[length])
		return true;
	for (; *others; others++)
		if (!strcmp(section + length + 1, *others))
			return false;
	return section[length] == '/';
}

/* Sections as libbpf and iproute2 name them; "tc/ingress" and "xdp/devmap" are
 * for other places. */
static enum hook hook_of(const struct bpf_program *program)
{
	static const char *const ingress[] = { "ingress", NULL };
	static const char *const maps[] = { "devmap", "cpumap", NULL };
	const char *section = bpf_program__section_name(program);

	if (!strncmp(section, "socket", strlen("socket")))
		return HOOK_SOCKET;
	if (is_section(section, "tc", ingress) ||
	    is_section(section, "tcx", ingress) ||
	    is_section(section, "classifier", ingress))
		return HOOK_TC;
	if (is_section(section, "xdp", maps) ||
	    is_section(section, "xdp.frags", maps))
		return HOOK_XDP;
	return HOOK_NONE;
}

/* What libbpf does not know from the section's name. */
static void set_type(struct bpf_program *program, enum hook hook)
{
	static const enum bpf_prog_type types[] = {
		[HOOK_SOCKET] = BPF_PROG_TYPE_SOCKET_FILTER,
		[HOOK_TC] = BPF_PROG_TYPE_SCHED_CLS,
		[HOOK_XDP] = BPF_PROG_TYPE_XDP,
	};

	bpf_program__set_type(program, types[hook]);
	bpf_program__set_expected_attach_type(
		program, hook == HOOK_XDP ? BPF_XDP : (enum bpf_attach_type)0);
}

/* Choose the programs, and say what each is. */
static int choose(struct bpf_object *object, struct bpf_program **chosen,
		  char *why, size_t why_bytes)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, object) {
		enum hook hook = hook_of(program);
		/* socket and tc are for the same direction */
		enum hook other = hook == HOOK_SOCKET ? HOOK_TC
				  : hook == HOOK_TC   ? HOOK_SOCKET
						      : hook;
		const struct bpf_program *before;

		if (hook == HOOK_NONE) {
			bpf_program__set_autoload(program, false);
			continue;
		}
		before = chosen[hook] ? chosen[hook] : chosen[other];
		if (before) {
			snprintf(why, why_bytes,
				 "has two programs for frames to the %s, '%s' and '%s': leave one",
				 hook == HOOK_XDP ? "host" : "guests",
				 bpf_program__name(before),
				 bpf_program__name(program));
			return -EINVAL;
		}
		chosen[hook] = program;
		set_type(program, hook);
	}
	if (chosen[HOOK_SOCKET] || chosen[HOOK_TC] || chosen[HOOK_XDP])
		return 0;
	snprintf(why, why_bytes,
		 "has no program in section \"socket\" or \"tc\" (frames to the guests) or \"xdp\" (to the host)");
	return -EINVAL;
}

static void describe(struct bpf_program *const *chosen, char *what,
		     size_t what_bytes)
{
	size_t used = 0;

	*what = '\0';
	for (int i = 0; i < HOOK_NONE; i++)
		if (chosen[i] && used < what_bytes)
			used += (size_t)snprintf(
				what + used, what_bytes - used,
				"%s'%s' to-%s (%s)", used ? ", " : "",
				bpf_program__name(chosen[i]),
				i == HOOK_XDP ? "host" : "guests",
				hook_names[i]);
}

/* The program that libbpf has named last; "" if it was none. */
static const char *refused_program(void)
{
	static const char before[] = "libbpf: prog '";
	char *name = libbpf_said + strlen(before), *end;

	if (strncmp(libbpf_said, before, strlen(before)))
		return "";
	end = strchr(name, '\'');
	if (end)
		*end = '\0';
	return name;
}

static const char *remedy_for(const char *reason)
{
	if (strstr(reason, "CO-RE"))
		return " (is it for another kernel?)";
	/* What it permits root, or who has CAP_PERFMON. */
	return strstr(reason, "prohibited") ? " (CAP_PERFMON permits it)" : "";
}

static void complain_load(char *log, int err, char *why, size_t why_bytes)
{
	const char *reason = filter_verifier_reason(log, err);

	if (reason)
		snprintf(why, why_bytes,
			 "the kernel's verifier refuses program '%s': %s%s",
			 refused_program(), reason, remedy_for(reason));
	else if (err == -EPERM || err == -EACCES)
		snprintf(why, why_bytes, "cannot load it: %s (%s)",
			 strerror(-err), filter_load_remedy(err));
	else
		snprintf(why, why_bytes,
			 "cannot load it: %s (is it for another kernel?)",
			 said(err));
}

/* The verifier's figures, and its last word. */
enum { LOG_LEVEL_SHORT = 4 };

static struct bpf_object *open_object(const void *data, size_t bytes, char *log,
				      struct bpf_program **chosen,
				      unsigned log_level, char *why,
				      size_t why_bytes)
{
	struct bpf_object_open_opts options;
	struct bpf_object *object;

	/* libbpf wants zeros in its padding, too. */
	memset(&options, 0, sizeof(options));
	options.sz = sizeof(options);
	options.object_name = "filter";
	options.kernel_log_buf = log;
	options.kernel_log_size = FILTER_LOG_BYTES;
	options.kernel_log_level = log_level;
	object = bpf_object__open_mem(data, bytes, &options);
	if (!object) {
		snprintf(why, why_bytes, "cannot read it: %s", said(-errno));
		return NULL;
	}
	memset(chosen, 0, HOOK_NONE * sizeof(*chosen));
	if (!choose(object, chosen, why, why_bytes))
		return object;
	bpf_object__close(object);
	return NULL;
}

/* The program's descriptor once more, as libbpf closes its own; -1: no
 * program. */
static int take_program(const struct bpf_program *program)
{
	return program ? fcntl(bpf_program__fd(program), F_DUPFD_CLOEXEC, 0)
		       : -1;
}

/*
 * Maps live as long as programs use them; but what is only for as long as a
 * process has a descriptor does not: the programs in a PROG_ARRAY, timers. So
 * those come first.
 */
static void take_maps(const struct bpf_object *object,
		      int maps[FILTER_OBJECT_MAPS])
{
	struct bpf_map *map;
	int taken = 0;

	for (int pass = 0; pass < 2; pass++)
		bpf_object__for_each_map(map, object) {
			bool first = bpf_map__type(map) ==
				     BPF_MAP_TYPE_PROG_ARRAY;

			if (first == !pass && taken < FILTER_OBJECT_MAPS &&
			    bpf_map__fd(map) >= 0)
				maps[taken++] = fcntl(bpf_map__fd(map),
						      F_DUPFD_CLOEXEC, 0);
		}
}

static int take(const struct bpf_object *object,
		struct bpf_program *const *chosen,
		struct filter_programs *programs, int maps[FILTER_OBJECT_MAPS])
{
	*programs = (struct filter_programs){
		.socket_fd = take_program(chosen[HOOK_SOCKET]),
		.tc_fd = take_program(chosen[HOOK_TC]),
		.xdp_fd = take_program(chosen[HOOK_XDP]),
	};
	take_maps(object, maps);
	if ((chosen[HOOK_SOCKET] && programs->socket_fd < 0) ||
	    (chosen[HOOK_TC] && programs->tc_fd < 0) ||
	    (chosen[HOOK_XDP] && programs->xdp_fd < 0))
		return -EMFILE;
	return 0;
}

static struct bpf_object *load(const void *data, size_t bytes, char *log,
			       struct bpf_program **chosen, char *why,
			       size_t why_bytes)
{
	struct bpf_object *object =
		open_object(data, bytes, log, chosen, 0, why, why_bytes);
	int err = object ? bpf_object__load(object) : -EINVAL;

	/* The log has no room for what it has to say. */
	if (object && err == -ENOSPC) {
		bpf_object__close(object);
		object = open_object(data, bytes, log, chosen, LOG_LEVEL_SHORT,
				     why, why_bytes);
		err = object ? bpf_object__load(object) : -EINVAL;
	}
	if (!object || !err)
		return object;
	complain_load(log, err, why, why_bytes);
	bpf_object__close(object);
	return NULL;
}

int filter_object_load(const char *path, struct filter_programs *programs,
		       int maps[FILTER_OBJECT_MAPS], char *what,
		       size_t what_bytes, char *why, size_t why_bytes)
{
	char reason[512] = "out of memory";
	char *log = calloc(1, FILTER_LOG_BYTES);
	struct bpf_program *chosen[HOOK_NONE];
	struct bpf_object *object = NULL;
	size_t bytes;
	void *data = log ? filter_file_read(path, OBJECT_BYTES_MAX, &bytes,
					    reason, sizeof(reason))
			 : NULL;
	int err = -EINVAL;

	filter_program_quiet();
	if (data && !check_elf(data, bytes, reason, sizeof(reason)))
		object = load(data, bytes, log, chosen, reason, sizeof(reason));
	if (object) {
		describe(chosen, what, what_bytes);
		err = take(object, chosen, programs, maps);
		if (err)
			snprintf(reason, sizeof(reason), "%s", strerror(-err));
	}
	if (err)
		snprintf(why, why_bytes, "%s: %s", path, reason);
	bpf_object__close(object);
	free(data);
	free(log);
	return err;
}
