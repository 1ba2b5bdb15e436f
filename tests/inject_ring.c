/*
 * Requests to the ring that fail.
 *
 * The answer to a request cannot just be changed when it comes: the kernel has
 * done what it was asked for, a buffer has been taken, a multishot request goes
 * on. So the request itself is replaced before the kernel sees it, by one that
 * is answered at once and does nothing (cancel what is not there), and that
 * answer is changed into the error. For the switch the kernel has failed, and
 * the kernel has nothing outstanding.
 *
 * A multishot request is "short" if it ends after its first answer, as it does
 * when the completion queue is full.
 */
#include "inject.h"

#include <errno.h>

#define READ_MULTISHOT 49 /* liburing 2.3 does not know it */
#define DOOMED_MAX 64

/* Requests that were replaced and have not been answered. */
static struct {
	uint64_t user_data;
	int error; /* 0: a free place */
} doomed[DOOMED_MAX];

/* Fixed files, where they are required, go with any request. */
static void replace(struct io_uring_sqe *sqe, int error)
{
	uint8_t flags = sqe->flags & IOSQE_FIXED_FILE;

	for (unsigned i = 0; i < DOOMED_MAX; i++) {
		if (doomed[i].error)
			continue;
		doomed[i].user_data = sqe->user_data;
		doomed[i].error = error;
		io_uring_prep_cancel64(sqe, UINT64_MAX, 0);
		sqe->user_data = doomed[i].user_data;
		sqe->flags = flags;
		return;
	}
}

static void shorten(struct io_uring_sqe *sqe)
{
	if (sqe->opcode == IORING_OP_RECV)
		sqe->ioprio &= (uint16_t)~IORING_RECV_MULTISHOT;
	else if (sqe->opcode == IORING_OP_ACCEPT)
		sqe->ioprio &= (uint16_t)~IORING_ACCEPT_MULTISHOT;
	else if (sqe->opcode == READ_MULTISHOT)
		sqe->opcode = IORING_OP_READ;
}

void inject_requests(struct io_uring *ring)
{
	struct io_uring_sq *sq = &ring->sq;

	for (unsigned i = sq->sqe_head; i != sq->sqe_tail; i++) {
		struct io_uring_sqe *sqe = &sq->sqes[i & *sq->kring_mask];
		int how = inject(INJECT_SITE_RING(sqe->opcode,
						  sqe->user_data & 0xffff));

		if (how == INJECT_SHORT)
			shorten(sqe);
		else if (how > 0)
			replace(sqe, how);
	}
}

static void change(struct io_uring_cqe *cqe)
{
	for (unsigned i = 0; i < DOOMED_MAX; i++) {
		if (!doomed[i].error || doomed[i].user_data != cqe->user_data)
			continue;
		cqe->res = -doomed[i].error;
		doomed[i].error = 0;
		return;
	}
}

void inject_completions(struct io_uring *ring)
{
	struct io_uring_cq *cq = &ring->cq;
	unsigned tail = io_uring_smp_load_acquire(cq->ktail);

	for (unsigned i = *cq->khead; i != tail; i++) {
		struct io_uring_cqe *cqe = &cq->cqes[i & *cq->kring_mask];

		if (cqe->res == -ENOENT)
			change(cqe);
	}
}
