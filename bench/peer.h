/*
 * A port on somebody's switch, taken the way guests take one. Knows these
 * clients:
 *
 *   PEER_UML     what a User-Mode Linux kernel does for eth0=daemon: protocol
 *                version 3, an abstract 110-byte name, a data socket that is
 *                never connected and every frame sent to the switch's address.
 *   PEER_VDE     what libvdeplug does: a data socket in the file system,
 *                connected to the switch's, its name removed once joined.
 *   PEER_BESS    what a UML kernel does for vec0:transport=bess: one connected
 *                SOCK_SEQPACKET, a message is a frame.
 *   PEER_STREAM  what QEMU does for -netdev stream: one connected SOCK_STREAM,
 *                a length in front of each frame.
 *   PEER_DGRAM   what QEMU does for -netdev dgram: nobody joins, both ends have
 *                fixed names. The switch's is PATH.INDEX, ours PATH.INDEX.peer.
 *   PEER_PACKET  a packet socket on the network device PATH: the host's side of
 *                a tap or of a veth, or any other interface.
 *   PEER_TAP     a tap device, opened by its name as QEMU does, or inherited:
 *                PATH is then the number of its descriptor.
 *
 * In PATH of the last two, {} is the port's index.
 *
 * The difference matters to a measurement: an unconnected socket that nobody
 * connected to holds max_dgram_qlen + 1 (11) frames, a connected pair holds
 * as much as the sender's send buffer, and the last two never make their sender
 * wait.
 */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

#include "pattern.h"

enum {
	PEER_OPEN_TIMEOUT_MS = 5000,
	PEER_BATCH_MAX = 64,
};

enum peer_kind {
	PEER_UML,
	PEER_VDE,
	PEER_BESS,
	PEER_STREAM,
	PEER_DGRAM,
	PEER_PACKET,
	PEER_TAP,
	PEER_KIND_COUNT
};

extern const char *const peer_kind_name[PEER_KIND_COUNT];

/* Where ports are, and how one gets in. */
struct peer_end {
	enum peer_kind kind;
	const char *path;
};

struct stream;

struct peer {
	int control_fd;			/* PEER_UML and PEER_VDE, or -1 */
	int data_fd;
	enum peer_kind kind;
	bool by_address;		/* send to @to; not connected */
	socklen_t to_len;
	struct sockaddr_un to;		/* the switch's data socket */
	struct stream *stream;		/* PEER_STREAM, or NULL */
	uint8_t mac[MAC_BYTES];		/* unique per index */
};

struct peer_frame {
	uint8_t *bytes;
	size_t len;
};

/* A peer that is not open. */
void peer_init(struct peer *p, enum peer_kind kind, unsigned int index);

/*
 * Attach to the switch at @end. @index makes name and MAC unique within this
 * process. Waits at most PEER_OPEN_TIMEOUT_MS for the switch. Returns 0 or
 * -errno; on failure nothing is left open.
 */
int peer_open(struct peer *p, const struct peer_end *end, unsigned int index);
void peer_close(struct peer *p);

/* Why peer_open() has failed with @err, and what to do. */
const char *peer_why(enum peer_kind kind, int err);

/*
 * Send up to @count frames, no more than PEER_BATCH_MAX. Returns how many the
 * kernel has taken, at least one; -EAGAIN when there is no room, or another
 * -errno. With @wait it sleeps in the kernel until there is room, for as long as
 * peer_set_timeout() allows, where the kind of port can.
 */
int peer_send(const struct peer *p, const struct peer_frame *frames,
	      unsigned int count, bool wait);
/* One frame. Returns 0 or -errno. */
int peer_send_one(const struct peer *p, uint8_t *frame, size_t len, bool wait);

/* Send what is left of a frame that was taken in part. Returns 0 when nothing is,
 * or -errno: -EAGAIN. */
int peer_flush(const struct peer *p);

/*
 * Read up to @count frames, no more than PEER_BATCH_MAX, without waiting. Before,
 * each has room for len bytes at bytes; afterwards len is its length, which is
 * more if it was cut, and bytes may be elsewhere, where they stay until the next
 * call. Returns how many, or -errno: -EAGAIN if there is none, -ECONNRESET if
 * the switch has ended the connection.
 */
int peer_recv(const struct peer *p, struct peer_frame *frames,
	      unsigned int count);
/* Whether frames are here already, of which poll(2) and the like know nothing. */
bool peer_has_frame(const struct peer *p);
/* One frame, waited for as long as @timeout_ms. Returns its length or -errno. */
ssize_t peer_recv_one(const struct peer *p, uint8_t *frame, size_t size,
		      int timeout_ms);

/* Let waiting for room end with EAGAIN after @timeout_ms. */
int peer_set_timeout(const struct peer *p, unsigned int timeout_ms);

/* Throw away what waits in the port's queue. */
void peer_drain(const struct peer *p);

/* Frames that came in and that the socket had no room for since the last call;
 * 0 where the kernel does not say. */
uint64_t peer_overruns(const struct peer *p);

#endif
