#include "endpoint.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "ether.h"
#include "ether_text.h"
#include "port.h"
#include "port_security.h"
#include "value.h"

enum key {
	KEY_NAME,
	KEY_MODE,
	KEY_GROUP,
	KEY_MTU,
	KEY_QUEUE,
	KEY_REMOTE,
	KEY_FILTER,
	KEY_RULES,
	KEY_ACCEPT,
	KEY_ISOLATED,
	KEY_LEARNING,
	KEY_FLOOD,
	KEY_LOCKED,
	KEY_NO_SPOOF,
	KEY_MAC,
	KEY_MAC_LIMIT,
	KEY_STORM_BROADCAST,
	KEY_STORM_MULTICAST,
	KEY_STORM_UNKNOWN,
	KEY_MIRROR,
	KEY_COUNT,
};

static const char *const keys[KEY_COUNT] = {
	[KEY_NAME] = "name",   [KEY_MODE] = "mode",   [KEY_GROUP] = "group",
	[KEY_MTU] = "mtu",     [KEY_QUEUE] = "queue", [KEY_REMOTE] = "remote",
	[KEY_FILTER] = "filter",
	[KEY_RULES] = "rules",
	[KEY_ACCEPT] = "accept-to-guests",
	[KEY_ISOLATED] = "isolated",
	[KEY_LEARNING] = "learning",
	[KEY_FLOOD] = "flood",
	[KEY_LOCKED] = "locked",
	[KEY_NO_SPOOF] = "no-spoof",
	[KEY_MAC] = "mac",
	[KEY_MAC_LIMIT] = "mac-limit",
	[KEY_STORM_BROADCAST] = "storm-broadcast",
	[KEY_STORM_MULTICAST] = "storm-multicast",
	[KEY_STORM_UNKNOWN] = "storm-unknown",
	[KEY_MIRROR] = "mirror",
};

/* Those that are on or off: what in endpoint.flags they stand for. */
static const struct {
	uint16_t flag;
	bool inverse; /* "on" is the flag taken away */
} switches[KEY_COUNT] = {
	[KEY_ISOLATED] = { PORT_ISOLATED, false },
	[KEY_LEARNING] = { PORT_NO_LEARNING, true },
	[KEY_FLOOD] = { PORT_NO_FLOOD, true },
	[KEY_LOCKED] = { PORT_LOCKED, false },
	[KEY_NO_SPOOF] = { PORT_NO_SPOOF, false },
};

#define KEYS_OF_ALL                                                           \
	(1u << KEY_NAME | 1u << KEY_MTU | 1u << KEY_QUEUE |                   \
	 1u << KEY_ISOLATED | 1u << KEY_LEARNING | 1u << KEY_FLOOD |          \
	 1u << KEY_LOCKED | 1u << KEY_NO_SPOOF | 1u << KEY_MAC |              \
	 1u << KEY_MAC_LIMIT | 1u << KEY_STORM_BROADCAST |                    \
	 1u << KEY_STORM_MULTICAST | 1u << KEY_STORM_UNKNOWN |                \
	 1u << KEY_MIRROR)
#define KEYS_OF_TAPS                                                          \
	(KEYS_OF_ALL | 1u << KEY_FILTER | 1u << KEY_RULES | 1u << KEY_ACCEPT)
#define KEYS_OF_FILES (KEYS_OF_ALL | 1u << KEY_MODE | 1u << KEY_GROUP)

/* What the word behind the colon is. */
enum argument { PATH, DEVICE, DESCRIPTOR };

static const struct {
	enum endpoint_role role;
	enum argument argument;
	unsigned keys;
} kinds[ENDPOINT_KIND_COUNT] = {
	[LISTEN_UML] = { ENDPOINT_LISTENER, PATH, KEYS_OF_FILES },
	[LISTEN_VDE] = { ENDPOINT_LISTENER, PATH, KEYS_OF_FILES },
	[LISTEN_BESS] = { ENDPOINT_LISTENER, PATH, KEYS_OF_FILES },
	[LISTEN_STREAM] = { ENDPOINT_LISTENER, PATH, KEYS_OF_FILES },
	[LISTEN_FD] = { ENDPOINT_LISTENER, DESCRIPTOR, KEYS_OF_ALL },
	[PORT_TAP] = { ENDPOINT_PORT, DEVICE, KEYS_OF_TAPS },
	[PORT_DGRAM] = { ENDPOINT_PORT, PATH, KEYS_OF_FILES | 1u << KEY_REMOTE },
	[PORT_CONNECT_STREAM] = { ENDPOINT_PORT, PATH, KEYS_OF_ALL },
	[PORT_CONNECT_BESS] = { ENDPOINT_PORT, PATH, KEYS_OF_ALL },
	[PORT_FD] = { ENDPOINT_PORT, DESCRIPTOR, KEYS_OF_ALL },
	[CONTROL_SOCKET] = { ENDPOINT_CONTROL, PATH,
			     1u << KEY_MODE | 1u << KEY_GROUP },
};

const char *const endpoint_kinds[ENDPOINT_KIND_COUNT] = {
	[LISTEN_UML] = "uml",
	[LISTEN_VDE] = "vde",
	[LISTEN_BESS] = "bess",
	[LISTEN_STREAM] = "stream",
	[LISTEN_FD] = "fd",
	[PORT_TAP] = "tap",
	[PORT_DGRAM] = "dgram",
	[PORT_CONNECT_STREAM] = "connect-stream",
	[PORT_CONNECT_BESS] = "connect-bess",
	[PORT_FD] = "fd",
	[CONTROL_SOCKET] = "control",
};

__attribute__((format(printf, 3, 4))) static int
refuse(char *why, size_t why_bytes, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, why_bytes, format, args);
	va_end(args);
	return -EINVAL;
}

static void append(char *list, size_t bytes, const char *word)
{
	size_t used = strlen(list);

	snprintf(list + used, bytes - used, "%s%s", used ? ", " : "", word);
}

static int refuse_kind(enum endpoint_role role, char *why, size_t why_bytes)
{
	char list[128] = "";

	for (int i = 0; i < ENDPOINT_KIND_COUNT; i++)
		if (kinds[i].role == role)
			append(list, sizeof(list), endpoint_kinds[i]);
	return refuse(why, why_bytes, "KIND:ARGUMENT[,key=value...] with one of the kinds %s", list);
}

static int refuse_key(enum endpoint_kind kind, const char *key, char *why,
		      size_t why_bytes)
{
	char list[256] = "";

	for (int i = 0; i < KEY_COUNT; i++)
		if (kinds[kind].keys & 1u << i)
			append(list, sizeof(list), keys[i]);
	return refuse(why, why_bytes, "without '%.32s': the keys of %s are %s",
		      key, endpoint_kinds[kind], list);
}

/*
 * Copy the word at *@text up to a lone comma or the end into @word, two commas
 * as one, and go on behind that comma. False if it is too long.
 */
static bool next_word(const char **text, char *word, size_t bytes)
{
	const char *from = *text;
	size_t length = 0;

	for (; *from; from++) {
		if (*from == ',' && *++from != ',')
			break;
		if (length + 1 == bytes)
			return false;
		word[length++] = *from;
	}
	word[length] = '\0';
	*text = from;
	return true;
}

/* Not what would break a line of messages in two. */
static bool is_path(const char *text)
{
	for (const char *c = text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return false;
	return *text;
}

/* As the kernel judges them: net/core/dev.c, dev_valid_name(). */
static bool is_device_name(const char *name)
{
	size_t length = strlen(name);

	return length > 0 && length <= 15 && !strpbrk(name, "/:% \t\n") &&
	       strcmp(name, ".") && strcmp(name, "..");
}

bool endpoint_name_is_good(const char *name)
{
	static const char good[] = "abcdefghijklmnopqrstuvwxyz"
				   "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+:@-";
	size_t length = strlen(name);

	/* The counters' lines of those that have gone, and of all; and what
	 * is captured of every port. */
	if (!strcmp(name, "closed") || !strcmp(name, "total") ||
	    !strcmp(name, "all"))
		return false;
	return length > 0 && length < PORT_NAME_BYTES &&
	       strspn(name, good) == length;
}

static bool copy(char *to, size_t bytes, const char *from)
{
	return (size_t)snprintf(to, bytes, "%s", from) < bytes;
}

static int take_argument(struct endpoint *e, const char *word, char *why,
			 size_t why_bytes)
{
	/* DIR/ctl has to fit as well. */
	size_t room = sizeof(e->argument) -
		      (e->kind == LISTEN_VDE ? strlen("/ctl") : 0);
	int64_t n;

	switch (kinds[e->kind].argument) {
	case PATH:
		if (!is_path(word) || !copy(e->argument, room, word))
			return refuse(why, why_bytes,
				      "a path of 1 to %zu printable characters",
				      room - 1);
		return 0;
	case DEVICE:
		if (!is_device_name(word))
			return refuse(why, why_bytes,
				      "a device name of 1 to 15 characters without '/', ':', '%%' and blanks");
		break;
	case DESCRIPTOR:
		n = value_number(word, 10, 0, DESCRIPTOR_MAX);
		if (n < 0)
			return refuse(why, why_bytes,
				      "the number of an inherited descriptor");
		snprintf(e->argument, sizeof(e->argument), "%d", (int)n);
		return 0;
	}
	copy(e->argument, sizeof(e->argument), word);
	return 0;
}

static int take_number(struct endpoint *e, enum key key, const char *value,
		       char *why, size_t why_bytes)
{
	int64_t n;

	switch (key) {
	case KEY_MODE:
		n = value_number(value, 8, 0, 0777);
		if (n < 0)
			return refuse(why, why_bytes,
				      "with an octal number up to 777 as mode=");
		e->mode = (int)n;
		return 0;
	case KEY_MTU:
		n = value_number(value, 10, MTU_MIN, MTU_MAX);
		if (n < 0)
			return refuse(why, why_bytes,
				      "with %d to %d bytes as mtu=", MTU_MIN,
				      MTU_MAX);
		e->mtu = (uint32_t)n;
		return 0;
	case KEY_MAC_LIMIT:
		n = value_number(value, 10, 0, MAC_LIMIT_MAX);
		if (n < 0)
			return refuse(why, why_bytes,
				      "with 0 (none) to %d addresses as mac-limit=",
				      MAC_LIMIT_MAX);
		e->mac_limit = (uint16_t)n;
		e->flags = (uint16_t)(n ? e->flags | PORT_MAC_LIMIT
					: e->flags & ~PORT_MAC_LIMIT);
		return 0;
	case KEY_STORM_BROADCAST:
	case KEY_STORM_MULTICAST:
	case KEY_STORM_UNKNOWN:
		n = value_number(value, 10, 0, STORM_RATE_MAX);
		if (n < 0)
			return refuse(why, why_bytes,
				      "with 0 (no limit) to %d frames a second as %s=",
				      STORM_RATE_MAX, keys[key]);
		e->storm_rates[key - KEY_STORM_BROADCAST] = (uint32_t)n;
		e->flags = port_storm_flag(e->flags, e->storm_rates);
		return 0;
	default:
		n = value_number(value, 10, 1, PORT_QUEUE_MAX);
		if (n < 0)
			return refuse(why, why_bytes,
				      "with 1 to %d frames as queue=",
				      PORT_QUEUE_MAX);
		e->queue = (uint32_t)n;
		return 0;
	}
}

static int take_switch(struct endpoint *e, enum key key, const char *value,
		       char *why, size_t why_bytes)
{
	bool on = !strcmp(value, "on");

	if (!on && strcmp(value, "off"))
		return refuse(why, why_bytes, "with 'on' or 'off' as %s=",
			      keys[key]);
	if (on != switches[key].inverse)
		e->flags |= switches[key].flag;
	else
		e->flags &= (uint16_t)~switches[key].flag;
	return 0;
}

/* @name has PORT_NAME_BYTES. */
static int take_name(char *name, const char *key, const char *value, char *why,
		     size_t why_bytes)
{
	if (!endpoint_name_is_good(value))
		return refuse(why, why_bytes,
			      "with 1 to %d letters, digits and ._+:@- as %s=, but not 'closed', 'total' or 'all'",
			      PORT_NAME_BYTES - 1, key);
	copy(name, PORT_NAME_BYTES, value);
	return 0;
}

static int take_mac(struct endpoint *e, const char *value, char *why,
		    size_t why_bytes)
{
	if (!ether_parse(value, &e->mac) || !e->mac || ether_is_group(e->mac))
		return refuse(why, why_bytes,
			      "with a station's address, as 02:00:00:00:00:01, as mac=");
	return 0;
}

/* @file has FILTER_PATH_BYTES. */
static int take_file(char *file, const char *key, const char *value, char *why,
		     size_t why_bytes)
{
	if (!is_path(value) || !copy(file, FILTER_PATH_BYTES, value))
		return refuse(why, why_bytes,
			      "with a path of 1 to %d printable characters as %s=",
			      FILTER_PATH_BYTES - 1, key);
	return 0;
}

static int take_key(struct endpoint *e, enum key key, const char *value,
		    char *why, size_t why_bytes)
{
	int64_t gid;

	switch (key) {
	case KEY_NAME:
		return take_name(e->name, "name", value, why, why_bytes);
	case KEY_MIRROR:
		return take_name(e->mirror, "mirror", value, why, why_bytes);
	case KEY_ISOLATED:
	case KEY_LEARNING:
	case KEY_FLOOD:
	case KEY_LOCKED:
	case KEY_NO_SPOOF:
		return take_switch(e, key, value, why, why_bytes);
	case KEY_MAC:
		return take_mac(e, value, why, why_bytes);
	case KEY_GROUP:
		gid = value_group(value);
		if (gid < 0)
			return refuse(why, why_bytes,
				      "with a group's name or number as group=");
		e->group = (gid_t)gid;
		return 0;
	case KEY_REMOTE:
		if (!is_path(value) ||
		    !copy(e->remote, sizeof(e->remote), value))
			return refuse(why, why_bytes,
				      "with a path of 1 to %zu printable characters as remote=",
				      sizeof(e->remote) - 1);
		return 0;
	case KEY_FILTER:
		return take_file(e->filter, "filter", value, why, why_bytes);
	case KEY_RULES:
		return take_file(e->rules, "rules", value, why, why_bytes);
	case KEY_ACCEPT:
		if (!copy(e->accept_to_guests, sizeof(e->accept_to_guests),
			  value) ||
		    !is_path(value) || !value[strspn(value, " ")])
			return refuse(why, why_bytes,
				      "with a tcpdump expression of 1 to %zu printable characters as accept-to-guests=",
				      sizeof(e->accept_to_guests) - 1);
		return 0;
	default:
		return take_number(e, key, value, why, why_bytes);
	}
}

static int take_pair(struct endpoint *e, char *word, unsigned *seen, char *why,
		     size_t why_bytes)
{
	char *equals = strchr(word, '=');
	int key = 0;

	if (equals)
		*equals = '\0';
	while (key < KEY_COUNT && strcmp(word, keys[key]))
		key++;
	if (key == KEY_COUNT || !(kinds[e->kind].keys & 1u << key))
		return refuse_key(e->kind, word, why, why_bytes);
	if (!equals)
		return refuse(why, why_bytes, "with a value: %s=", word);
	if (*seen & 1u << key)
		return refuse(why, why_bytes, "with one %s= only", word);
	*seen |= 1u << key;
	return take_key(e, (enum key)key, equals + 1, why, why_bytes);
}

static int check(const struct endpoint *e, char *why, size_t why_bytes)
{
	if (e->kind == PORT_DGRAM && !*e->remote)
		return refuse(why, why_bytes,
			      "with the other side's path: ,remote=PATH");
	if (*e->mirror && !strcmp(e->mirror, e->name))
		return refuse(why, why_bytes,
			      "with another port's name as mirror=");
	if (*e->filter && *e->rules)
		return refuse(why, why_bytes,
			      "with filter= or rules=, not both: either is the program that the kernel runs there");
	return 0;
}

static void defaults(struct endpoint *e, enum endpoint_kind kind)
{
	*e = (struct endpoint){
		.kind = kind,
		.mode = -1,
		.group = (gid_t)-1,
	};
}

static bool find_kind(enum endpoint_role role, const char *text,
		      enum endpoint_kind *kind)
{
	size_t length = strcspn(text, ":");

	for (int i = 0; text[length] && i < ENDPOINT_KIND_COUNT; i++)
		if (kinds[i].role == role &&
		    strlen(endpoint_kinds[i]) == length &&
		    !memcmp(text, endpoint_kinds[i], length)) {
			*kind = (enum endpoint_kind)i;
			return true;
		}
	return false;
}

int endpoint_parse_as(enum endpoint_kind kind, const char *text,
		      struct endpoint *e, char *why, size_t why_bytes)
{
	char word[EXPRESSION_BYTES + 32];
	unsigned seen = 0;
	bool first = true;

	defaults(e, kind);
	do {
		int err;

		if (!next_word(&text, word, sizeof(word)))
			return refuse(why, why_bytes,
				      "of words of at most %zu characters",
				      sizeof(word) - 1);
		err = first ? take_argument(e, word, why, why_bytes)
			    : take_pair(e, word, &seen, why, why_bytes);
		if (err)
			return err;
		first = false;
	} while (*text);
	return check(e, why, why_bytes);
}

int endpoint_parse(enum endpoint_role role, const char *text,
		   struct endpoint *e, char *why, size_t why_bytes)
{
	enum endpoint_kind kind;

	if (!find_kind(role, text, &kind))
		return refuse_kind(role, why, why_bytes);
	return endpoint_parse_as(kind, strchr(text, ':') + 1, e, why,
				 why_bytes);
}

int endpoint_plain(enum endpoint_kind kind, const char *argument,
		   struct endpoint *e, char *why, size_t why_bytes)
{
	defaults(e, kind);
	return take_argument(e, argument, why, why_bytes);
}

/* The path in @e that is used again later, and its room; NULL if there is none. */
static char *later_path(struct endpoint *e, size_t *bytes)
{
	*bytes = SOCKET_PATH_BYTES;
	switch (e->kind) {
	case PORT_DGRAM:
		return e->remote;
	case PORT_CONNECT_STREAM:
	case PORT_CONNECT_BESS:
		return e->argument;
	case PORT_TAP:
		*bytes = FILTER_PATH_BYTES;
		return *e->rules ? e->rules : NULL;
	default:
		return NULL;
	}
}

int endpoint_make_absolute(struct endpoint *e, const char *cwd, char *why,
			   size_t why_bytes)
{
	char absolute[FILTER_PATH_BYTES];
	size_t bytes;
	char *path = later_path(e, &bytes);
	int length;

	if (!path || *path == '/')
		return 0;
	length = snprintf(absolute, sizeof(absolute), "%s/%s", cwd, path);
	if (length < 0 || (size_t)length >= bytes)
		return refuse(why, why_bytes,
			      "a path of at most %zu characters from the root, with --daemon",
			      bytes - 1);
	memcpy(path, absolute, (size_t)length + 1);
	return 0;
}

int endpoint_mode(const struct endpoint *e)
{
	return e->mode < 0 && e->group != (gid_t)-1 ? 0770 : e->mode;
}

enum endpoint_role endpoint_role(enum endpoint_kind kind)
{
	return kinds[kind].role;
}

bool endpoint_makes_file(enum endpoint_kind kind)
{
	return kinds[kind].keys & 1u << KEY_MODE;
}
