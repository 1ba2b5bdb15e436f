/* The object config. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ctl_commands.h"
#include "ctl_context.h"
#include "ctl_text.h"
#include "ctl_words.h"

/* The words of the answer, which must all be strings; or NULL. */
static const json_t *words_of(struct ctl *ctl, const json_t *answer)
{
	const json_t *words = json_object_get(answer, "words");
	const json_t *word;
	size_t i;

	json_array_foreach(words, i, word)
		if (!json_is_string(word))
			words = NULL;
	if (json_array_size(words))
		return words;
	ctl_strange(ctl, "list of words");
	return NULL;
}

static int show(struct ctl *ctl, const json_t *answer)
{
	const json_t *words = words_of(ctl, answer);
	const json_t *word;
	size_t i;

	if (!words)
		return CTL_REFUSED;
	json_array_foreach(words, i, word) {
		if (i)
			putchar(' ');
		text_shell_word(json_string_value(word));
	}
	putchar('\n');
	return CTL_OK;
}

int config_show(struct ctl *ctl, struct words *words)
{
	if (words_end(ctl, words))
		return CTL_SYNTAX;
	return ctl_do(ctl, CTL_READS, "config.show", NULL, show);
}

static const char *word_at(const json_t *words, size_t i)
{
	const char *word = json_string_value(json_array_get(words, i));

	return word ? word : "";
}

/* A word from the outside as it is, since a file is made of it; but a terminal
 * is protected, and a newline would begin another option. */
static int print_value(const struct ctl *ctl, const char *value)
{
	char shown[65536];

	text_printable(value, shown, sizeof(shown));
	if (strpbrk(value, "\n\r"))
		return ctl_refused(ctl, "'%s' has a newline in it, which a file for --config cannot say",
				   value);
	printf(" %s", isatty(STDOUT_FILENO) ? shown : value);
	return CTL_OK;
}

/* An option is a word that begins with two dashes, its value the next that
 * does not. */
static int show_lines(struct ctl *ctl, const json_t *answer)
{
	const json_t *words = words_of(ctl, answer);
	size_t count = json_array_size(words);
	int code = CTL_OK;

	if (!words)
		return CTL_REFUSED;
	for (size_t i = 1; i < count && !code; i++) {
		const char *option = word_at(words, i);

		fputs(option + strspn(option, "-"), stdout);
		if (i + 1 < count && strncmp(word_at(words, i + 1), "--", 2))
			code = print_value(ctl, word_at(words, ++i));
		putchar('\n');
	}
	return code;
}

int config_lines(struct ctl *ctl, struct words *words)
{
	if (words_end(ctl, words))
		return CTL_SYNTAX;
	return ctl_do(ctl, CTL_READS, "config.show", NULL, show_lines);
}
