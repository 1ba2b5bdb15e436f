#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>

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
	[OPT_UNIX] = { "unix", "PATH", "guests attach here, as --listen uml:PATH (/tmp/uml.ctl)" },
	[OPT_LISTEN] = { "listen", "KIND:PATH", "a socket at which guests attach; may be repeated" },
	[OPT_TAP] = { "tap", "NAME", "attach to this tap device, or make it, as --port tap:NAME" },
	[OPT_PORT] = { "port", "KIND:WHAT", "one port; may be repeated" },
	[OPT_HUB] = { "hub", NULL, "send every frame to every port" },
	[OPT_DAEMON] = { "daemon", NULL, "go to the background when guests can attach" },
	[OPT_PIDFILE] = { "pidfile", "FILE", "write the process id there, locked; removed at exit" },
	[OPT_READY_FD] = { "ready-fd", "N", "write a line to descriptor N when guests can attach" },
	[OPT_AGEING] = { "ageing", "SECONDS", "forget a silent MAC address after (300; 0: never)" },
	[OPT_MAC_TABLE] = { "mac-table", "ENTRIES", "room for MAC addresses (16384), up to a power of two" },
	[OPT_MODE] = { "mode", "OCTAL", "permissions of sockets (0777 less the umask)" },
	[OPT_GROUP] = { "group", "GROUP", "group of sockets, with permissions 0770 unless --mode" },
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
		.ready_fd = -1,
		.ageing_s = AGEING_DEFAULT_S,
		.mac_entries = MAC_ENTRIES_DEFAULT,
		.mode = -1,
		.group = (gid_t)-1,
	};
}

/* Where a complaint about a value is put together that is not a literal; the
 * functions below return the complaint, or NULL. */
struct complaint {
	char text[256];
};

static const char *add_endpoint(struct options *o, const struct endpoint *e,
				enum endpoint_role role)
{
	if (role == ENDPOINT_LISTENER) {
		if (o->listener_count == LISTENERS_MAX)
			return "one of at most 256 listeners";
		o->listeners[o->listener_count++] = *e;
	} else {
		if (o->port_count == STATIC_PORTS_MAX)
			return "one of at most 256 ports";
		o->ports[o->port_count++] = *e;
	}
	return NULL;
}

static const char *take_endpoint(struct options *o, enum option_id id,
				 const char *text, struct complaint *c)
{
	enum endpoint_role role = id == OPT_LISTEN || id == OPT_UNIX
					  ? ENDPOINT_LISTENER
					  : ENDPOINT_PORT;
	struct endpoint e;
	int err;

	if (id == OPT_UNIX)
		err = endpoint_plain(LISTEN_UML, text, &e, c->text,
				     sizeof(c->text));
	else if (id == OPT_TAP)
		err = endpoint_parse_as(PORT_TAP, text, &e, c->text,
					sizeof(c->text));
	else
		err = endpoint_parse(role, text, &e, c->text, sizeof(c->text));
	return err ? c->text : add_endpoint(o, &e, role);
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

static const char *take_without(struct options *o, const char *text)
{
	if (strcmp(text, "multishot-read"))
		return "multishot-read";
	o->without |= WITHOUT_MULTISHOT_READ;
	return NULL;
}

static const char *take(struct options *o, enum option_id id, const char *text,
			struct complaint *c)
{
	switch (id) {
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
		wanted = take(o, (enum option_id)id, optarg, &complaint);
		if (wanted) {
			/* What is too long must not hide what is wrong. */
			snprintf(why, why_bytes, "--%s '%.160s%s': must be %s",
				 table[id].name, optarg,
				 strlen(optarg) > 160 ? "..." : "", wanted);
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
	wanted = add_endpoint(o, &e, role);
	if (!wanted)
		return 0;
	snprintf(why, why_bytes, "inherited descriptor %d: must be %s", fd,
		 wanted);
	return -EINVAL;
}

/* Where nothing but taps is named, guests attach where they always have. */
static void add_default_listener(struct options *o)
{
	char none[1];

	if (o->listener_count)
		return;
	for (unsigned i = 0; i < o->port_count; i++)
		if (o->ports[i].kind != PORT_TAP)
			return;
	endpoint_plain(LISTEN_UML, "/tmp/uml.ctl",
		       &o->listeners[o->listener_count++], none, sizeof(none));
}

static struct endpoint *endpoint_at(struct options *o, unsigned i)
{
	return i < o->listener_count ? &o->listeners[i]
				     : &o->ports[i - o->listener_count];
}

/* Whether there is only one of what it names. */
static bool is_exclusive(const struct endpoint *e)
{
	return e->kind == PORT_TAP || e->kind == LISTEN_FD || e->kind == PORT_FD;
}

/* What two endpoints have in common that only one can have, or NULL. */
static const char *clash(const struct endpoint *a, const struct endpoint *b)
{
	if (*a->name && !strcmp(a->name, b->name) && !a->name_shared &&
	    !b->name_shared)
		return a->name;
	if (endpoint_makes_file(a->kind) && endpoint_makes_file(b->kind) &&
	    !strcmp(a->argument, b->argument))
		return a->argument;
	if (is_exclusive(a) && is_exclusive(b) &&
	    (a->kind == PORT_TAP) == (b->kind == PORT_TAP) &&
	    !strcmp(a->argument, b->argument))
		return a->argument;
	return NULL;
}

/* A datagram port that sends to a datagram port of ours: a loop. */
static bool sends_to_us(const struct options *o, const struct endpoint *e)
{
	if (e->kind != PORT_DGRAM)
		return false;
	for (unsigned i = 0; i < o->port_count; i++)
		if (o->ports[i].kind == PORT_DGRAM &&
		    !strcmp(e->remote, o->ports[i].argument))
			return true;
	return false;
}

int options_complete(struct options *o, char *why, size_t why_bytes)
{
	unsigned count;

	add_default_listener(o);
	count = o->listener_count + o->port_count;
	for (unsigned i = 0; i < count; i++) {
		struct endpoint *e = endpoint_at(o, i);

		if (endpoint_makes_file(e->kind) && e->mode < 0)
			e->mode = o->mode;
		if (endpoint_makes_file(e->kind) && e->group == (gid_t)-1)
			e->group = o->group;
		if (sends_to_us(o, e)) {
			snprintf(why, why_bytes,
				 "dgram '%s': remote=%s is a port of this switch: a loop",
				 e->argument, e->remote);
			return -EINVAL;
		}
		for (unsigned j = 0; j < i; j++) {
			const char *what = clash(e, endpoint_at(o, j));

			if (!what)
				continue;
			snprintf(why, why_bytes,
				 "%s '%s' is named twice: once only",
				 what == e->name ? "name="
						 : endpoint_kinds[e->kind],
				 what);
			return -EINVAL;
		}
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
	fputs("\nKIND:PATH for --listen: uml:PATH, vde:DIR, bess:PATH, stream:PATH, fd:N.\n"
	      "KIND:WHAT for --port: tap:NAME, dgram:LOCAL,remote=PEER, connect-stream:PATH,\n"
	      "connect-bess:PATH, fd:N. Either may be followed by ,name= ,mtu= ,queue= and,\n"
	      "where a socket is made, ,mode= ,group=. What may cross a tap, see README:\n"
	      ",rules=FILE or ,filter=FILE.o (eBPF), ,accept-to-guests=EXPRESSION (tcpdump's).\n"
	      "\nOptions may be written with one dash: -unix PATH -tap NAME -hub -daemon.\n"
	      "SIGUSR1 prints the counters, SIGHUP reads the files of rules= again;\n"
	      "SIGTERM and SIGINT end it.\n"
	      "Exit status: 0 ended as asked, 1 failed, 2 wrong command line.\n",
	      to);
}
