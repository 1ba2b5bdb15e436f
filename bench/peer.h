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
 *
 * And those that are not clients of a switch:
 *
 *   PEER_PACKET  a packet socket on the network device PATH: the host's side.
 *   PEER_TAP     the inherited descriptor PATH of a tap device, which is
 *                written to as a switch does.
 *
 * The difference matters to a measurement: an unconnected socket that nobody
 * connected to holds max_dgram_qlen + 1 (11) frames, a connected pair holds
 * as much as the sender's send buffer.
 */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

enum {
	MAC_BYTES = 6,
	PEER_OPEN_TIMEOUT_MS = 5000,
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

struct stream;

struct peer {
	int control_fd;			/* PEER_UML and PEER_VDE, or -1 */
	int data_fd;
	enum peer_kind kind;
	struct sockaddr_un to;		/* the switch's data socket */
	struct stream *stream;		/* PEER_STREAM, or NULL */
	uint8_t mac[MAC_BYTES];		/* unique per index, locally administered */
};

/*
 * Attach to the switch at @path. @index makes name and MAC unique within this
 * process. Waits at most PEER_OPEN_TIMEOUT_MS for the switch. Returns 0 or
 * -errno; on failure nothing is left open.
 */
int peer_open(struct peer *p, const char *path, enum peer_kind kind,
	      unsigned int index);
void peer_close(struct peer *p);

/*
 * Send one frame. Returns 0, -EAGAIN when there is no room, or another
 * -errno. After -EAGAIN a PEER_STREAM has to be offered the same frame again,
 * because a part of it may be gone. peer_send_waiting() sleeps in the kernel
 * until there is room, for as long as peer_set_timeouts() allows.
 */
int peer_send(const struct peer *p, const uint8_t *frame, size_t len);
int peer_send_waiting(const struct peer *p, const uint8_t *frame, size_t len);

/*
 * The next frame, which is waited for as long as peer_set_timeouts() allows.
 * Returns its length or -errno: -EAGAIN if none came, -ECONNRESET if the switch
 * has ended the connection. peer_try_recv() does not wait.
 */
ssize_t peer_recv(const struct peer *p, uint8_t *frame, size_t size);
ssize_t peer_try_recv(const struct peer *p, uint8_t *frame, size_t size);

/* Let waiting for a frame and for room end with EAGAIN after @timeout_ms. */
int peer_set_timeouts(const struct peer *p, unsigned int timeout_ms);

/* Throw away what waits in the port's queue. */
void peer_drain(const struct peer *p);

#endif
