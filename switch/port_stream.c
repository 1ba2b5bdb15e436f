#include "port_stream.h"

#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ether.h"
#include "forward.h"
#include "frame.h"
#include "loop.h"
#include "port.h"
#include "port_io.h"
#include "port_slow.h"
#include "sw.h"
#include "wire_stream.h"

struct stream {
	struct stream_parser parser;
	struct frame *frame; /* being put together, or NULL */
	uint32_t at, end;    /* what of bytes has not been looked at */
	uint32_t rest_at, rest_end; /* of rest: a frame's part not yet out */
	uint8_t *rest;
	uint8_t bytes[STREAM_READ_BYTES];
};

int stream_open(struct port *p, uint32_t mtu)
{
	uint32_t slot_bytes;

	mtu = mtu ? mtu : MTU_DEFAULT;
	slot_bytes = port_io_buffer_bytes(mtu);
	p->frame_max = mtu + ETHER_HEADER_BYTES;
	p->tags_extra = true;
	p->stream = malloc(sizeof(*p->stream));
	if (!p->stream)
		return -ENOMEM;
	p->stream->frame = NULL;
	p->stream->rest = malloc(slot_bytes + STREAM_HEADER_BYTES);
	if (!p->stream->rest)
		return -ENOMEM;
	p->pool = pool_new_own(PORT_BUFFERS, slot_bytes);
	if (!p->pool)
		return -errno;
	stream_restart(p);
	return 0;
}

static void drop_frame(struct stream *s)
{
	if (s->frame)
		frame_unref(s->frame);
	s->frame = NULL;
}

void stream_restart(struct port *p)
{
	struct stream *s = p->stream;

	drop_frame(s);
	s->parser = (struct stream_parser){ 0 };
	s->at = s->end = 0;
	s->rest_at = s->rest_end = 0;
	p->unfinished = false;
}

static void stream_release(struct port *p)
{
	if (p->fd >= 0)
		close(p->fd);
	if (!p->stream)
		return;
	drop_frame(p->stream);
	free(p->stream->rest);
	free(p->stream);
	p->stream = NULL;
}

/* A frame that is too long for our buffers is let pass, and counted. */
static void take_piece(struct sw *sw, struct port *p,
		       const struct stream_piece *piece)
{
	struct frame *f = p->stream->frame;

	if (piece->frame_len <= p->pool->slot_bytes)
		memcpy(f->data + piece->offset, piece->bytes, piece->len);
	if (!piece->last)
		return;
	p->stream->frame = NULL;
	f->len = piece->frame_len;
	forward_frame(&sw->forward, p, f, sw_now_s(sw));
	frame_unref(f);
}

/*
 * Forward what has been read; false if it cannot go on, because there is no
 * buffer left for the next frame or because the stream makes no sense.
 */
static bool take_frames(struct sw *sw, struct port *p)
{
	struct stream *s = p->stream;
	const uint8_t *at = s->bytes + s->at, *end = s->bytes + s->end;
	enum stream_verdict verdict = STREAM_PIECE;
	struct stream_piece piece;

	while (verdict == STREAM_PIECE && at < end) {
		if (!s->frame)
			s->frame = pool_get(p->pool);
		if (!s->frame) {
			port_starve(&sw->ports, p, sw->now_ms);
			break;
		}
		verdict = stream_next(&s->parser, &at, end, &piece);
		if (verdict == STREAM_PIECE)
			take_piece(sw, p, &piece);
	}
	s->at = (uint32_t)(at - s->bytes);
	if (verdict == STREAM_BAD)
		port_lost(sw, p, "a frame longer than 69632 bytes is announced");
	/* A port that is at rest keeps no buffer. */
	if (stream_at_boundary(&s->parser))
		drop_frame(s);
	return s->at == s->end && verdict != STREAM_BAD;
}

static void stream_arm_recv(struct sw *sw, struct port *p)
{
	struct io_uring_sqe *sqe;

	if (p->state != PORT_UP || p->detached || !take_frames(sw, p))
		return;
	sqe = loop_port_sqe(sw, p, ARMED_RECV);
	if (!sqe)
		return;
	io_uring_prep_recv(sqe, p->fd, p->stream->bytes,
			   sizeof(p->stream->bytes), 0);
	loop_tag(sqe, LOOP_RECV, p);
}

/* A reset is told before what had come earlier, and once. */
static void stream_on_recv(struct sw *sw, struct port *p, int res,
			   uint32_t flags)
{
	(void)flags;
	if (p->state != PORT_UP || p->detached)
		return;
	if (res > 0) {
		p->last_recv_ms = sw->now_ms;
		sw->warm = true;
		p->stream->at = 0;
		p->stream->end = (uint32_t)res;
	} else if (res != -EAGAIN && res != -EINTR && res != -ECONNRESET) {
		port_lost(sw, p, res ? strerror(-res) : "the other side has gone");
		return;
	}
	stream_arm_recv(sw, p);
}

/* What one call hands over: the rest of a frame, then frames with headers. */
struct gathered {
	uint8_t headers[SEND_BATCH][STREAM_HEADER_BYTES];
	struct iovec parts[2 * SEND_BATCH + 1];
	unsigned count;
};

static void gather(struct gathered *g, const void *bytes, size_t len)
{
	g->parts[g->count++] = (struct iovec){ (void *)bytes, len };
}

/* @sent bytes of a header and its frame are out; keep the others. */
static void keep_rest(struct port *p, const uint8_t *header,
		      const struct frame *f, size_t sent)
{
	struct stream *s = p->stream;

	memcpy(s->rest, header, STREAM_HEADER_BYTES);
	memcpy(s->rest + STREAM_HEADER_BYTES, f->data, f->len);
	s->rest_at = (uint32_t)sent;
	s->rest_end = STREAM_HEADER_BYTES + f->len;
	p->unfinished = true;
}

/* How many frames @sent bytes are, a part of one included. */
static int count_sent(struct port *p, const struct gathered *g,
		      struct frame *const *frames, unsigned n, size_t sent)
{
	struct stream *s = p->stream;
	unsigned i = 0;

	if (p->unfinished) {
		size_t rest = s->rest_end - s->rest_at;
		size_t out = sent < rest ? sent : rest;

		s->rest_at += (uint32_t)out;
		p->unfinished = s->rest_at < s->rest_end;
		sent -= out;
	}
	for (; sent && i < n; i++) {
		size_t whole = STREAM_HEADER_BYTES + frames[i]->len;

		if (sent < whole) {
			keep_rest(p, g->headers[i], frames[i], sent);
			sent = whole;
		}
		sent -= whole;
	}
	return (int)i;
}

static int stream_send(struct sw *sw, struct port *p,
		       struct frame *const *frames, unsigned n)
{
	struct gathered g;
	struct msghdr message = { .msg_iov = g.parts };
	struct stream *s = p->stream;
	ssize_t sent;

	if (p->detached)
		return -ENETDOWN;
	g.count = 0;
	if (p->unfinished)
		gather(&g, s->rest + s->rest_at, s->rest_end - s->rest_at);
	for (unsigned i = 0; i < n; i++) {
		stream_header(g.headers[i], frames[i]->len);
		gather(&g, g.headers[i], STREAM_HEADER_BYTES);
		gather(&g, frames[i]->data, frames[i]->len);
	}
	message.msg_iovlen = g.count;
	sent = sendmsg(p->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent >= 0)
		return count_sent(p, &g, frames, n, (size_t)sent);
	if (errno == EAGAIN || errno == EINTR)
		return -EAGAIN;
	/* Without its rest a frame's beginning cannot be made good again. */
	if (p->unfinished && errno != EPIPE && errno != ECONNRESET)
		port_lost(sw, p, "a frame could be sent in part only");
	/* That the other side has gone is for the receiving side to find. */
	return errno == EPIPE || errno == ECONNRESET ? -ENETDOWN : -errno;
}

const struct port_ops stream_ops = {
	.kind = "stream",
	.batch = SEND_BATCH,
	.send = stream_send,
	.wait_writable = port_io_wait_writable,
	.arm_recv = stream_arm_recv,
	.on_recv = stream_on_recv,
	.release = stream_release,
};
