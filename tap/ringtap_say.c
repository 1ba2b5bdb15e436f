#include "ringtap_say.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum status complain(enum status status, const char *format, ...)
{
	char line[1024];
	va_list words;

	va_start(words, format);
	vsnprintf(line, sizeof(line), format, words);
	va_end(words);
	for (char *at = line; *at; at++)
		if (iscntrl((unsigned char)*at))
			*at = '?';
	fprintf(stderr, "ringtap: %s\n", line);
	return status;
}

bool is_short_for(const char *word, const char *whole)
{
	return *word && !strncmp(word, whole, strlen(word));
}
