/*
 * A port on somebody's switch, taken the way guests take one. Knows two
 * clients:
 *
 *   PEER_UML  what a User-Mode Linux kernel does for eth0=daemon: protocol
 *             version 3, an abstract 110-byte name, a data socket that is
 *             never connected and every frame sent to the switch's address.
 *   PEER_VDE  what libvdeplug does: a data socket in the file system,
 *             connected to the switch's, its name removed once joined.
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
#include <sys/un.h>

enum { MAC_BYTES = 6 };

enum peer_kind {
	PEER_UML,
	PEER_VDE,
	PEER_KIND_COUNT
};

struct peer {
	int control_fd;
	int data_fd;
	enum peer_kind kind;
	struct sockaddr_un to;		/* the switch's data socket */
	uint8_t mac[MAC_BYTES];		/* unique per index, locally administered */
};

/*
 * Join the switch that listens on @control_path. @index makes name and MAC
 * unique within this process. Waits at most five seconds for the switch.
 * Returns 0 or -errno (-EPROTO: the switch closed or answered something that
 * is not 110 bytes); on failure nothing is left open.
 */
int peer_open(struct peer *p, const char *control_path, enum peer_kind kind,
	      unsigned int index);
void peer_close(struct peer *p);

/*
 * Send one frame. Returns 0, -EAGAIN when there is no room, or another
 * -errno. peer_send_waiting() sleeps in the kernel until there is room, for
 * as long as peer_set_timeouts() allows.
 */
int peer_send(const struct peer *p, const uint8_t *frame, size_t len);
int peer_send_waiting(const struct peer *p, const uint8_t *frame, size_t len);

/* Let waiting for a frame and for room end with EAGAIN after @timeout_ms. */
int peer_set_timeouts(const struct peer *p, unsigned int timeout_ms);

/* Throw away what waits in the port's queue. */
void peer_drain(const struct peer *p);

#endif
