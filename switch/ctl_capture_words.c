#include "ctl_capture.h"

#include <stdio.h>
#include <string.h>

#include "ctl_context.h"
#include "ctl_words.h"

static const struct direction {
	const char *name;
} directions[] = { { "in" }, { "out" }, { "both" }, { "inout" } };

static int take_direction(const struct ctl *ctl, const char *word,
			  struct capture_options *to)
{
	int at = words_match(ctl, "direction", word, directions,
			     sizeof(*directions),
			     sizeof(directions) / sizeof(*directions));

	if (at < 0)
		return CTL_SYNTAX;
	/* tcpdump's word for both. */
	to->direction = at == 3 ? "both" : directions[at].name;
	return CTL_OK;
}

static int take_number(const struct ctl *ctl, const char *option,
		       const char *word, struct capture_options *to)
{
	int64_t number;

	if (!words_number(word, 1, INT64_MAX / 1024, &number))
		return ctl_syntax(ctl, "%s '%s' must be a number from 1 on",
				  option, word);
	if (option[1] == 'c')
		to->frames = (uint64_t)number;
	else if (option[1] == 's')
		to->snaplen = number;
	else
		to->buffer = number * 1024;
	return CTL_OK;
}

/* An option that takes a value: the next word. */
static int take_option(const struct ctl *ctl, const char *option,
		       struct words *words, struct capture_options *to)
{
	const char *value = words_next(words);

	if (!value)
		return ctl_syntax(ctl, "%s needs a value", option);
	if (option[1] == 'Q')
		return take_direction(ctl, value, to);
	if (option[1] != 'w')
		return take_number(ctl, option, value, to);
	to->file = value;
	return *value ? CTL_OK : ctl_syntax(ctl, "-w must be a file or -");
}

static bool is_option(const char *word)
{
	return word[0] == '-' && word[1] && strchr("wcsQB", word[1]) &&
	       !word[2];
}

/* Another word of the expression, which may have a minus of its own, but not
 * at its beginning. */
static int add_expression(const struct ctl *ctl, const char *word,
			  struct capture_options *to)
{
	size_t used = strlen(to->expression);

	if (*word == '-' && !used)
		return ctl_syntax(ctl, "unknown option '%s' (ringctl capture help)",
				  word);
	if (used + strlen(word) + 2 > sizeof(to->expression))
		return ctl_syntax(ctl, "the expression is too long");
	sprintf(to->expression + used, "%s%s", used ? " " : "", word);
	return CTL_OK;
}

int capture_options_parse(struct ctl *ctl, struct words *words,
			  struct capture_options *to)
{
	bool only_words = false;
	const char *word;
	int code = CTL_OK;

	*to = (struct capture_options){ 0 };
	while (!code && (word = words_next(words))) {
		if (!only_words && !strcmp(word, "--"))
			only_words = true;
		else if (!only_words && is_option(word))
			code = take_option(ctl, word, words, to);
		else if (!only_words && !strcmp(word, "--no-drops"))
			to->no_drops = true;
		else if (to->port || *word == '-')
			code = add_expression(ctl, word, to);
		else if (strcmp(word, "dev") || !words->count)
			to->port = word;
		else
			to->port = words_next(words);
	}
	return code || to->port ? code : words_missing(ctl, "PORT or all");
}

json_t *capture_arguments(const struct capture_options *o)
{
	json_t *to = words_arguments("port", o->port);

	if (*o->expression)
		json_object_set_new(to, "expression",
				    words_json(o->expression));
	if (o->snaplen)
		json_object_set_new(to, "snaplen", json_integer(o->snaplen));
	if (o->direction)
		json_object_set_new(to, "direction",
				    json_string(o->direction));
	if (o->no_drops)
		json_object_set_new(to, "drops", json_false());
	if (o->buffer)
		json_object_set_new(to, "buffer", json_integer(o->buffer));
	return to;
}
