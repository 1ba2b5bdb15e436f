/*
 * Any text as the file of --config. What is refused is so in one line that
 * names the file; what is taken is said as a command line that is taken too,
 * and says itself.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../switch/options.h"

/* More than the options of a file of 4096 bytes can be. */
enum { WORDS_MOST = 4096 };

struct words {
	char *word[WORDS_MOST];
	unsigned count;
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void add(void *context, const char *word)
{
	struct words *w = context;

	assert(w->count < WORDS_MOST - 1);
	w->word[w->count++] = strdup(word);
}

static void forget(struct words *w)
{
	while (w->count)
		free(w->word[--w->count]);
}

static void say(const struct options *o, struct words *to)
{
	memset(to, 0, sizeof(*to));
	add(to, "ringswitch");
	options_words(o, add, to);
}

/* Groups and users are the library's work, and slow. */
static bool looks_up(const char *text)
{
	return strstr(text, "group") || strstr(text, "allow-");
}

/* @o as a command line is taken, and says itself again. */
static void check_words(const struct options *o)
{
	static struct options again;
	static struct words said, said_again;
	char why[512];

	say(o, &said);
	assert(!options_parse((int)said.count, said.word, &again, why,
			      sizeof(why)));
	assert(!options_complete(&again, NULL, why, sizeof(why)));
	say(&again, &said_again);
	assert(said.count == said_again.count);
	for (unsigned i = 0; i < said.count; i++)
		assert(!strcmp(said.word[i], said_again.word[i]));
	forget(&said);
	forget(&said_again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static struct options o;
	static int fd = -1;
	char *argv[] = { (char *)"ringswitch", (char *)"--config",
			 (char *)"/proc/self/fd/999", NULL };
	char text[4097], why[512] = "";

	if (fd < 0)
		fd = dup2(memfd_create("config", 0), 999);
	assert(fd == 999);
	if (len >= sizeof(text))
		return 0;
	memcpy(text, bytes, len);
	text[len] = '\0';
	if (looks_up(text))
		return 0;
	assert(!ftruncate(fd, 0) && pwrite(fd, bytes, len, 0) == (ssize_t)len);
	if (options_parse(3, argv, &o, why, sizeof(why))) {
		assert(!strncmp(why, argv[2], strlen(argv[2])) ||
		       strstr(why, "text file"));
		assert(!strchr(why, '\n'));
	} else if (!options_complete(&o, NULL, why, sizeof(why))) {
		check_words(&o);
	} else {
		assert(*why && !strchr(why, '\n'));
	}
	free(o.config);
	return 0;
}
