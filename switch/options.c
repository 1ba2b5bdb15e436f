#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "value.h"

enum option_id {
	OPT_UNIX,
	OPT_LISTEN,
	OPT_TAP,
	OPT_PORT,
	OPT_HUB,
	OPT_DAEMON,
	OPT_PIDFILE,
	OPT_READY_FD,
	OPT_AGEING,
	OPT_MAC_TABLE,
	OPT_BUSY_POLL,
	OPT_MODE,
	OPT_GROUP,
	OPT_USER,
	OPT_ALLOW_UID,
	OPT_ALLOW_GID,
	OPT_PORTS_PER_UID,
	OPT_NAME,
	OPT_CONTROL,
	OPT_MONITOR,
	OPT_METRICS,
	OPT_CONFIG,
	OPT_WITHOUT,
	OPT_AUDIT,
	OPT_NO_KEEPER,
	OPT_STATE,
	OPT_COMPAT_V0,
	OPT_HELP,
	OPT_H,
	OPT_VERSION,
	OPT_COUNT,
};

static const struct {
	const char *name;
	const char *argument; /* NULL: takes none */
	const char *help;     /* NULL: not shown */
} table[OPT_COUNT] = {
	[OPT_UNIX] = { "unix", "PATH", "guests attach here, as --listen uml:PATH (/tmp/uml.ctl)" },
	[OPT_LISTEN] = { "listen", "KIND:PATH", "a socket at which guests attach; may be repeated ('none': none)" },
	[OPT_TAP] = { "tap", "NAME", "attach to this tap device, or make it, as --port tap:NAME" },
	[OPT_PORT] = { "port", "KIND:WHAT", "one port; may be repeated" },
	[OPT_HUB] = { "hub", NULL, "send every frame to every port" },
	[OPT_DAEMON] = { "daemon", NULL, "go to the background when guests can attach" },
	[OPT_PIDFILE] = { "pidfile", "FILE", "write the process id there, locked; removed at exit" },
	[OPT_READY_FD] = { "ready-fd", "N", "write a line to descriptor N when guests can attach" },
	[OPT_AGEING] = { "ageing", "SECONDS", "forget a silent MAC address after (300; 0: never)" },
	[OPT_MAC_TABLE] = { "mac-table", "ENTRIES", "room for MAC addresses (16384), up to a power of two" },
	[OPT_BUSY_POLL] = { "busy-poll", "USEC", "while frames flow, look so long for the next before sleeping (0)" },
	[OPT_MODE] = { "mode", "OCTAL", "permissions of sockets (0777 less the umask)" },
	[OPT_GROUP] = { "group", "GROUP", "group of sockets, with permissions 0770 unless --mode" },
	[OPT_USER] = { "user", "USER", "run as this user when everything is open, in its groups and --group" },
	[OPT_ALLOW_UID] = { "allow-uid", "USER", "only this user's guests may attach; may be repeated" },
	[OPT_ALLOW_GID] = { "allow-gid", "GROUP", "only this group's guests may attach; may be repeated" },
	[OPT_PORTS_PER_UID] = { "ports-per-uid", "N", "ports that one user's guests may have (others than ours: what is free)" },
	[OPT_NAME] = { "name", "NAME", "of this switch: ringctl -n NAME; sockets in /run/ringswitch/NAME" },
	[OPT_CONTROL] = { "control", "PATH", "control socket for ringctl ('none': none)" },
	[OPT_MONITOR] = { "monitor", "PATH", "control socket that can only read ('none': none)" },
	[OPT_METRICS] = { "metrics", "ADDRESS", "counters over HTTP: unix:PATH, 127.0.0.1:PORT or [::1]:PORT" },
	[OPT_CONFIG] = { "config", "FILE", "read options from there, one a line, without dashes" },
	[OPT_WITHOUT] = { "without", "FEATURE", "do as on a kernel without it: multishot-read, fixed-files" },
	[OPT_AUDIT] = { "audit", NULL, "start, try what a running switch may still do, say it, and exit" },
	[OPT_NO_KEEPER] = { "no-keeper", NULL, "no second process that starts the switch again if it dies" },
	[OPT_STATE] = { "state", "PATH", "what outlives even that process is written there ('none': nothing)" },
	[OPT_COMPAT_V0] = { "compat-v0", NULL, NULL },
	[OPT_H] = { "h", NULL, NULL },
	[OPT_HELP] = { "help", NULL, "show this and exit" },
	[OPT_VERSION] = { "version", NULL, "show the version and exit" },
};

static void defaults(struct options *o)
{
	*o = (struct options){
		.ready_fd = -1,
		.ageing_s = AGEING_DEFAULT_S,
		.mac_entries = MAC_ENTRIES_DEFAULT,
		.mode = -1,
		.group = (gid_t)-1,
		.user = (uid_t)-1,
	};
}

/* Where a complaint about a value is put together that is not a literal; the
 * functions below return the complaint, or NULL. */
struct complaint {
	char text[256];
};

static const char *take_endpoint(struct options *o, enum option_id id,
				 const char *text, struct complaint *c)
{
	enum endpoint_role role = id == OPT_LISTEN || id == OPT_UNIX
					  ? ENDPOINT_LISTENER
					  : ENDPOINT_PORT;
	struct endpoint e;
	int err;

	if (id == OPT_LISTEN && !strcmp(text, "none")) {
		o->no_listeners = true;
		return NULL;
	}
	if (id == OPT_UNIX)
		err = endpoint_plain(LISTEN_UML, text, &e, c->text,
				     sizeof(c->text));
	else if (id == OPT_TAP)
		err = endpoint_parse_as(PORT_TAP, text, &e, c->text,
					sizeof(c->text));
	else
		err = endpoint_parse(role, text, &e, c->text, sizeof(c->text));
	return err ? c->text : options_append(o, &e);
}

static const char *take_allowed(struct options *o, enum option_id id,
				const char *text)
{
	if (id == OPT_ALLOW_UID) {
		int64_t uid = value_user(text);

		if (uid < 0)
			return "a user's name or number";
		if (o->allow_uid_count == ALLOW_MAX)
			return "at most 64 users";
		o->allow_uids[o->allow_uid_count++] = (uid_t)uid;
	} else {
		int64_t gid = value_group(text);

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
		value = value_number(text, 10, 0, 1 << 20);
		if (value < 0)
			return "the number of an open descriptor";
		o->ready_fd = (int)value;
		return NULL;
	case OPT_AGEING:
		value = value_number(text, 10, 0, AGEING_MAX_S);
		if (value < 0)
			return "0 to 1000000 seconds";
		o->ageing_s = (uint32_t)value;
		return NULL;
	case OPT_MAC_TABLE:
		value = value_number(text, 10, MAC_ENTRIES_MIN, MAC_ENTRIES_MAX);
		if (value < 0)
			return "64 to 1048576 entries";
		o->mac_entries = (uint32_t)value;
		return NULL;
	case OPT_BUSY_POLL:
		value = value_number(text, 10, 0, BUSY_POLL_MAX_US);
		if (value < 0)
			return "0 to 1000 microseconds";
		o->busy_poll_us = (uint32_t)value;
		return NULL;
	case OPT_PORTS_PER_UID:
		value = value_number(text, 10, 1, PORTS_MAX);
		if (value < 0)
			return "1 to 4096 ports";
		o->ports_per_uid = (uint32_t)value;
		return NULL;
	default:
		value = value_number(text, 8, 0, 0777);
		if (value < 0)
			return "an octal number up to 777";
		o->mode = (int)value;
		return NULL;
	}
}

static const char *take_group(struct options *o, const char *text)
{
	int64_t gid = value_group(text);

	if (gid < 0)
		return "a group's name or number";
	o->group = (gid_t)gid;
	return NULL;
}

static const char *take_user(struct options *o, const char *text)
{
	int64_t uid = value_user(text);

	if (uid < 0)
		return "a user's name or number";
	o->user = (uid_t)uid;
	return NULL;
}

static const char *take_without(struct options *o, const char *text)
{
	if (!strcmp(text, "multishot-read"))
		o->without |= WITHOUT_MULTISHOT_READ;
	else if (!strcmp(text, "fixed-files"))
		o->without |= WITHOUT_FIXED_FILES;
	else
		return "multishot-read or fixed-files";
	return NULL;
}

static const char *take_socket(struct endpoint *to, const char *text,
			       struct complaint *c)
{
	return endpoint_parse_as(CONTROL_SOCKET, text, to, c->text,
				 sizeof(c->text))
		       ? c->text
		       : NULL;
}

static const char *take_switch_name(struct options *o, const char *text)
{
	size_t length = strlen(text);

	if (!length || length >= SWITCH_NAME_BYTES || *text == '.' ||
	    strspn(text, "abcdefghijklmnopqrstuvwxyz"
			 "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != length)
		return "1 to 31 letters, digits and ._- without a dot at the front";
	o->name = text;
	return NULL;
}

static const char *take(struct options *o, enum option_id id, const char *text,
			struct complaint *c)
{
	switch (id) {
	case OPT_NAME:
		return take_switch_name(o, text);
	case OPT_CONTROL:
		return take_socket(&o->control, text, c);
	case OPT_MONITOR:
		return take_socket(&o->monitor, text, c);
	case OPT_METRICS:
		o->metrics = text;
		return *text ? NULL : "unix:PATH, 127.0.0.1:PORT or [::1]:PORT";
	case OPT_UNIX:
	case OPT_LISTEN:
	case OPT_TAP:
	case OPT_PORT:
		return take_endpoint(o, id, text, c);
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
	case OPT_BUSY_POLL:
	case OPT_PORTS_PER_UID:
	case OPT_MODE:
		return take_number(o, id, text);
	case OPT_GROUP:
		return take_group(o, text);
	case OPT_USER:
		return take_user(o, text);
	case OPT_ALLOW_UID:
	case OPT_ALLOW_GID:
		return take_allowed(o, id, text);
	case OPT_WITHOUT:
		return take_without(o, text);
	case OPT_AUDIT:
		o->audit = true;
		return NULL;
	case OPT_NO_KEEPER:
		o->no_keeper = true;
		return NULL;
	case OPT_STATE:
		o->state = text;
		return *text ? NULL : "a file, or 'none'";
	case OPT_HELP:
	case OPT_H:
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

/* What is too long must not hide what is wrong. */
static void say_wanted(char *why, size_t why_bytes, const char *dashes,
		       const char *option, const char *value,
		       const char *wanted)
{
	snprintf(why, why_bytes, "%s%s '%.160s%s': must be %s", dashes, option,
		 value, strlen(value) > 160 ? "..." : "", wanted);
}

/* The whole of @path, the caller's to free; NULL with a reason in @c. */
/* A switch that a keeper has started takes what was there at first. */
static FILE *open_config(const char *path)
{
	const char *number = getenv(OPTIONS_CONFIG_VARIABLE);
	int fd;

	if (!number)
		return fopen(path, "re");
	fd = atoi(number);
	unsetenv(OPTIONS_CONFIG_VARIABLE);
	return lseek(fd, 0, SEEK_SET) ? NULL : fdopen(fd, "re");
}

/* The whole of @path, twice, the caller's to free; NULL with a reason in @c. */
static char *read_config(const char *path, size_t *length, struct complaint *c)
{
	char *text = malloc(2 * (CONFIG_FILE_BYTES + 1));
	FILE *from = text ? open_config(path) : NULL;
	size_t bytes = from ? fread(text, 1, CONFIG_FILE_BYTES + 1, from) : 0;

	if (!from || ferror(from))
		snprintf(c->text, sizeof(c->text), "a file that can be read: %s",
			 strerror(errno));
	else if (bytes > CONFIG_FILE_BYTES || memchr(text, '\0', bytes))
		snprintf(c->text, sizeof(c->text),
			 "a text file of at most %d bytes", CONFIG_FILE_BYTES);
	else
		*c->text = '\0';
	if (from)
		fclose(from);
	if (!from || *c->text) {
		free(text);
		return NULL;
	}
	text[bytes] = '\0';
	memcpy(text + bytes + 1, text, bytes + 1);
	*length = bytes;
	return text;
}

static int find_option(const char *word)
{
	int id = 0;

	while (id < OPT_COUNT && strcmp(table[id].name, word))
		id++;
	return id;
}

/* Whether option @id may be in a file. */
static bool is_for_files(int id)
{
	return id < OPT_COUNT && table[id].help && id != OPT_CONFIG &&
	       id != OPT_AUDIT && id != OPT_HELP && id != OPT_VERSION;
}

/* "listen uml:/tmp/uml.ctl", "hub". Returns 0, or -EINVAL with a line in
 * @why. */
static int take_line(struct options *o, char *line, char *why, size_t why_bytes)
{
	char *value = line + strcspn(line, " \t");
	const char *wanted;
	struct complaint c;
	int id;

	if (*value)
		*value++ = '\0';
	value += strspn(value, " \t");
	id = find_option(line);
	if (!is_for_files(id)) {
		snprintf(why, why_bytes,
			 "'%.64s' is no option for a file: see --help, and leave the dashes out",
			 line);
		return -EINVAL;
	}
	if (!table[id].argument != !*value) {
		snprintf(why, why_bytes, "%s %s", line,
			 *value ? "takes no value" : "needs a value");
		return -EINVAL;
	}
	wanted = take(o, (enum option_id)id, value, &c);
	if (!wanted)
		return 0;
	say_wanted(why, why_bytes, "", line, value, wanted);
	return -EINVAL;
}

/* The line at *@at without blanks around it; *@at goes to the next. */
static char *next_line(char **at)
{
	char *line = *at, *end = line + strcspn(line, "\n");
	size_t length;

	*at = *end ? end + 1 : end;
	*end = '\0';
	line += strspn(line, " \t");
	length = strlen(line);
	while (length && strchr(" \t\r", line[length - 1]))
		line[--length] = '\0';
	return line;
}

static int take_config(struct options *o, const char *path, char *why,
		       size_t why_bytes)
{
	char reason[1024];
	struct complaint c;
	unsigned number = 0;
	char *at;

	if (o->config) {
		snprintf(why, why_bytes, "--config '%.160s': one only", path);
		return -EINVAL;
	}
	o->config = read_config(path, &o->config_bytes, &c);
	if (!o->config) {
		say_wanted(why, why_bytes, "--", "config", path, c.text);
		return -EINVAL;
	}
	o->config_unread = o->config + o->config_bytes + 1;
	for (at = o->config; *at;) {
		char *line = next_line(&at);

		number++;
		if (!*line || *line == '#' ||
		    !take_line(o, line, reason, sizeof(reason)))
			continue;
		snprintf(why, why_bytes, "%.160s:%u: %s", path, number, reason);
		return -EINVAL;
	}
	return 0;
}

int options_parse(int argc, char *const argv[], struct options *o, char *why,
		  size_t why_bytes)
{
	struct option words[OPT_COUNT + 1];
	struct complaint complaint;
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
		if (id == OPT_CONFIG) {
			if (take_config(o, optarg, why, why_bytes))
				return -EINVAL;
			continue;
		}
		wanted = take(o, (enum option_id)id, optarg, &complaint);
		if (wanted) {
			say_wanted(why, why_bytes, "--", table[id].name, optarg,
				   wanted);
			return -EINVAL;
		}
	}
	if (optind < argc) {
		snprintf(why, why_bytes, "unexpected word '%s' (see --help)",
			 argv[optind]);
		return -EINVAL;
	}
	return 0;
}

int options_inherit(struct options *o, enum endpoint_role role, int fd,
		    const char *name, char *why, size_t why_bytes)
{
	struct endpoint e;
	const char *wanted;
	char number[16];

	snprintf(number, sizeof(number), "%d", fd);
	endpoint_plain(role == ENDPOINT_LISTENER ? LISTEN_FD : PORT_FD, number,
		       &e, why, why_bytes);
	snprintf(e.name, sizeof(e.name), "%s", name);
	e.name_shared = true;
	wanted = options_append(o, &e);
	if (!wanted)
		return 0;
	snprintf(why, why_bytes, "inherited descriptor %d: must be %s", fd,
		 wanted);
	return -EINVAL;
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
	fputs("\nKIND:PATH for --listen: uml:PATH, vde:DIR, bess:PATH, stream:PATH, fd:N.\n"
	      "KIND:WHAT for --port: tap:NAME, dgram:LOCAL,remote=PEER, connect-stream:PATH,\n"
	      "connect-bess:PATH, fd:N. Either may be followed by ,name= ,mtu= ,queue=\n"
	      ",isolated= ,learning= ,flood= ,locked= (on or off) ,mac-limit= ,mirror=PORT and,\n"
	      "where a socket is made, ,mode= ,group=. What may cross a tap, see README:\n"
	      ",rules=FILE or ,filter=FILE.o (eBPF), ,accept-to-guests=EXPRESSION (tcpdump's).\n"
	      "\nOptions may be written with one dash: -unix PATH -tap NAME -hub -daemon.\n"
	      "SIGUSR1 prints the counters, SIGHUP reads the files of rules= again;\n"
	      "SIGTERM and SIGINT end it.\n"
	      "Exit status: 0 ended as asked, 1 failed, 2 wrong command line.\n",
	      to);
}
