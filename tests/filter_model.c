#include "filter_model.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "filter_facts.h"

enum { LINE_MAX_BYTES = 4096, RULE_TESTS = 17 };

/* Values ------------------------------------------------------------------ */

/* One value of a list. */
struct item {
	uint64_t first, last; /* numbers */
	uint64_t mac, mask;
	int version; /* of an address */
	uint8_t address[16];
	int length; /* of its prefix */
	int flags, flags_mask;
	bool established, none;
};

struct word_number {
	const char *word;
	unsigned number;
};

static const struct word_number ethertypes[] = {
	{ "arp", 0x0806 }, { "ipv4", 0x0800 }, { "ipv6", 0x86dd },
	{ "lldp", 0x88cc }, { NULL, 0 },
};

static const struct word_number operations[] = { { "request", 1 },
						 { "reply", 2 },
						 { NULL, 0 } };

static const struct word_number protocols[] = {
	{ "icmp", 1 },	{ "igmp", 2 },	  { "tcp", 6 },	   { "udp", 17 },
	{ "gre", 47 },	{ "esp", 50 },	  { "ah", 51 },	   { "icmpv6", 58 },
	{ "ospf", 89 }, { "sctp", 132 },  { NULL, 0 },
};

static const struct word_number icmp_types[] = {
	{ "echo-reply", 0 },	     { "destination-unreachable", 3 },
	{ "redirect", 5 },	     { "echo-request", 8 },
	{ "time-exceeded", 11 },     { "parameter-problem", 12 },
	{ "timestamp-request", 13 }, { "timestamp-reply", 14 },
	{ NULL, 0 },
};

static const struct word_number icmpv6_types[] = {
	{ "destination-unreachable", 1 }, { "packet-too-big", 2 },
	{ "time-exceeded", 3 },		  { "parameter-problem", 4 },
	{ "echo-request", 128 },	  { "echo-reply", 129 },
	{ "router-solicitation", 133 },	  { "router-advertisement", 134 },
	{ "neighbor-solicitation", 135 }, { "neighbor-advertisement", 136 },
	{ "redirect", 137 },		  { NULL, 0 },
};

static const struct word_number no_words[] = { { NULL, 0 } };

static const struct word_number flag_words[] = {
	{ "fin", 0x01 }, { "syn", 0x02 }, { "rst", 0x04 },  { "psh", 0x08 },
	{ "ack", 0x10 }, { "urg", 0x20 }, { "ece", 0x40 },  { "cwr", 0x80 },
	{ "none", 0 },	 { NULL, 0 },
};

static bool find_word(const struct word_number *words, const char *text,
		      unsigned *number)
{
	for (; words->word; words++)
		if (!strcmp(words->word, text)) {
			*number = words->number;
			return true;
		}
	return false;
}

/* strtoul(3) takes a leading 0 for octal; rules do not. */
static unsigned long to_number(const char *text, char **end)
{
	bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');

	return strtoul(text, end, hex ? 16 : 10);
}

static void read_number(struct item *item, const char *text,
			const struct word_number *words)
{
	unsigned number;
	char *end;

	if (find_word(words, text, &number)) {
		item->first = item->last = number;
		return;
	}
	item->first = item->last = to_number(text, &end);
	if (*end == '-')
		item->last = to_number(end + 1, &end);
	assert(!*end);
}

static uint64_t to_mac(const char *text)
{
	unsigned b[6];
	uint64_t mac = 0;
	int found = sscanf(text, "%x:%x:%x:%x:%x:%x", &b[0], &b[1], &b[2],
			   &b[3], &b[4], &b[5]);

	assert(found == 6);
	for (int i = 0; i < found; i++)
		mac = mac << 8 | b[i];
	return mac;
}

static void read_mac(struct item *item, const char *text)
{
	const char *slash = strchr(text, '/');

	item->mac = to_mac(text);
	item->mask = 0xffffffffffff;
	if (slash && strchr(slash, ':'))
		item->mask = to_mac(slash + 1);
	else if (slash)
		item->mask &= ~(item->mask >> atoi(slash + 1));
}

static void read_address(struct item *item, const char *text)
{
	char address[64];
	const char *slash = strchr(text, '/');
	size_t length = slash ? (size_t)(slash - text) : strlen(text);

	assert(length < sizeof(address));
	memcpy(address, text, length);
	address[length] = '\0';
	item->version = strchr(address, ':') ? 6 : 4;
	item->length = slash		       ? atoi(slash + 1)
		       : item->version == 4 ? 32
					       : 128;
	if (inet_pton(item->version == 4 ? AF_INET : AF_INET6, address,
		      item->address) != 1)
		abort();
}

static int to_flags(const char *text)
{
	char copy[64], *rest = copy, *word;
	unsigned flag;
	int flags = 0;

	assert(strlen(text) < sizeof(copy));
	strcpy(copy, text);
	while ((word = strsep(&rest, "+"))) {
		if (!find_word(flag_words, word, &flag))
			abort();
		flags |= (int)flag;
	}
	return flags;
}

static void read_flags(struct item *item, char *text)
{
	char *slash = strchr(text, '/');

	item->established = !strcmp(text, "established");
	if (item->established)
		return;
	if (slash)
		*slash = '\0';
	item->flags = to_flags(text);
	item->flags_mask = slash ? to_flags(slash + 1) : item->flags;
}

/* Matches ----------------------------------------------------------------- */

struct test;

struct match {
	const char *name;
	void (*read)(struct item *item, const struct match *m, char *text);
	bool (*holds)(const struct test *t, const struct facts *f);
	const struct word_number *words;
};

/* MATCH VALUE. */
struct test {
	const struct match *match;
	bool not;
	size_t items;
	struct item *item;
};

static void number_item(struct item *item, const struct match *m, char *text)
{
	read_number(item, text, m->words);
}

static void vlan_item(struct item *item, const struct match *m, char *text)
{
	item->none = !strcmp(text, "none");
	if (!item->none)
		read_number(item, text, m->words);
}

static void mac_item(struct item *item, const struct match *m, char *text)
{
	(void)m;
	read_mac(item, text);
}

static void address_item(struct item *item, const struct match *m, char *text)
{
	(void)m;
	read_address(item, text);
}

static void flags_item(struct item *item, const struct match *m, char *text)
{
	(void)m;
	read_flags(item, text);
}

/* The words of the language are what a frame has to have for a match at all,
 * complemented or not: NONE is never listed and never "not listed". */
static bool number_holds(const struct test *t, int64_t number)
{
	bool listed = false;

	if (number == NONE)
		return false;
	for (size_t i = 0; i < t->items; i++)
		listed |= !t->item[i].none &&
			  t->item[i].first <= (uint64_t)number &&
			  (uint64_t)number <= t->item[i].last;
	return listed != t->not;
}

static bool mac_holds(const struct test *t, uint64_t mac)
{
	bool listed = false;

	for (size_t i = 0; i < t->items; i++)
		listed |= !((mac ^ t->item[i].mac) & t->item[i].mask);
	return listed != t->not;
}

static bool in_prefix(const struct item *item, int version,
		      const uint8_t *address)
{
	if (item->version != version)
		return false;
	for (int bit = 0; bit < item->length; bit++)
		if ((address[bit / 8] ^ item->address[bit / 8]) &
		    0x80 >> bit % 8)
			return false;
	return true;
}

static bool address_holds(const struct test *t, int version,
			  const uint8_t *address)
{
	bool listed = false;

	if (!version)
		return false;
	for (size_t i = 0; i < t->items; i++)
		listed |= in_prefix(&t->item[i], version, address);
	return listed != t->not;
}

static bool ipv4_holds(const struct test *t, uint32_t address)
{
	uint32_t be = htonl(address);

	return address_holds(t, 4, (const uint8_t *)&be);
}

static bool src_mac_holds(const struct test *t, const struct facts *f)
{
	return mac_holds(t, f->src_mac);
}

static bool dst_mac_holds(const struct test *t, const struct facts *f)
{
	return mac_holds(t, f->dst_mac);
}

static bool ethertype_holds(const struct test *t, const struct facts *f)
{
	return number_holds(t, f->ethertype);
}

/* Untagged is a value like others. */
static bool vlan_holds(const struct test *t, const struct facts *f)
{
	bool listed = false;

	if (f->vlan != NONE)
		return number_holds(t, f->vlan);
	for (size_t i = 0; i < t->items; i++)
		listed |= t->item[i].none;
	return listed != t->not;
}

static bool arp_holds(const struct test *t, const struct facts *f)
{
	return number_holds(t, f->arp);
}

static bool arp_sender_holds(const struct test *t, const struct facts *f)
{
	return f->arp != NONE && ipv4_holds(t, f->arp_sender);
}

static bool arp_target_holds(const struct test *t, const struct facts *f)
{
	return f->arp != NONE && ipv4_holds(t, f->arp_target);
}

static bool arp_sender_mac_holds(const struct test *t, const struct facts *f)
{
	return f->arp != NONE && mac_holds(t, f->arp_sender_mac);
}

static bool arp_target_mac_holds(const struct test *t, const struct facts *f)
{
	return f->arp != NONE && mac_holds(t, f->arp_target_mac);
}

static bool src_holds(const struct test *t, const struct facts *f)
{
	return address_holds(t, f->version, f->src);
}

static bool dst_holds(const struct test *t, const struct facts *f)
{
	return address_holds(t, f->version, f->dst);
}

static bool protocol_holds(const struct test *t, const struct facts *f)
{
	return number_holds(t, f->protocol);
}

static bool src_port_holds(const struct test *t, const struct facts *f)
{
	return number_holds(t, f->src_port);
}

static bool dst_port_holds(const struct test *t, const struct facts *f)
{
	return number_holds(t, f->dst_port);
}

static bool flags_hold(const struct test *t, const struct facts *f)
{
	bool listed = false;

	if (f->tcp_flags == NONE)
		return false;
	for (size_t i = 0; i < t->items; i++) {
		const struct item *item = &t->item[i];

		listed |= item->established
				  ? (f->tcp_flags & (0x10 | 0x04)) != 0
				  : (f->tcp_flags & item->flags_mask) ==
					    item->flags;
	}
	return listed != t->not;
}

static bool icmp_type_holds(const struct test *t, const struct facts *f)
{
	return number_holds(t, f->icmp_type);
}

static bool icmpv6_type_holds(const struct test *t, const struct facts *f)
{
	return number_holds(t, f->icmpv6_type);
}

static const struct match matches[] = {
	{ "src-mac", mac_item, src_mac_holds, NULL },
	{ "dst-mac", mac_item, dst_mac_holds, NULL },
	{ "ethertype", number_item, ethertype_holds, ethertypes },
	{ "vlan", vlan_item, vlan_holds, no_words },
	{ "arp", number_item, arp_holds, operations },
	{ "arp-sender", address_item, arp_sender_holds, NULL },
	{ "arp-target", address_item, arp_target_holds, NULL },
	{ "arp-sender-mac", mac_item, arp_sender_mac_holds, NULL },
	{ "arp-target-mac", mac_item, arp_target_mac_holds, NULL },
	{ "src", address_item, src_holds, NULL },
	{ "dst", address_item, dst_holds, NULL },
	{ "protocol", number_item, protocol_holds, protocols },
	{ "src-port", number_item, src_port_holds, no_words },
	{ "dst-port", number_item, dst_port_holds, no_words },
	{ "tcp-flags", flags_item, flags_hold, NULL },
	{ "icmp-type", number_item, icmp_type_holds, icmp_types },
	{ "icmpv6-type", number_item, icmpv6_type_holds, icmpv6_types },
};

static const struct match *find_match(const char *name)
{
	for (size_t i = 0; i < sizeof(matches) / sizeof(*matches); i++)
		if (!strcmp(matches[i].name, name))
			return &matches[i];
	abort();
}

/* Rules ------------------------------------------------------------------- */

struct rule {
	uint32_t line;
	bool counts, drops; /* what it does; a limit accepts */
	bool is_for[FILTER_DIRECTIONS];
	size_t tests;
	struct test test[RULE_TESTS];
	uint64_t frames[FILTER_DIRECTIONS], bytes[FILTER_DIRECTIONS];
};

struct model {
	struct rule *rules;
	size_t count, room;
	struct rule defaults[FILTER_DIRECTIONS];
	/* What becomes of frames that hide something, if anybody looks. */
	struct rule hidden;
	bool looks_further[FILTER_DIRECTIONS];
	bool looks_behind_tags[FILTER_DIRECTIONS];
	uint32_t (*names)[2]; /* inner, outer */
	size_t name_count;
};

static void *more(void *array, size_t count, size_t bytes)
{
	void *grown = reallocarray(array, count, bytes);

	if (!grown)
		abort();
	return grown;
}

static char *next_word(char **rest)
{
	char *word;

	while ((word = strsep(rest, " \t\r")))
		if (*word)
			return word;
	return NULL;
}

static void read_test(struct test *t, const char *name, char *value)
{
	char *text;

	*t = (struct test){ .match = find_match(name), .not = *value == '!' };
	value += t->not;
	while ((text = strsep(&value, ","))) {
		t->item = more(t->item, t->items + 1, sizeof(*t->item));
		t->item[t->items] = (struct item){ 0 };
		t->match->read(&t->item[t->items++], t->match, text);
	}
}

static void read_default(struct model *m, uint32_t line, char *rest)
{
	int direction = !strcmp(next_word(&rest), "to-guests")
				? FILTER_TO_GUESTS
				: FILTER_TO_HOST;

	m->defaults[direction].line = line;
	m->defaults[direction].drops = !strcmp(next_word(&rest), "drop");
}

static void read_name(struct model *m, char *rest)
{
	struct item inner, outer;
	uint32_t be;

	read_address(&inner, next_word(&rest));
	next_word(&rest);
	read_address(&outer, next_word(&rest));
	m->names = more(m->names, m->name_count + 1, sizeof(*m->names));
	memcpy(&be, inner.address, 4);
	m->names[m->name_count][0] = ntohl(be);
	memcpy(&be, outer.address, 4);
	m->names[m->name_count++][1] = ntohl(be);
	/* What is to be translated has to be seen. */
	for (int d = 0; d < FILTER_DIRECTIONS; d++)
		m->looks_behind_tags[d] = true;
}

static bool is_mac(const char *word)
{
	return !strcmp(word, "src-mac") || !strcmp(word, "dst-mac");
}

static bool is_of_ethernet(const char *word)
{
	return is_mac(word) || !strcmp(word, "ethertype") ||
	       !strcmp(word, "vlan");
}

static void read_rule(struct model *m, uint32_t line, const char *action,
		      char *rest)
{
	struct rule *r;
	char *word = next_word(&rest);

	if (m->count == m->room) {
		m->room = m->room ? 2 * m->room : 16;
		m->rules = more(m->rules, m->room, sizeof(*m->rules));
	}
	r = &m->rules[m->count++];
	*r = (struct rule){ .line = line,
			    .counts = !strcmp(action, "count"),
			    .drops = !strcmp(action, "drop") };
	if (!strcmp(action, "rate-limit")) {
		next_word(&rest);
		word = next_word(&rest);
		if (word && !strcmp(word, "burst")) {
			next_word(&rest);
			next_word(&rest);
			word = next_word(&rest);
		}
	}
	r->is_for[FILTER_TO_HOST] = !word || strcmp(word, "to-guests");
	r->is_for[FILTER_TO_GUESTS] = !word || strcmp(word, "to-host");
	if (!r->is_for[FILTER_TO_HOST] || !r->is_for[FILTER_TO_GUESTS])
		word = next_word(&rest);
	for (; word; word = next_word(&rest)) {
		assert(r->tests < RULE_TESTS);
		read_test(&r->test[r->tests++], word, next_word(&rest));
		for (int d = 0; d < FILTER_DIRECTIONS; d++) {
			m->looks_further[d] |= r->is_for[d] &&
					       !is_of_ethernet(word);
			m->looks_behind_tags[d] |= r->is_for[d] && !is_mac(word);
		}
	}
}

static void read_line(struct model *m, uint32_t number, char *line)
{
	char *rest = line, *word;

	line[strcspn(line, "#")] = '\0';
	word = next_word(&rest);
	if (!word)
		return;
	if (!strcmp(word, "default"))
		read_default(m, number, rest);
	else if (!strcmp(word, "translate"))
		read_name(m, rest);
	else
		read_rule(m, number, word, rest);
}

struct model *model_new(const char *text)
{
	struct model *m = more(NULL, 1, sizeof(*m));
	char line[LINE_MAX_BYTES];
	uint32_t number = 0;

	*m = (struct model){ .hidden.drops = true };
	while (*text) {
		size_t length = strcspn(text, "\n");

		assert(length < sizeof(line));
		memcpy(line, text, length);
		line[length] = '\0';
		read_line(m, ++number, line);
		text += length + (text[length] == '\n');
	}
	return m;
}

void model_free(struct model *m)
{
	for (size_t i = 0; m && i < m->count; i++)
		for (size_t j = 0; j < m->rules[i].tests; j++)
			free(m->rules[i].test[j].item);
	if (m) {
		free(m->rules);
		free(m->names);
	}
	free(m);
}

/* Judging ----------------------------------------------------------------- */

static void to_inner(const struct model *m, uint32_t *address)
{
	for (size_t i = 0; i < m->name_count; i++)
		if (m->names[i][1] == *address) {
			*address = m->names[i][0];
			return;
		}
}

static void to_inner_be(const struct model *m, uint8_t *address)
{
	uint32_t be, host;

	memcpy(&be, address, sizeof(be));
	host = ntohl(be);
	to_inner(m, &host);
	be = htonl(host);
	memcpy(address, &be, sizeof(be));
}

static bool rule_matches(const struct rule *r, enum filter_direction direction,
			 const struct facts *f)
{
	if (!r->is_for[direction])
		return false;
	for (size_t i = 0; i < r->tests; i++)
		if (!r->test[i].match->holds(&r->test[i], f))
			return false;
	return true;
}

bool model_drops(struct model *m, enum filter_direction direction,
		 const uint8_t *frame, uint32_t bytes, uint32_t *line)
{
	struct facts f = facts_of(frame, bytes);
	bool hidden = (f.hidden && m->looks_further[direction]) ||
		      (f.tags_hide && m->looks_behind_tags[direction]);
	struct rule *r = NULL;

	if (direction == FILTER_TO_GUESTS && f.version == 4) {
		to_inner_be(m, f.src);
		to_inner_be(m, f.dst);
	}
	if (direction == FILTER_TO_GUESTS && f.arp != NONE) {
		to_inner(m, &f.arp_sender);
		to_inner(m, &f.arp_target);
	}
	for (size_t i = 0; i <= m->count; i++) {
		r = i < m->count ? &m->rules[i]
		    : hidden	 ? &m->hidden
				 : &m->defaults[direction];
		if (i < m->count && (!rule_matches(r, direction, &f) ||
				     (hidden && !r->counts)))
			continue;
		r->frames[direction]++;
		r->bytes[direction] += bytes;
		if (!r->counts)
			break;
	}
	*line = r->line;
	return r->drops;
}

static const struct rule *rule_in(const struct model *m,
				  enum filter_direction direction,
				  uint32_t line)
{
	if (line == MODEL_HIDDEN)
		return &m->hidden;
	if (m->defaults[direction].line == line)
		return &m->defaults[direction];
	for (size_t i = 0; i < m->count; i++)
		if (m->rules[i].line == line)
			return &m->rules[i];
	abort();
}

struct model_count model_count(const struct model *m,
			       enum filter_direction direction, uint32_t line)
{
	const struct rule *r = rule_in(m, direction, line);

	return (struct model_count){ r->frames[direction],
				     r->bytes[direction] };
}
