#include "filter_rules.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "filter_parse.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

const char *const filter_direction_names[FILTER_DIRECTIONS] = {
	[FILTER_TO_HOST] = "to-host",
	[FILTER_TO_GUESTS] = "to-guests",
};

const char *const filter_action_names[FILTER_ACTIONS] = {
	[FILTER_ACCEPT] = "accept",
	[FILTER_DROP] = "drop",
	[FILTER_COUNT] = "count",
	[FILTER_LIMIT_PACKETS] = "rate-limit",
	[FILTER_LIMIT_BITS] = "rate-limit",
	[FILTER_TRANSLATE] = "translate",
};

static int find(const char *const *names, int count, const char *text)
{
	for (int i = 0; i < count; i++)
		if (!strcmp(names[i], text))
			return i;
	return -1;
}

/* Rules ------------------------------------------------------------------- */

static int add_conditions(struct parser *p, struct filter_entry *e,
			  const struct alternative *a)
{
	struct filter_rules *r = p->rules;

	for (uint32_t i = 0; i < a->count; i++) {
		if (parse_make_room(p, &r->conditions, sizeof(*r->conditions),
			      r->condition_count))
			return -ENOMEM;
		r->conditions[r->condition_count++] = a->conditions[i];
		e->conditions++;
	}
	return 0;
}

static int add_entry(struct parser *p, const struct choice *choices, size_t n)
{
	struct filter_rules *r = p->rules;
	struct filter_entry e = { .condition_at = r->condition_count };
	int err = 0;

	if (r->entry_count == FILTER_ENTRIES)
		return parse_complain(p, 1,
				      "more than %d rules, each combination of IPv6 prefixes, MAC masks and '!' in lists counting as one",
				      FILTER_ENTRIES);
	for (size_t i = 0; !err && i < n; i++)
		err = add_conditions(p, &e,
				     &p->alternatives[choices[i].at +
						      choices[i].taken]);
	if (!err)
		err = parse_make_room(p, &r->entries, sizeof(*r->entries),
				r->entry_count);
	if (err)
		return err;
	r->entries[r->entry_count++] = e;
	return 0;
}

/* The next combination, as a counter counts. */
static bool turn(struct choice *choices, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (++choices[i].taken < choices[i].count)
			return true;
		choices[i].taken = 0;
	}
	return false;
}

/* From IPv4 to IPv6, or the other way round: no packet goes. */
static bool mixes_families(const struct parser *p, const struct choice *choices,
			   size_t n)
{
	bool ipv4 = false, ipv6 = false;

	for (size_t i = 0; i < n; i++) {
		enum filter_field field =
			p->alternatives[choices[i].at + choices[i].taken]
				.conditions[0]
				.field;

		ipv4 |= field == FIELD_SRC4 || field == FIELD_DST4;
		ipv6 |= field >= FIELD_SRC6 && field <= FIELD_DST6_END;
	}
	return ipv4 && ipv6;
}

/* An entry for each combination of alternatives. */
static int combine(struct parser *p, struct filter_statement *s,
		   struct choice *choices, size_t n)
{
	int err = 0;

	for (size_t i = 0; i < n; i++)
		if (!choices[i].count)
			return 0; /* matches nothing */
	do {
		if (mixes_families(p, choices, n))
			continue;
		err = add_entry(p, choices, n);
		s->entries++;
	} while (!err && turn(choices, n));
	return err;
}

struct unit {
	const char *word;
	enum filter_action action;
	uint64_t factor;
};

static const struct unit rate_units[] = {
	{ "packets/s", FILTER_LIMIT_PACKETS, 1 },
	{ "packet/s", FILTER_LIMIT_PACKETS, 1 },
	{ "bit/s", FILTER_LIMIT_BITS, 1 },
	{ "kbit/s", FILTER_LIMIT_BITS, 1000 },
	{ "Mbit/s", FILTER_LIMIT_BITS, 1000 * 1000 },
	{ "Gbit/s", FILTER_LIMIT_BITS, 1000 * 1000 * 1000 },
};

static const struct unit burst_units[] = {
	{ "packets", FILTER_LIMIT_PACKETS, 1 },
	{ "packet", FILTER_LIMIT_PACKETS, 1 },
	{ "bytes", FILTER_LIMIT_BITS, 8 },
	{ "kB", FILTER_LIMIT_BITS, 8 * 1000 },
	{ "MB", FILTER_LIMIT_BITS, 8 * 1000 * 1000 },
};

#define RATE_MAX ((uint64_t)1000 * 1000 * 1000 * 1000)
#define BURST_NS_MAX ((filter_number)100 * 365 * 86400 * 1000 * 1000 * 1000)

static int read_amount(struct parser *p, const struct unit *units, size_t count,
		       const char *what, uint64_t *amount,
		       enum filter_action *action)
{
	struct word *word = parse_take(p);
	uint64_t n;

	if (filter_value_number(word->text, RATE_MAX, &n) || !n)
		return parse_expected(p, word, "a whole number from 1");
	word = parse_take(p);
	for (size_t i = 0; i < count; i++)
		if (!strcmp(word->text, units[i].word)) {
			if (n > RATE_MAX / units[i].factor)
				return parse_complain(p, word->column,
						   "more than 1000 Gbit/s, or a burst of more than 125 GB");
			*amount = n * units[i].factor;
			*action = units[i].action;
			return 0;
		}
	return parse_expected(p, word, what);
}

static int read_limit(struct parser *p, struct filter_statement *s)
{
	const uint64_t second_ns = 1000000000;
	filter_number burst_ns;
	enum filter_action kind;
	uint64_t burst;
	struct word *word;
	int err = read_amount(p, rate_units, ARRAY_SIZE(rate_units),
			      "a unit: packets/s, bit/s, kbit/s, Mbit/s, Gbit/s",
			      &s->rate, &s->action);

	if (err)
		return err;
	if (s->action == FILTER_LIMIT_PACKETS && s->rate > 10 * 1000 * 1000)
		return parse_complain(p, p->words[p->next - 2].column,
				   "more than 10000000 packets/s");
	/* A tenth of a second, but 5 packets or 10 kB in any case. */
	burst = s->rate / 10;
	if (s->action == FILTER_LIMIT_PACKETS && burst < 5)
		burst = 5;
	if (s->action == FILTER_LIMIT_BITS && burst < 8 * 10000)
		burst = 8 * 10000;
	if (!parse_at_end(p) && !strcmp(p->words[p->next].text, "burst")) {
		parse_take(p);
		word = &p->words[p->next + 1 < p->word_count ? p->next + 1
							      : p->word_count];
		err = read_amount(p, burst_units, ARRAY_SIZE(burst_units),
				  "a unit: packets, bytes, kB, MB", &burst,
				  &kind);
		if (err)
			return err;
		if (kind != s->action)
			return parse_complain(p, word->column,
					   "a burst in packets goes with a rate in packets/s, one in bytes with one in bits");
	}
	burst_ns = (filter_number)burst * second_ns / s->rate;
	if (burst_ns > BURST_NS_MAX)
		return parse_complain(p, p->words[p->next - 2].column,
				      "at this rate, the burst would take more than 100 years");
	s->burst_ns = (uint64_t)burst_ns;
	return 0;
}

static char *join(const struct parser *p)
{
	size_t bytes = 1;
	char *text;

	for (size_t i = 0; i < p->word_count; i++)
		bytes += strlen(p->words[i].text) + 1;
	text = malloc(bytes);
	if (!text)
		return NULL;
	*text = '\0';
	bytes = 0;
	for (size_t i = 0; i < p->word_count; i++)
		bytes += (size_t)sprintf(text + bytes, "%s%s", i ? " " : "",
					 p->words[i].text);
	return text;
}

static int read_rule(struct parser *p, enum filter_action action)
{
	struct filter_rules *r = p->rules;
	struct filter_statement s = {
		.line = p->line,
		.directions = (1u << FILTER_DIRECTIONS) - 1,
		.action = action,
		.entry_at = r->entry_count,
	};
	struct choice choices[MATCHES];
	unsigned seen = 0;
	size_t n = 0;
	int direction, err = 0;

	if (r->statement_count == FILTER_RULES)
		return parse_complain(p, 1, "more than %d rules", FILTER_RULES);
	if (action == FILTER_LIMIT_PACKETS)
		err = read_limit(p, &s);
	if (err)
		return err;
	direction = find(filter_direction_names, FILTER_DIRECTIONS,
			 parse_at_end(p) ? "" : p->words[p->next].text);
	if (direction >= 0) {
		s.directions = 1u << direction;
		parse_take(p);
	}
	p->alternative_count = 0;
	while (!err && !parse_at_end(p))
		err = parse_match(p, &choices[n++], &seen);
	if (!err)
		err = combine(p, &s, choices, n);
	if (!err)
		err = parse_make_room(p, &r->statements, sizeof(*r->statements),
				r->statement_count);
	if (err)
		return err;
	s.text = join(p);
	if (!s.text)
		return parse_no_memory(p);
	r->statements[r->statement_count++] = s;
	return 0;
}

static int read_default(struct parser *p)
{
	struct word *word = parse_take(p);
	int direction = find(filter_direction_names, FILTER_DIRECTIONS,
			     word->text);
	int action;

	if (direction < 0)
		return parse_expected(p, word, "a direction: to-host, to-guests");
	if (p->rules->default_line[direction])
		return parse_complain(p, word->column,
				   "line %u has a default for %s already",
				   p->rules->default_line[direction],
				   word->text);
	word = parse_take(p);
	action = find(filter_action_names, FILTER_DROP + 1, word->text);
	if (action < 0)
		return parse_expected(p, word, "accept or drop");
	p->rules->default_action[direction] = (enum filter_action)action;
	p->rules->default_line[direction] = p->line;
	return 0;
}

static int read_address(struct parser *p, uint32_t *address)
{
	struct word *word = parse_take(p);
	struct filter_span span;

	if (filter_value_ipv4(word->text, &span) || span.first != span.last)
		return parse_expected(p, word, "an IPv4 address");
	*address = (uint32_t)span.first;
	return 0;
}

static int read_translation(struct parser *p)
{
	struct filter_rules *r = p->rules;
	struct filter_name n = { .line = p->line };
	uint32_t column[2] = { p->words[p->next].column, 0 };
	struct word *word;

	if (read_address(p, &n.inner))
		return -EINVAL;
	word = parse_take(p);
	if (strcmp(word->text, "<->"))
		return parse_expected(p, word, "'<->'");
	column[1] = p->words[p->next].column;
	if (read_address(p, &n.outer))
		return -EINVAL;
	for (uint32_t i = 0; i < r->name_count; i++) {
		bool inner = r->names[i].inner == n.inner;

		if (inner || r->names[i].outer == n.outer)
			return parse_complain(p, column[!inner],
					   "line %u translates this address already",
					   r->names[i].line);
	}
	if (r->name_count == FILTER_NAMES)
		return parse_complain(p, 1, "more than %d translations",
				   FILTER_NAMES);
	if (parse_make_room(p, &r->names, sizeof(*r->names), r->name_count))
		return -ENOMEM;
	n.text = join(p);
	if (!n.text)
		return parse_no_memory(p);
	r->names[r->name_count++] = n;
	return 0;
}

/* The words that actions begin with; the unit makes of rate-limit what it is. */
static int read_statement(struct parser *p)
{
	struct word *word = parse_take(p);
	int action, err;

	if (!strcmp(word->text, "default")) {
		err = read_default(p);
	} else if (!strcmp(word->text, "translate")) {
		err = read_translation(p);
	} else {
		action = find(filter_action_names, FILTER_LIMIT_BITS,
			      word->text);
		if (action < 0)
			return parse_expected(p, word,
					"accept, drop, count, rate-limit, translate or default");
		err = read_rule(p, (enum filter_action)action);
	}
	if (!err && !parse_at_end(p))
		return parse_complain(p, p->words[p->next].column,
				   "'%.64s' is more than belongs here",
				   p->words[p->next].text);
	return err;
}

/* Cut @line, of its own, into words; columns count from 1. */
static int split(struct parser *p, char *line)
{
	char *at = line;

	p->word_count = p->next = 0;
	for (;;) {
		at += strspn(at, " \t\r");
		if (!*at || *at == '#')
			break;
		if (p->word_count == LINE_WORDS)
			return parse_complain(p, (uint32_t)(at - line) + 1,
					   "more than %d words", LINE_WORDS);
		p->words[p->word_count++] = (struct word){
			at, (uint32_t)(at - line) + 1
		};
		at += strcspn(at, " \t\r#");
		if (*at == '#') {
			*at = '\0';
			break;
		}
		if (*at)
			*at++ = '\0';
	}
	p->words[p->word_count] = (struct word){
		p->nothing, (uint32_t)(at - line) + 1
	};
	return 0;
}

/* Only what can be shown is text. */
static int check_characters(struct parser *p, const char *line, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++) {
		unsigned char c = (unsigned char)line[i];

		if ((c < ' ' && c != '\t' && c != '\r') || c == 0x7f)
			return parse_complain(p, (uint32_t)i + 1,
					   "character 0x%02x: this is not a text file",
					   c);
	}
	return 0;
}

static int read_line(struct parser *p, const char *text, size_t bytes)
{
	char *line;
	int err;

	p->line++;
	err = check_characters(p, text, bytes);
	if (err)
		return err;
	line = strndup(text, bytes);
	if (!line)
		return parse_no_memory(p);
	err = split(p, line);
	if (!err && p->word_count)
		err = read_statement(p);
	free(line);
	return err;
}

static int read_text(struct parser *p, const char *text, size_t bytes)
{
	const char *end = text + bytes;
	int err = 0;

	while (!err && text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		size_t length = (size_t)((newline ? newline : end) - text);

		err = read_line(p, text, length);
		text += length + 1;
	}
	return err;
}

struct filter_rules *filter_rules_parse(const char *file, const char *text,
					size_t bytes, char *why,
					size_t why_bytes)
{
	struct word words[LINE_WORDS + 1];
	struct parser p = {
		.file = file,
		.why = why,
		.why_bytes = why_bytes,
		.rules = calloc(1, sizeof(*p.rules)),
		.words = words,
	};
	int err = p.rules ? read_text(&p, text, bytes) : parse_no_memory(&p);

	for (size_t i = 0; i < ARRAY_SIZE(p.macs.spans); i++)
		filter_spans_free(&p.macs.spans[i]);
	filter_spans_free(&p.spans);
	filter_spans_free(&p.spans6);
	free(p.alternatives);
	if (!err)
		return p.rules;
	filter_rules_free(p.rules);
	return NULL;
}

void filter_rules_free(struct filter_rules *rules)
{
	if (!rules)
		return;
	for (uint32_t i = 0; i < rules->statement_count; i++)
		free(rules->statements[i].text);
	for (uint32_t i = 0; i < rules->name_count; i++)
		free(rules->names[i].text);
	free(rules->statements);
	free(rules->entries);
	free(rules->conditions);
	free(rules->ranges);
	free(rules->names);
	free(rules);
}
