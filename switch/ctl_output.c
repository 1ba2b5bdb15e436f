#include "ctl_output.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl_context.h"
#include "ctl_words.h"

static bool terminal_has_colours(void)
{
	const char *term = getenv("TERM");
	const char *none = getenv("NO_COLOR"); /* no-color.org */

	return isatty(STDOUT_FILENO) && term && strcmp(term, "dumb") &&
	       !(none && *none);
}

int output_colour(struct ctl *ctl, const char *when)
{
	if (!strcmp(when, "always"))
		ctl->colour = true;
	else if (!strcmp(when, "never"))
		ctl->colour = false;
	else if (!strcmp(when, "auto"))
		ctl->colour = terminal_has_colours();
	else
		return ctl_syntax(ctl, "color '%s' must be always, auto or never",
				  when);
	return CTL_OK;
}

/* Whether @word is the option @name, with one dash or two. */
static bool is(const char *word, const char *name)
{
	if (word[0] != '-')
		return false;
	return !strcmp(word + 1, name) ||
	       (word[1] == '-' && !strcmp(word + 2, name));
}

/* Whether @word is one of ours; then it has been done, with *@code. */
static bool take(struct ctl *ctl, const char *word, int *code)
{
	const char *dashes = word + strspn(word, "-");

	if (is(word, "j") || is(word, "json"))
		ctl->json = true;
	else if (is(word, "p") || is(word, "pretty"))
		ctl->pretty = true;
	else if (is(word, "color"))
		ctl->colour = true;
	else if (dashes > word && !strncmp(dashes, "color=", 6))
		*code = output_colour(ctl, dashes + 6);
	else
		return false;
	return true;
}

int output_take(struct ctl *ctl, struct words *words)
{
	int kept = 0, code = CTL_OK, i;

	for (i = 0; i < words->count && strcmp(words->at[i], "--"); i++)
		if (!take(ctl, words->at[i], &code))
			words->at[kept++] = words->at[i];
	for (; i < words->count; i++)
		words->at[kept++] = words->at[i];
	words->count = kept;
	return code;
}
