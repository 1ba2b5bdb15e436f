#include "filter_memory.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/membarrier.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static size_t page(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

static size_t lines_bytes(const struct filter_memory *m)
{
	return FILTER_SETS * (size_t)m->room * sizeof(*m->lines);
}

/* A page with how many there are; the samples; and these again, so that one
 * that goes over the end is still in one piece (linux/bpf.h, RINGBUF). */
static size_t samples_bytes(void)
{
	return page() + 2 * FILTER_SAMPLES_BYTES;
}

/* Returns NULL with errno. */
static void *map(int fd, size_t bytes, int protection, size_t at)
{
	void *memory = mmap(NULL, bytes, protection, MAP_SHARED, fd,
			    (off_t)at);

	return memory == MAP_FAILED ? NULL : memory;
}

static int map_all(struct filter_memory *m)
{
	const int both = PROT_READ | PROT_WRITE;

	m->lines = map(m->fd[FILTER_MAP_LINES], lines_bytes(m), both, 0);
	if (!m->lines)
		return -errno;
	m->in_force = map(m->fd[FILTER_MAP_STATE], page(), both, 0);
	if (!m->in_force)
		return -errno;
	m->samples_taken = map(m->fd[FILTER_MAP_SAMPLES], page(), both, 0);
	if (!m->samples_taken)
		return -errno;
	m->samples = map(m->fd[FILTER_MAP_SAMPLES], samples_bytes(), PROT_READ,
			 page());
	if (!m->samples)
		return -errno;
	return *m->in_force == 0 || *m->in_force == m->room ? 0 : -EINVAL;
}

static void unmap(const void *memory, size_t bytes)
{
	if (memory)
		munmap((void *)(uintptr_t)memory, bytes);
}

static void unmap_all(struct filter_memory *m)
{
	unmap(m->lines, lines_bytes(m));
	unmap(m->in_force, page());
	unmap(m->samples_taken, page());
	unmap(m->samples, samples_bytes());
	memset(m, 0, sizeof(*m));
}

int filter_memory_map(struct filter_memory *m, const int fd[FILTER_MAPS],
		      uint32_t room)
{
	int err;

	*m = (struct filter_memory){ .room = room };
	memcpy(m->fd, fd, sizeof(m->fd));
	err = room ? map_all(m) : -EINVAL;
	if (err)
		unmap_all(m);
	return err;
}

void filter_memory_unmap(struct filter_memory *m)
{
	if (!m->room)
		return;
	for (int i = 0; i < FILTER_MAPS; i++)
		close(m->fd[i]);
	unmap_all(m);
}

/* Sets ---------------------------------------------------------------------- */

unsigned filter_memory_set(const struct filter_memory *m)
{
	return __atomic_load_n(m->in_force, __ATOMIC_ACQUIRE) != 0;
}

struct filter_line *filter_memory_lines(const struct filter_memory *m,
					unsigned set)
{
	return m->lines + (set ? m->room : 0);
}

bool filter_memory_can_change(void)
{
	return syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0) &
	       MEMBARRIER_CMD_GLOBAL;
}

void filter_memory_put_in_force(struct filter_memory *m, unsigned set)
{
	__atomic_store_n(m->in_force, set ? m->room : 0, __ATOMIC_RELEASE);
	/* A program that began before has ended when all processors have been
	 * through the scheduler: Documentation/RCU, membarrier(2). */
	syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
}

/* Samples ------------------------------------------------------------------- */

static uint32_t length_at(const uint8_t *at)
{
	return __atomic_load_n((const uint32_t *)(const void *)at,
			       __ATOMIC_ACQUIRE);
}

/* How far they have been taken, of those up to @there. A process that was not
 * itself any more may have left anything: then they are all passed over. */
static uint64_t taken_of(const struct filter_memory *m, uint64_t there)
{
	uint64_t taken = *m->samples_taken;

	return taken % 8 || there - taken > FILTER_SAMPLES_BYTES ? there
								 : taken;
}

/*
 * The kernel puts a length before each, and is still busy with it as long as
 * a bit of that is set. It counts bytes up for ever, and so do we: what has
 * been taken is in memory that is shared, too.
 */

void filter_memory_take_samples(struct filter_memory *m,
				void (*take)(void *context,
					     const struct filter_sample *s),
				void *context)
{
	const uint8_t *data = m->samples + page();
	uint64_t there = __atomic_load_n(
		(const uint64_t *)(const void *)m->samples, __ATOMIC_ACQUIRE);
	uint64_t taken = taken_of(m, there);

	while (taken < there) {
		const uint8_t *at = data + taken % FILTER_SAMPLES_BYTES;
		uint32_t length = length_at(at);
		uint32_t bytes = length & ~(BPF_RINGBUF_BUSY_BIT |
					    BPF_RINGBUF_DISCARD_BIT);
		struct filter_sample sample;

		if (length & BPF_RINGBUF_BUSY_BIT)
			break;
		if (!(length & BPF_RINGBUF_DISCARD_BIT) &&
		    bytes >= sizeof(sample)) {
			memcpy(&sample, at + BPF_RINGBUF_HDR_SZ, sizeof(sample));
			take(context, &sample);
		}
		taken += (BPF_RINGBUF_HDR_SZ + (uint64_t)bytes + 7) / 8 * 8;
	}
	__atomic_store_n(m->samples_taken, taken, __ATOMIC_RELEASE);
}
