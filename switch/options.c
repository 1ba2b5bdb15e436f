#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

enum option_id {
	OPT_UNIX,
	OPT_TAP,
	OPT_HUB,
	OPT_DAEMON,
	OPT_PIDFILE,
	OPT_READY_FD,
	OPT_AGEING,
	OPT_MAC_TABLE,
	OPT_MODE,
	OPT_GROUP,
	OPT_ALLOW_UID,
	OPT_ALLOW_GID,
	OPT_WITHOUT,
	OPT_COMPAT_V0,
	OPT_HELP,
	OPT_VERSION,
	OPT_COUNT,
};

static const struct {
	const char *name;
	const char *argument; /* NULL: takes none */
	const char *help;     /* NULL: not shown */
} table[OPT_COUNT] = {
	[OPT_UNIX] = { "unix", "PATH", "guests attach here (/tmp/uml.ctl)" },
	[OPT_TAP] = { "tap", "NAME", "attach to this tap device, or make it; may be repeated" },
	[OPT_HUB] = { "hub", NULL, "send every frame to every port" },
	[OPT_DAEMON] = { "daemon", NULL, "go to the background when guests can attach" },
	[OPT_PIDFILE] = { "pidfile", "FILE", "write the process id there, locked; removed at exit" },
	[OPT_READY_FD] = { "ready-fd", "N", "write a line to descriptor N when guests can attach" },
	[OPT_AGEING] = { "ageing", "SECONDS", "forget a silent MAC address after (300; 0: never)" },
	[OPT_MAC_TABLE] = { "mac-table", "ENTRIES", "room for MAC addresses (16384), up to a power of two" },
	[OPT_MODE] = { "mode", "OCTAL", "permissions of the socket (0777 less the umask)" },
	[OPT_GROUP] = { "group", "GROUP", "group of the socket, with permissions 0770 unless --mode" },
	[OPT_ALLOW_UID] = { "allow-uid", "USER", "only this user's guests may attach; may be repeated" },
	[OPT_ALLOW_GID] = { "allow-gid", "GROUP", "only this group's guests may attach; may be repeated" },
	[OPT_WITHOUT] = { "without", "FEATURE", "do as on a kernel without it: multishot-read" },
	[OPT_COMPAT_V0] = { "compat-v0", NULL, NULL },
	[OPT_HELP] = { "help", NULL, "show this and exit" },
	[OPT_VERSION] = { "version", NULL, "show the version and exit" },
};

static void defaults(struct options *o)
{
	*o = (struct options){
		.unix_path = "/tmp/uml.ctl",
		.ready_fd = -1,
		.ageing_s = AGEING_DEFAULT_S,
		.mac_entries = MAC_ENTRIES_DEFAULT,
		.mode = -1,
		.group = (gid_t)-1,
	};
}

/* A number of the given base between min and max, or -1. */
static int64_t number(const char *text, int base, int64_t min, int64_t max)
{
	char *end;
	long long value;

	if (*text < '0' || *text > '9')
		return -1;
	errno = 0;
	value = strtoll(text, &end, base);
	if (errno || *end || value < min || value > max)
		return -1;
	return value;
}

static int64_t user_id(const char *text)
{
	const struct passwd *user = getpwnam(text);

	return user ? user->pw_uid : number(text, 10, 0, UINT32_MAX - 1);
}

static int64_t group_id(const char *text)
{
	const struct group *group = getgrnam(text);

	return group ? group->gr_gid : number(text, 10, 0, UINT32_MAX - 1);
}

/* The complaint about a value, or NULL. */
static const char *take_tap(struct options *o, const char *name)
{
	size_t length = strlen(name);

	/* As the kernel judges them: net/core/dev.c, dev_valid_name(). */
	if (length == 0 || length > 15 || strpbrk(name, "/:% \t\n") ||
	    !strcmp(name, ".") || !strcmp(name, ".."))
		return "a device name of 1 to 15 characters without '/', ':', '%' and blanks";
	if (o->tap_count == TAPS_MAX)
		return "at most 64 taps";
	for (unsigned i = 0; i < o->tap_count; i++)
		if (!strcmp(o->taps[i], name))
			return "named once only";
	o->taps[o->tap_count++] = name;
	return NULL;
}

static const char *take_unix(struct options *o, const char *path)
{
	/* sun_path has room for 107 bytes and a NUL: unix(7). */
	if (!*path || strlen(path) > 107)
		return "a path of 1 to 107 characters";
	o->unix_path = path;
	return NULL;
}

static const char *take_allowed(struct options *o, enum option_id id,
				const char *text)
{
	if (id == OPT_ALLOW_UID) {
		int64_t uid = user_id(text);

		if (uid < 0)
			return "a user's name or number";
		if (o->allow_uid_count == ALLOW_MAX)
			return "at most 64 users";
		o->allow_uids[o->allow_uid_count++] = (uid_t)uid;
	} else {
		int64_t gid = group_id(text);

		if (gid < 0)
			return "a group's name or number";
		if (o->allow_gid_count == ALLOW_MAX)
			return "at most 64 groups";
		o->allow_gids[o->allow_gid_count++] = (gid_t)gid;
	}
	return NULL;
}

static const char *take_number(struct options *o, enum option_id id,
			       const char *text)
{
	int64_t value;

	switch (id) {
	case OPT_READY_FD:
		value = number(text, 10, 0, 1 << 20);
		if (value < 0)
			return "the number of an open descriptor";
		o->ready_fd = (int)value;
		return NULL;
	case OPT_AGEING:
		value = number(text, 10, 0, AGEING_MAX_S);
		if (value < 0)
			return "0 to 1000000 seconds";
		o->ageing_s = (uint32_t)value;
		return NULL;
	case OPT_MAC_TABLE:
		value = number(text, 10, MAC_ENTRIES_MIN, MAC_ENTRIES_MAX);
		if (value < 0)
			return "64 to 1048576 entries";
		o->mac_entries = (uint32_t)value;
		return NULL;
	default:
		value = number(text, 8, 0, 0777);
		if (value < 0)
			return "an octal number up to 777";
		o->mode = (int)value;
		return NULL;
	}
}

static const char *take_group(struct options *o, const char *text)
{
	int64_t gid = group_id(text);

	if (gid < 0)
		return "a group's name or number";
	o->group = (gid_t)gid;
	return NULL;
}

static const char *take_without(struct options *o, const char *text)
{
	if (strcmp(text, "multishot-read"))
		return "multishot-read";
	o->without |= WITHOUT_MULTISHOT_READ;
	return NULL;
}

static const char *take(struct options *o, enum option_id id, const char *text)
{
	switch (id) {
	case OPT_UNIX:
		return take_unix(o, text);
	case OPT_TAP:
		return take_tap(o, text);
	case OPT_HUB:
		o->hub = true;
		return NULL;
	case OPT_DAEMON:
		o->daemon = true;
		return NULL;
	case OPT_PIDFILE:
		o->pidfile = text;
		return *text ? NULL : "a file";
	case OPT_READY_FD:
	case OPT_AGEING:
	case OPT_MAC_TABLE:
	case OPT_MODE:
		return take_number(o, id, text);
	case OPT_GROUP:
		return take_group(o, text);
	case OPT_ALLOW_UID:
	case OPT_ALLOW_GID:
		return take_allowed(o, id, text);
	case OPT_WITHOUT:
		return take_without(o, text);
	case OPT_HELP:
		o->help = true;
		return NULL;
	case OPT_VERSION:
		o->version = true;
		return NULL;
	default:
		return NULL;
	}
}

static void long_options(struct option to[OPT_COUNT + 1])
{
	memset(to, 0, (OPT_COUNT + 1) * sizeof(*to));
	for (int i = 0; i < OPT_COUNT; i++) {
		to[i].name = table[i].name;
		to[i].has_arg = table[i].argument ? required_argument
						  : no_argument;
		to[i].val = i;
	}
}

int options_parse(int argc, char *const argv[], struct options *o, char *why,
		  size_t why_bytes)
{
	struct option words[OPT_COUNT + 1];
	int index;

	defaults(o);
	long_options(words);
	opterr = 0;
	optind = 0; /* glibc: start afresh */
	for (;;) {
		/* '+': options end at the first other word; ':' tells a missing
		 * argument from an unknown option. */
		int at = optind ? optind : 1;
		int id = getopt_long_only(argc, argv, "+:", words, &index);
		const char *wanted;

		if (id == -1)
			break;
		if (id == '?' || id == ':') {
			snprintf(why, why_bytes,
				 id == ':' ? "option '%s' needs an argument (see --help)"
					   : "unknown option '%s' (see --help)",
				 argv[at]);
			return -EINVAL;
		}
		if (id == OPT_COMPAT_V0) {
			snprintf(why, why_bytes,
				 "-compat-v0: protocol 0 is not supported; "
				 "guests since Linux 2.4 do not need it");
			return -EINVAL;
		}
		wanted = take(o, (enum option_id)id, optarg);
		if (wanted) {
			snprintf(why, why_bytes, "--%s '%s': must be %s",
				 table[id].name, optarg, wanted);
			return -EINVAL;
		}
	}
	if (o->group != (gid_t)-1 && o->mode < 0)
		o->mode = 0770;
	if (optind < argc) {
		snprintf(why, why_bytes, "unexpected word '%s' (see --help)",
			 argv[optind]);
		return -EINVAL;
	}
	return 0;
}

void options_help(FILE *to, const char *program)
{
	fprintf(to,
		"Usage: %s [OPTION]...\n"
		"An Ethernet switch for virtual machines on this host.\n\n",
		program);
	for (int i = 0; i < OPT_COUNT; i++) {
		char left[32];

		if (!table[i].help)
			continue;
		snprintf(left, sizeof(left), "--%s%s%s", table[i].name,
			 table[i].argument ? " " : "",
			 table[i].argument ? table[i].argument : "");
		fprintf(to, "  %-20s %s\n", left, table[i].help);
	}
	fputs("\nOptions may be written with one dash: -unix PATH -tap NAME -hub -daemon.\n"
	      "SIGUSR1 prints the counters; SIGTERM and SIGINT end it.\n"
	      "Exit status: 0 ended as asked, 1 failed, 2 wrong command line.\n",
	      to);
}
