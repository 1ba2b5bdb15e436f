#include "ctl_batch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl_commands.h"
#include "ctl_context.h"
#include "ctl_output.h"
#include "ctl_words.h"

enum { WORDS_MAX = 1024 };

/* The word that begins at *@from, unquoted, in place; NULL: a quote has no
 * end. Leaves *@from behind it. */
static char *unquote(char **from)
{
	char *word = *from, *to = *from, *at = *from;
	char quote = '\0';

	for (; *at && (quote || !strchr(" \t\r\n", *at)); at++) {
		if (*at == quote)
			quote = '\0';
		else if (!quote && (*at == '\'' || *at == '"'))
			quote = *at;
		else if (quote != '\'' && *at == '\\' && at[1])
			*to++ = *++at;
		else
			*to++ = *at;
	}
	*from = *at ? at + 1 : at;
	*to = '\0';
	return quote ? NULL : word;
}

/* Take @line apart. Returns the number of words, or -1 and has said why. */
static int split(const struct ctl *ctl, char *line, char *words[WORDS_MAX])
{
	int count = 0;

	for (;;) {
		line += strspn(line, " \t\r\n");
		if (!*line || *line == '#')
			return count;
		if (count == WORDS_MAX) {
			ctl_syntax(ctl, "too many words");
			return -1;
		}
		words[count] = unquote(&line);
		if (!words[count++]) {
			ctl_syntax(ctl, "a quote has no end");
			return -1;
		}
	}
}

static int run_line(struct ctl *ctl, char *line)
{
	char *at[WORDS_MAX];
	struct ctl as_before = *ctl;
	struct words words = { .count = split(ctl, line, at), .at = at };
	int code = CTL_OK;

	if (words.count < 0)
		return CTL_SYNTAX;
	if (words.count)
		code = output_take(ctl, &words);
	if (words.count && !code)
		code = commands_run(ctl, &words);
	/* Such options are for one line. */
	ctl->json = as_before.json;
	ctl->pretty = as_before.pretty;
	ctl->colour = as_before.colour;
	return code;
}

static int run_lines(struct ctl *ctl, FILE *from)
{
	char *line = NULL;
	size_t room = 0;
	int first = CTL_OK;

	ctl->line = 0;
	while (getline(&line, &room, from) >= 0 && (!first || ctl->force)) {
		int code;

		ctl->line++;
		code = run_line(ctl, line);
		/* Who feeds us line by line wants the answers so. */
		fflush(stdout);
		if (!first)
			first = code;
	}
	free(line);
	return first;
}

int batch_run(struct ctl *ctl, const char *file)
{
	FILE *from = strcmp(file, "-") ? fopen(file, "re") : stdin;
	int code;

	if (!from)
		return ctl_syntax(ctl, "cannot open %s: %s", file,
				  strerror(errno));
	ctl->batch = file;
	code = run_lines(ctl, from);
	ctl->batch = NULL;
	if (ferror(from))
		code = ctl_syntax(ctl, "cannot read %s", file);
	if (from != stdin)
		fclose(from);
	return code;
}
