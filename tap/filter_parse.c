#include "filter_parse.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int parse_complain(struct parser *p, uint32_t column, const char *format,
		       ...)
{
	int length = snprintf(p->why, p->why_bytes, "%s:%u:%u: ", p->file,
			      p->line, column);
	va_list args;

	if (length >= 0 && (size_t)length < p->why_bytes) {
		va_start(args, format);
		vsnprintf(p->why + length, p->why_bytes - (size_t)length,
			  format, args);
		va_end(args);
	}
	return -EINVAL;
}

int parse_no_memory(struct parser *p)
{
	snprintf(p->why, p->why_bytes, "%s: out of memory", p->file);
	return -ENOMEM;
}

int parse_make_room(struct parser *p, void *array, size_t bytes,
		     uint32_t count)
{
	void **at = array;
	void *more;

	if (count & (count - 1))
		return 0;
	more = reallocarray(*at, count ? 2 * (size_t)count : 1, bytes);
	if (!more)
		return parse_no_memory(p);
	*at = more;
	return 0;
}

struct word *parse_take(struct parser *p)
{
	return &p->words[p->next < p->word_count ? p->next++ : p->word_count];
}

bool parse_at_end(const struct parser *p)
{
	return p->next == p->word_count;
}

int parse_expected(struct parser *p, const struct word *word,
		    const char *what)
{
	if (!*word->text)
		return parse_complain(p, word->column, "%s is missing here", what);
	return parse_complain(p, word->column, "'%.64s' is not %s", word->text,
			   what);
}
