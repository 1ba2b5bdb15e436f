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
#include "mac.h"
#include "port.h"
#include "port_io.h"
#include "port_slow.h"
#include "sw.h"
#include "wire_stream.h"

struct stream {
	struct stream_parser parser;
	struct frame *frame; /* being put together, or NULL */
	uint32_t at, end;    /* what of bytes has not been looked at */
	bool lost;	     /* where in the stream we are is not known */
	uint32_t searched;   /* bytes, since then */
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
	p->pool->owner = p->id;
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
	s->lost = false;
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

void stream_adopt(struct port *p)
{
	p->stream->lost = true;
	p->stream->searched = 0;
}

/* The parts of a stream between two frames, one behind the other. */
struct saved {
	struct stream_parser parser;
	uint32_t frame_bytes, read_bytes, rest_bytes;
};

static uint32_t frame_have(const struct port *p)
{
	const struct stream *s = p->stream;

	return s->frame && s->parser.length <= p->pool->slot_bytes
		       ? s->parser.have
		       : 0;
}

size_t stream_save(const struct port *p, FILE *to)
{
	const struct stream *s = p->stream;
	const struct saved saved = {
		.parser = s->parser,
		.frame_bytes = stream_at_boundary(&s->parser) ? 0 : frame_have(p),
		.read_bytes = s->end - s->at,
		.rest_bytes = p->unfinished ? s->rest_end - s->rest_at : 0,
	};

	/* Who is lost has nothing to leave but what is lost as well. */
	if (s->lost)
		return 0;
	fwrite(&saved, sizeof(saved), 1, to);
	if (saved.frame_bytes)
		fwrite(s->frame->data, 1, saved.frame_bytes, to);
	fwrite(s->bytes + s->at, 1, saved.read_bytes, to);
	if (saved.rest_bytes)
		fwrite(s->rest + s->rest_at, 1, saved.rest_bytes, to);
	return sizeof(saved) + saved.frame_bytes + saved.read_bytes +
	       saved.rest_bytes;
}

static bool is_sound(const struct port *p, const struct saved *saved,
		     size_t bytes)
{
	const struct stream_parser *s = &saved->parser;
	uint32_t slot = p->pool->slot_bytes;

	return s->header_have <= STREAM_HEADER_BYTES &&
	       s->length <= STREAM_FRAME_MAX && s->have <= s->length &&
	       saved->frame_bytes <= slot &&
	       (saved->frame_bytes == s->have || s->length > slot ||
		s->header_have < STREAM_HEADER_BYTES) &&
	       saved->read_bytes <= STREAM_READ_BYTES &&
	       saved->rest_bytes <= slot + STREAM_HEADER_BYTES &&
	       sizeof(*saved) + saved->frame_bytes + saved->read_bytes +
			       saved->rest_bytes ==
		       bytes;
}

bool stream_load(struct port *p, const uint8_t *from, size_t bytes)
{
	struct stream *s = p->stream;
	struct saved saved;

	if (bytes < sizeof(saved))
		return false;
	memcpy(&saved, from, sizeof(saved));
	if (!is_sound(p, &saved, bytes))
		return false;
	stream_restart(p);
	from += sizeof(saved);
	s->parser = saved.parser;
	if (!stream_at_boundary(&s->parser))
		s->frame = pool_get(p->pool);
	if (s->frame)
		memcpy(s->frame->data, from, saved.frame_bytes);
	from += saved.frame_bytes;
	memcpy(s->bytes, from, saved.read_bytes);
	s->end = saved.read_bytes;
	memcpy(s->rest, from + saved.read_bytes, saved.rest_bytes);
	s->rest_end = saved.rest_bytes;
	p->unfinished = saved.rest_bytes;
	return true;
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

struct whose {
	struct mac_table *macs;
	uint16_t port;
	uint32_t now_s;
};

static bool is_known(const void *context, uint64_t address)
{
	const struct whose *w = context;

	return mac_lookup(w->macs, address, w->now_s) == w->port;
}

/*
 * The switch before us was killed with a part of the stream in its hands. What
 * is read is searched for the beginning of a frame. False: more has to come.
 */
static bool find_frame(struct sw *sw, struct port *p)
{
	const struct whose w = { sw->forward.macs, p->id, sw_now_s(sw) };
	struct stream *s = p->stream;
	int32_t found = stream_find(s->bytes, s->end, is_known, &w);

	if (found >= 0) {
		s->at = (uint32_t)found;
		s->lost = false;
		return true;
	}
	if (s->end < sizeof(s->bytes))
		return false;
	s->searched += STREAM_READ_BYTES / 2;
	s->end = STREAM_READ_BYTES / 2;
	memmove(s->bytes, s->bytes + s->end, s->end);
	if (s->searched > STREAM_SEARCH_BYTES)
		port_lost(sw, p, "the switch has been restarted, and no frame begins in what comes");
	return false;
}

static void stream_arm_recv(struct sw *sw, struct port *p)
{
	struct io_uring_sqe *sqe;
	uint32_t kept;

	if (p->state != PORT_UP || p->detached)
		return;
	if (p->stream->lost ? find_frame(sw, p) && !take_frames(sw, p)
			    : !take_frames(sw, p))
		return;
	if (p->failed || p->detached)
		return;
	sqe = loop_port_sqe(sw, p, ARMED_RECV);
	if (!sqe)
		return;
	kept = p->stream->lost ? p->stream->end : 0;
	io_uring_prep_recv(sqe, p->fd, p->stream->bytes + kept,
			   sizeof(p->stream->bytes) - kept, 0);
	loop_tag(sw, sqe, LOOP_RECV, p);
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
		p->stream->end = (p->stream->lost ? p->stream->end : 0) +
				 (uint32_t)res;
	} else if (!port_io_again(res) && res != -ECONNRESET) {
		port_lost(sw, p, res ? strerror(-res) : "the other side has gone");
		return;
	}
	stream_arm_recv(sw, p);
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

/* What could not be sent, and why. */
static int send_failed(struct sw *sw, struct port *p)
{
	if (errno == EAGAIN || errno == EINTR)
		return -EAGAIN;
	/* Without its rest a frame's beginning cannot be made good again. */
	if (p->unfinished && errno != EPIPE && errno != ECONNRESET)
		port_lost(sw, p, "a frame could be sent in part only");
	/* That the other side has gone is for the receiving side to find. */
	return errno == EPIPE || errno == ECONNRESET ? -ENETDOWN : -errno;
}

/* Returns 0 when it is out, or -errno. */
static int send_rest(struct sw *sw, struct port *p)
{
	struct stream *s = p->stream;
	ssize_t sent = send(p->fd, s->rest + s->rest_at,
			    s->rest_end - s->rest_at,
			    MSG_DONTWAIT | MSG_NOSIGNAL);

	if (sent < 0)
		return send_failed(sw, p);
	s->rest_at += (uint32_t)sent;
	p->unfinished = s->rest_at < s->rest_end;
	return p->unfinished ? -EAGAIN : 0;
}

/*
 * Frames with their headers, in messages that the kernel takes whole or not at
 * all (af_unix.c, unix_stream_sendmsg: one buffer each), so that a switch which
 * is killed in between leaves no half a frame behind. A longer frame is a message
 * by itself, and may be cut; behind one that it has taken in part it takes no
 * other (socket.c, __sys_sendmmsg).
 */
struct gathered {
	uint8_t headers[SEND_BATCH][STREAM_HEADER_BYTES];
	struct iovec parts[SEND_BATCH][2];
	struct mmsghdr messages[SEND_BATCH];
	size_t bytes[SEND_BATCH];      /* of each message */
	unsigned first[SEND_BATCH + 1]; /* frame of each, and one past the last */
	unsigned count;
};

static size_t whole(const struct frame *f)
{
	return STREAM_HEADER_BYTES + f->len;
}

static void gather(struct gathered *g, struct frame *const *frames, unsigned n)
{
	g->count = 0;
	for (unsigned i = 0; i < n; i++) {
		struct msghdr *m;

		if (!g->count || g->bytes[g->count - 1] + whole(frames[i]) >
					 STREAM_WHOLE_BYTES) {
			g->messages[g->count].msg_hdr =
				(struct msghdr){ .msg_iov = g->parts[i] };
			g->bytes[g->count] = 0;
			g->first[g->count++] = i;
		}
		m = &g->messages[g->count - 1].msg_hdr;
		stream_header(g->headers[i], frames[i]->len);
		g->parts[i][0] = (struct iovec){ g->headers[i],
						 STREAM_HEADER_BYTES };
		g->parts[i][1] = (struct iovec){ frames[i]->data,
						 frames[i]->len };
		m->msg_iovlen += 2;
		g->bytes[g->count - 1] += whole(frames[i]);
	}
	g->first[g->count] = n;
}

/* How many frames @taken messages are, a part of one included. */
static int count_sent(struct port *p, const struct gathered *g,
		      struct frame *const *frames, unsigned taken)
{
	size_t sent = g->messages[taken - 1].msg_len;
	unsigned i = g->first[taken - 1];

	for (; sent && i < g->first[taken]; i++) {
		if (sent < whole(frames[i])) {
			keep_rest(p, g->headers[i], frames[i], sent);
			return (int)i + 1;
		}
		sent -= whole(frames[i]);
	}
	return (int)i;
}

static int stream_send(struct sw *sw, struct port *p,
		       struct frame *const *frames, unsigned n)
{
	struct gathered g;
	int err = 0, taken;

	if (p->detached)
		return -ENETDOWN;
	if (p->unfinished)
		err = send_rest(sw, p);
	if (err || !n)
		return err;
	gather(&g, frames, n);
	taken = sendmmsg(p->fd, g.messages, g.count, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (taken <= 0)
		return taken ? send_failed(sw, p) : -EAGAIN;
	return count_sent(p, &g, frames, (unsigned)taken);
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
