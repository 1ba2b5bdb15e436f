#include "ctl_words.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl_text.h"
#include "value.h"

const char *words_next(struct words *w)
{
	if (!w->count)
		return NULL;
	w->count--;
	return *w->at++;
}

bool words_skip(struct words *w, const char *word)
{
	if (!w->count || strcmp(*w->at, word))
		return false;
	words_next(w);
	return true;
}

const char *words_port(struct words *w)
{
	words_skip(w, "dev");
	return words_next(w);
}

static const char *name_at(const void *table, size_t stride, size_t i)
{
	const char *name;

	memcpy(&name, (const char *)table + i * stride, sizeof(name));
	return name;
}

/* Those that begin with @word, with commas, cut if they are too many. */
static void list(const char *word, const void *table, size_t stride,
		 size_t count, char *to, size_t room)
{
	size_t used = 0;

	*to = '\0';
	for (size_t i = 0; i < count && used < room; i++) {
		const char *name = name_at(table, stride, i);

		if (strncmp(name, word, strlen(word)))
			continue;
		used += (size_t)snprintf(to + used, room - used, "%s%s",
					 used ? ", " : "", name);
	}
}

int words_match(const struct ctl *ctl, const char *what, const char *word,
		const void *table, size_t stride, size_t count)
{
	char names[1024];
	int found = -1, matches = 0;

	for (size_t i = 0; i < count; i++) {
		const char *name = name_at(table, stride, i);

		if (!strcmp(name, word))
			return (int)i;
		if (*word && !strncmp(name, word, strlen(word))) {
			found = (int)i;
			matches++;
		}
	}
	if (matches == 1)
		return found;
	list(matches ? word : "", table, stride, count, names, sizeof(names));
	if (matches)
		ctl_syntax(ctl, "%s '%s' may be any of: %s", what, word, names);
	else
		ctl_syntax(ctl, "there is no %s '%s', but: %s", what, word,
			   names);
	return -1;
}

int words_end(const struct ctl *ctl, const struct words *w)
{
	return w->count ? ctl_syntax(ctl, "unexpected word '%s' (help shows what there is)",
				     *w->at)
			: CTL_OK;
}

int words_missing(const struct ctl *ctl, const char *what)
{
	return ctl_syntax(ctl, "%s is missing (help shows what there is)", what);
}

bool words_number(const char *word, int64_t min, int64_t max, int64_t *to)
{
	int64_t value = value_number(word, 10, min, max);

	if (value < 0)
		return false;
	*to = value;
	return true;
}

bool words_seconds(const char *word, double *to)
{
	char *end;
	double value = strtod(word, &end);

	if (end == word || *end || !isfinite(value) || value < 0.01 ||
	    value > 86400)
		return false;
	*to = value;
	return true;
}

json_t *words_json(const char *word)
{
	json_t *value = json_string(word);
	char shown[4096];

	if (value)
		return value;
	text_printable(word, shown, sizeof(shown));
	return json_string(shown);
}

json_t *words_arguments(const char *key, const char *value)
{
	return value ? json_pack("{s:o}", key, words_json(value)) : NULL;
}
