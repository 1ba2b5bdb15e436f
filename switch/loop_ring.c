/*
 * The ring itself, and what it may be used for.
 *
 * io_uring does what system calls do, past seccomp(2): whoever takes over this
 * process could open files and sockets with it. So the ring is made disabled,
 * told once and for all what it is for, and only then enabled. It can poll, read,
 * receive, accept, wait and cancel; all else is answered with EACCES, and so is
 * every change to it but those that ports need as they come and go.
 *
 * It takes only descriptors that have been registered with it ("fixed files"),
 * each under its own number. A registered file stays open when its descriptor is
 * closed, therefore loop_file_remove() first. Before Linux 6.13 even that frees
 * the file only when all requests that were made earlier are over, whatever file
 * they are about (seen on 6.1): a receive on a quiet port would keep every closed
 * socket and tap alive, and no guest would see its end. So there the ring takes
 * any descriptor of this process, which the process can read without it, too.
 */
#include <assert.h>
#include <errno.h>
#include <liburing.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "clock.h"
#include "limits.h"
#include "loop.h"
#include "options.h"

/* liburing 2.3 (Debian 12) does not know them. Values: linux/io_uring.h, 6.12
 * and 6.14; by the second we know that registered files go at once. */
#define FEAT_MIN_TIMEOUT (1u << 15)
#define FEAT_RW_ATTR (1u << 16)

enum { FILE_UNKNOWN, FILE_ADDED, FILE_REGISTERED }; /* in loop->files */

static int explain(int err, char *why, size_t why_bytes)
{
	const char *remedy = "";

	if (err == -EPERM)
		remedy = " (forbidden here: see sysctl kernel.io_uring_disabled, or the container's seccomp profile)";
	else if (err == -ENOSYS || err == -EINVAL)
		remedy = " (needs Linux 6.1 or newer with io_uring)";
	else if (err == -ENOMEM)
		remedy = " (raise the limit of locked memory: ulimit -l)";
	snprintf(why, why_bytes, "io_uring: %s%s", strerror(-err), remedy);
	return err;
}

/*
 * Multishot reads exist since 6.7, but on taps they came seconds late at first;
 * 6.12 retries as it should, and is recognised by the feature that it added.
 */
static bool has_multishot_read(struct loop *loop)
{
	struct io_uring_probe *probe = io_uring_get_probe_ring(&loop->ring);
	bool has = probe && LOOP_OP_READ_MULTISHOT <= probe->last_op &&
		   loop->ring.features & FEAT_MIN_TIMEOUT;

	io_uring_free_probe(probe);
	return has;
}

static int make_ring(struct loop *loop)
{
	/* It says whether it is worth looking. */
	const unsigned tell = loop->busy_poll_us ? IORING_SETUP_TASKRUN_FLAG : 0;
	struct io_uring_params params = {
		.flags = IORING_SETUP_SINGLE_ISSUER |
			 IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL |
			 IORING_SETUP_CQSIZE | IORING_SETUP_R_DISABLED | tell,
		.cq_entries = RING_CQ_ENTRIES,
	};
	int err = -ENOMEM;

	for (int tries = 0; err == -ENOMEM && tries < RESTART_TRIES; tries++) {
		if (tries)
			clock_pause();
		err = io_uring_queue_init_params(RING_SQ_ENTRIES, &loop->ring,
						 &params);
	}
	loop->open = !err;
	return err;
}

/* A place for every descriptor that we may ever have. */
static int make_file_table(struct loop *loop)
{
	unsigned count = LOOP_FILES_MAX;
	struct rlimit limit;

	if (!getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur < count)
		count = (unsigned)limit.rlim_cur;
	return io_uring_register_files_sparse(&loop->ring, count);
}

/* liburing 2.3 declares functions for this and the next, but lacks them. */
static int restrict_ring(struct loop *loop)
{
	static const uint8_t operations[] = {
		IORING_OP_ACCEPT,  IORING_OP_RECV,    IORING_OP_READ,
		IORING_OP_POLL_ADD, IORING_OP_TIMEOUT, IORING_OP_ASYNC_CANCEL,
		LOOP_OP_READ_MULTISHOT, /* the last: not every kernel has it */
	};
	static const uint8_t changes[] = {
		IORING_REGISTER_FILES_UPDATE,
		IORING_REGISTER_PBUF_RING,
		IORING_UNREGISTER_PBUF_RING,
	};
	size_t operation_count = sizeof(operations) - !loop->multishot_read;
	struct io_uring_restriction all[16] = { 0 }, *next = all;

	static_assert(sizeof(operations) + sizeof(changes) + 2 <=
		      sizeof(all) / sizeof(*all), "all of them fit");
	for (size_t i = 0; i < operation_count; i++) {
		next->opcode = IORING_RESTRICTION_SQE_OP;
		next++->sqe_op = operations[i];
	}
	for (size_t i = 0; i < sizeof(changes); i++) {
		next->opcode = IORING_RESTRICTION_REGISTER_OP;
		next++->register_op = changes[i];
	}
	next->opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
	next++->sqe_flags = IOSQE_BUFFER_SELECT;
	next->opcode = IORING_RESTRICTION_SQE_FLAGS_REQUIRED;
	next++->sqe_flags = loop->fixed_files ? IOSQE_FIXED_FILE : 0;
	return io_uring_register((unsigned)loop->ring.ring_fd,
				 IORING_REGISTER_RESTRICTIONS, all,
				 (unsigned)(next - all));
}

static int enable_ring(struct loop *loop)
{
	return io_uring_register((unsigned)loop->ring.ring_fd,
				 IORING_REGISTER_ENABLE_RINGS, NULL, 0);
}

int loop_init(struct loop *loop, unsigned without, uint32_t busy_poll_us,
	      char *why, size_t why_bytes)
{
	int err;

	memset(loop, 0, sizeof(*loop));
	loop->busy_poll_us = busy_poll_us;
	err = make_ring(loop);
	if (err)
		return explain(err, why, why_bytes);
	/* Saves looking the descriptor up in every round; not vital. */
	io_uring_register_ring_fd(&loop->ring);
	loop->multishot_read = !(without & WITHOUT_MULTISHOT_READ) &&
			       has_multishot_read(loop);
	loop->fixed_files = !(without & WITHOUT_FIXED_FILES) &&
			    loop->ring.features & FEAT_RW_ATTR;
	if (loop->fixed_files)
		err = make_file_table(loop);
	if (!err)
		err = restrict_ring(loop);
	if (!err)
		err = enable_ring(loop);
	return err ? explain(err, why, why_bytes) : 0;
}

void loop_fini(struct loop *loop)
{
	if (loop->open)
		io_uring_queue_exit(&loop->ring);
	loop->open = false;
}

/* --- the descriptors that it takes ---------------------------------------- */

static bool has_place(int fd)
{
	return fd >= 0 && fd < LOOP_FILES_MAX;
}

/* Put @file, or -1 for none, into the place of @fd. */
static int update(struct loop *loop, int fd, int file)
{
	int n;

	if (!loop->fixed_files)
		return 0;
	n = io_uring_register_files_update(&loop->ring, (unsigned)fd, &file, 1);
	return n == 1 ? 0 : n < 0 ? n : -EIO;
}

int loop_file_add(struct loop *loop, int fd)
{
	int err;

	assert(fd >= 0);
	if (!has_place(fd))
		return loop->fixed_files ? -EMFILE : 0;
	/* Else somebody has closed it without loop_file_remove(). */
	assert(loop->files[fd] == FILE_UNKNOWN);
	err = update(loop, fd, fd);
	loop->files[fd] = err ? FILE_ADDED : FILE_REGISTERED;
	return err;
}

void loop_file_remove(struct loop *loop, int fd)
{
	if (!has_place(fd) || loop->files[fd] == FILE_UNKNOWN)
		return;
	if (loop->open && loop->files[fd] == FILE_REGISTERED &&
	    update(loop, fd, -1))
		update(loop, fd, -1);
	loop->files[fd] = FILE_UNKNOWN;
}

void loop_file_use(struct loop *loop, struct io_uring_sqe *sqe)
{
	if (has_place(sqe->fd)) {
		/* Else its opener has forgotten loop_file_add(). */
		assert(loop->files[sqe->fd] != FILE_UNKNOWN);
		if (loop->files[sqe->fd] == FILE_ADDED &&
		    !update(loop, sqe->fd, sqe->fd))
			loop->files[sqe->fd] = FILE_REGISTERED;
	}
	if (loop->fixed_files)
		sqe->flags |= IOSQE_FIXED_FILE;
}
