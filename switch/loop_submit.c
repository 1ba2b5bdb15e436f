#include <errno.h>
#include <liburing.h>
#include <sys/socket.h>

#include "../tap/filter.h"
#include "loop.h"
#include "sw.h"

static struct io_uring_sqe *next_sqe(struct loop *loop)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&loop->ring);

	while (!sqe) {
		io_uring_submit(&loop->ring);
		sqe = io_uring_get_sqe(&loop->ring);
	}
	return sqe;
}

static void tag(struct loop *loop, struct io_uring_sqe *sqe, enum loop_op op,
		uint16_t port, uint32_t gen)
{
	union loop_ref ref = { .op = (uint16_t)op, .port = port, .gen = gen };

	io_uring_sqe_set_data64(sqe, ref.bits);
	loop_file_use(loop, sqe);
}

void loop_tag(struct sw *sw, struct io_uring_sqe *sqe, enum loop_op op,
	      const struct port *p)
{
	tag(&sw->loop, sqe, op, p->id, p->gen);
}

struct io_uring_sqe *loop_port_sqe(struct sw *sw, struct port *p,
				   unsigned armed)
{
	if (p->armed & armed || p->quarantined || sw->quiescing)
		return NULL;
	p->armed |= armed;
	return next_sqe(&sw->loop);
}

static enum loop_op op_of(unsigned armed)
{
	return armed == ARMED_RECV     ? LOOP_RECV
	       : armed == ARMED_CONTROL ? LOOP_CONTROL
					: LOOP_WRITABLE;
}

void loop_cancel(struct sw *sw, struct port *p, unsigned armed)
{
	for (unsigned bit = 1; bit <= ARMED_CONTROL; bit <<= 1) {
		union loop_ref target = { .op = (uint16_t)op_of(bit),
					  .port = p->id,
					  .gen = p->gen };
		struct io_uring_sqe *sqe;

		if (!(p->armed & armed & bit))
			continue;
		sqe = next_sqe(&sw->loop);
		io_uring_prep_cancel64(sqe, target.bits, 0);
		loop_tag(sw, sqe, LOOP_CANCEL, p);
		p->cancels++;
	}
}

void loop_port_files_remove(struct sw *sw, const struct port *p)
{
	loop_file_remove(&sw->loop, p->fd);
	loop_file_remove(&sw->loop, p->control_fd);
	if (p->filter)
		loop_file_remove(&sw->loop, filter_samples_fd(p->filter));
}

int loop_register_pool(struct sw *sw, struct port *p)
{
	struct io_uring_buf_reg reg = {
		.ring_addr = (uintptr_t)p->pool->ring,
		.ring_entries = p->pool->count,
		.bgid = loop_buffer_group(p->id),
	};
	int err = io_uring_register_buf_ring(&sw->loop.ring, &reg, 0);

	/* One that could not be taken back would keep the number for ever. */
	if (err != -EEXIST)
		return err;
	loop_unregister_pool(sw, p);
	return io_uring_register_buf_ring(&sw->loop.ring, &reg, 0);
}

void loop_unregister_pool(struct sw *sw, struct port *p)
{
	io_uring_unregister_buf_ring(&sw->loop.ring,
				     loop_buffer_group(p->id));
}

void loop_arm_accept(struct sw *sw, uint16_t listener)
{
	struct io_uring_sqe *sqe;

	if (sw->quiescing)
		return;
	sqe = next_sqe(&sw->loop);
	sw->listeners[listener].accepting = true;
	io_uring_prep_multishot_accept(sqe, sw->listeners[listener].file.fd,
				       NULL, NULL,
				       SOCK_CLOEXEC | SOCK_NONBLOCK);
	tag(&sw->loop, sqe, LOOP_ACCEPT, listener,
	    sw->listeners[listener].gen);
}

static void cancel(struct sw *sw, enum loop_op op, uint16_t which, uint32_t gen)
{
	struct io_uring_sqe *sqe = next_sqe(&sw->loop);
	union loop_ref target = { .op = (uint16_t)op, .port = which, .gen = gen };

	io_uring_prep_cancel64(sqe, target.bits, 0);
	tag(&sw->loop, sqe, LOOP_CANCEL, PORT_NONE, 0);
}

void loop_cancel_accept(struct sw *sw, uint16_t listener)
{
	cancel(sw, LOOP_ACCEPT, listener, sw->listeners[listener].gen);
}

void loop_arm_poll(struct sw *sw, int fd, short events, enum loop_op op,
		   uint16_t which, uint32_t gen)
{
	struct io_uring_sqe *sqe = next_sqe(&sw->loop);

	io_uring_prep_poll_add(sqe, fd, (unsigned)events);
	tag(&sw->loop, sqe, op, which, gen);
}

void loop_cancel_poll(struct sw *sw, enum loop_op op, uint16_t which,
		      uint32_t gen)
{
	cancel(sw, op, which, gen);
}

void loop_arm_timeout(struct sw *sw, struct __kernel_timespec *after,
		      uint64_t after_ms, enum loop_op op)
{
	struct io_uring_sqe *sqe = next_sqe(&sw->loop);

	after->tv_sec = (long long)(after_ms / 1000);
	after->tv_nsec = (long long)(after_ms % 1000 * 1000000);
	io_uring_prep_timeout(sqe, after, 0, 0);
	tag(&sw->loop, sqe, op, 0, 0);
}
