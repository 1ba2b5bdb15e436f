/*
 * Counting calls, choosing the one that fails, and failing.
 */
#include "inject.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Not through the layer. */
int __real_open(const char *path, int flags, ...);
int __real_close(int fd);
void *__real_mmap(void *at, size_t bytes, int protection, int flags, int fd,
		  off_t offset);
void *__real_malloc(size_t bytes);

/* Where the program begins in memory (ld.so puts it anywhere). */
extern const char __executable_start[];

/* The one global of the layer: there is no other way into it than through calls
 * that know nothing of it. NULL: nobody wants anything to fail. */
static struct inject_file *file;

static struct inject_site *find(uint64_t address)
{
	for (uint64_t i = 0; i < INJECT_SITES; i++) {
		struct inject_site *s =
			&file->sites[(address * 31 + i) % INJECT_SITES];
		uint64_t none = 0;

		if (s->address == address ||
		    __atomic_compare_exchange_n(&s->address, &none, address,
						false, __ATOMIC_RELAXED,
						__ATOMIC_RELAXED) ||
		    none == address)
			return s;
	}
	abort(); /* the table is larger than the program */
}

/* Whether @o is about call number @nth of @address, number @all of all. */
static bool is_meant(const struct inject_order *o, uint64_t address,
		     uint64_t nth, uint64_t all)
{
	uint64_t number = o->site ? nth : all;

	return o->nth && (!o->site || o->site == address) && number >= o->nth &&
	       number < o->nth + o->times;
}

int inject(uint64_t address)
{
	struct inject_site *s;
	uint64_t nth, all;

	if (!file)
		return 0;
	s = find(address);
	nth = __atomic_add_fetch(&s->calls, 1, __ATOMIC_RELAXED);
	all = __atomic_add_fetch(&file->calls, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < 2; i++) {
		const struct inject_order *o = &file->orders[i];

		if (!is_meant(o, address, nth, all))
			continue;
		__atomic_add_fetch(&s->failed, 1, __ATOMIC_RELAXED);
		return (int)o->error;
	}
	return 0;
}

int inject_at(const void *returns_to)
{
	return inject((uint64_t)((const char *)returns_to -
				 __executable_start));
}

void inject_look(enum inject_where where, const void *frame, size_t bytes)
{
	const size_t header_bytes = 14;
	volatile char *volatile wild = (volatile char *)8;
	uint64_t mark;

	if (!file || !file->poison[where] || bytes < header_bytes + sizeof(mark))
		return;
	memcpy(&mark, (const char *)frame + header_bytes, sizeof(mark));
	if (mark == file->poison[where])
		*wild = 0;
}

/* jansson allocates by itself, where the linker does not see it. */
static void *json_malloc(size_t bytes)
{
	return inject(INJECT_SITE_JSON) > 0 ? NULL : __real_malloc(bytes);
}

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("INJECT");
	int fd = path ? __real_open(path, O_RDWR | O_CLOEXEC) : -1;

	if (fd < 0)
		return;
	file = __real_mmap(NULL, sizeof(*file), PROT_READ | PROT_WRITE,
			   MAP_SHARED, fd, 0);
	__real_close(fd);
	if (file == MAP_FAILED)
		abort();
	json_set_alloc_funcs(json_malloc, free);
}
