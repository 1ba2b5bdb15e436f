#include "filter_kept.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "filter_expression.h"

/* Pages that are not written to cost nothing. */
enum {
	EXPRESSION_AT = 1 << 16,
	TEXT_AT = EXPRESSION_AT + FILTER_EXPRESSION_STEPS * 8,
	ALL_BYTES = TEXT_AT + FILTER_SETS * FILTER_FILE_BYTES_MAX,
};

_Static_assert(sizeof(struct filter_kept) <= EXPRESSION_AT, "a place each");

/* Who maps it must not lose it: it can become neither shorter nor longer. */
enum { SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL };

static struct filter_kept *map(int fd)
{
	void *k = mmap(NULL, ALL_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		       0);

	return k == MAP_FAILED ? NULL : k;
}

struct filter_kept *filter_kept_new(int *fd)
{
	struct filter_kept *k = NULL;

	*fd = memfd_create("filter", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (*fd < 0)
		return NULL;
	if (!ftruncate(*fd, ALL_BYTES) && !fcntl(*fd, F_ADD_SEALS, SEALS))
		k = map(*fd);
	if (k) {
		k->format = FILTER_FORMAT;
		return k;
	}
	close(*fd);
	*fd = -1;
	return NULL;
}

struct filter_kept *filter_kept_open(int fd)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct filter_kept *k;
	struct stat st;

	if (seals < 0 || !(seals & F_SEAL_SHRINK) || fstat(fd, &st) ||
	    st.st_size != ALL_BYTES)
		return NULL;
	k = map(fd);
	if (!k)
		return NULL;
	if (k->format == FILTER_FORMAT &&
	    k->expression_bytes <= FILTER_EXPRESSION_STEPS * 8 &&
	    k->text[0].bytes <= FILTER_FILE_BYTES_MAX &&
	    k->text[1].bytes <= FILTER_FILE_BYTES_MAX)
		return k;
	filter_kept_close(k);
	return NULL;
}

void filter_kept_close(struct filter_kept *k)
{
	if (k)
		munmap(k, ALL_BYTES);
}

void *filter_kept_expression(struct filter_kept *k)
{
	return (char *)k + EXPRESSION_AT;
}

char *filter_kept_text(struct filter_kept *k, unsigned set)
{
	return (char *)k + TEXT_AT + set * (size_t)FILTER_FILE_BYTES_MAX;
}
