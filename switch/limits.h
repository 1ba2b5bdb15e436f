/* Every limit of the switch, in one place. Each is checked where it grows. */
#ifndef LIMITS_H
#define LIMITS_H

enum {
	/* Attachments at once, those still joining included. A port costs two
	 * descriptors and, until it has carried traffic, some 12 KiB. */
	PORTS_MAX = 4096,

	/* Descriptors that the ring can know: two or three a port, and what
	 * else is open. They are numbered from below. */
	LOOP_FILES_MAX = 16384,

	/* Connections that have not yet said who they are. One more, and the
	 * oldest of them has to go: silence must not keep a guest out. */
	JOINING_MAX = 512,
	JOIN_TIMEOUT_MS = 3000,

	/* Receive credit: buffers that one sender may have inside the switch.
	 * It is smaller than a receiver's queue, so that one busy sender is
	 * slowed down by its receiver and loses nothing. */
	PORT_BUFFERS = 128,
	/* Reading goes on when this many buffers have come back: re-arming a
	 * receive for every single one would cost a submission a frame, and
	 * many at once let the receiver's queue run dry meanwhile. */
	PORT_BUFFERS_REARM = PORT_BUFFERS / 8,

	/* What one slow receiver may keep of a sender's buffers if the sender
	 * has others to send to and runs out. */
	PORT_BUFFERS_SHARE = PORT_BUFFERS / 4,
	/* A sender whose last so many unicast frames went to one port has no
	 * others to send to: all that it has inside the switch is for that. */
	SINGLE_RUN_FRAMES = PORT_BUFFERS,
	/* A receiver is slow for SLOW_MS after a tick in which it had a queue
	 * and took fewer frames than this, or bytes that would be as many full
	 * ones: 16,000 a second, 190 Mbit/s. One that is faster is waited for,
	 * and holds its senders' other receivers up to no less than that. */
	SLOW_TICK_FRAMES = 320,
	SLOW_MS = 1000,

	/* Frames that may wait for one receiver, if its port does not say. */
	PORT_QUEUE = 512,
	PORT_QUEUE_MAX = 4096, /* a power of two */
	/* The same for a port that has just been stalled, until it proves that
	 * it reads: a port that takes one frame now and then must not get hold
	 * of other people's buffers again and again. */
	PORT_QUEUE_PROBATION = 8,
	/* Frames handed to the kernel in one call. */
	SEND_BATCH = 64,

	/* A port with a queue has to take STALL_FRAMES in this time: the first
	 * if it holds buffers of a sender that is out of them, the second in
	 * any case. A guest on a busy host is not scheduled for some tens of
	 * milliseconds now and then, and a UML guest has been seen to sleep
	 * for 190 ms on a full queue: neither must be taken for dead. */
	STALL_STARVED_MS = 250,
	STALL_MS = 1000,
	STALL_FRAMES = 16,
	/* Flooded frames are given up much sooner: they are the ones by which
	 * many dead ports hold up a sender that has nothing to do with them. */
	STALL_FLOODED_MS = 20,
	TICK_MS = 20,

	/* The longest pause between two attempts to connect to somebody who
	 * ends the connection within this time. */
	CONNECT_PAUSE_MS = 1000,

	/* A quiet port's buffers are given back to the kernel after this. */
	TRIM_IDLE_MS = 10000,

	/* Bytes behind the Ethernet header, for ports of sockets. What is read
	 * goes into buffers that hold that and a tag, but not less than is
	 * usual, so that the length of a frame that is somewhat too long is
	 * still seen. */
	MTU_DEFAULT = 1500,
	MTU_MIN = 68, /* RFC 791 */
	MTU_MAX = 65535,
	BUFFER_BYTES_MIN = 2048,

	/* QEMU's framing: what it takes for a frame (NET_BUFSIZE, include/net/
	 * net.h), and what we ask the kernel for at once. */
	STREAM_FRAME_MAX = 4096 + 65536,
	STREAM_READ_BYTES = 65536,
	/* What the kernel takes whole on the way out: its UNIX_SKB_FRAGS_SZ,
	 * and a buffer's head besides. */
	STREAM_WHOLE_BYTES = 32768,
	/* Where in a stream we are has to be found in so much of it. */
	STREAM_SEARCH_BYTES = 1 << 20,

	/* A UML guest's receive buffer is its MTU (1500) + 26 bytes, and it
	 * cuts what is longer (Linux 6.1 to 6.15, arch/um/drivers/net_kern.c
	 * and daemon_kern.c): what we send must fit. */
	UML_FRAME_MAX = 1526,

	/* The kernel lets a tap carry 65535 bytes of payload, whatever its MTU
	 * is now: room for a tagged frame of that size, in whole pages, so
	 * that a change of MTU never leads to a cut frame. Pages that no frame
	 * has reached are not resident. */
	TAP_BUFFER_BYTES = 69632,

	/* On the command line, or inherited. */
	LISTENERS_MAX = 256,
	STATIC_PORTS_MAX = 256,
	DESCRIPTOR_MAX = 1 << 20,
	SOCKET_PATH_BYTES = 108, /* with the NUL: unix(7) */
	FILTER_PATH_BYTES = 1024, /* with the NUL, as the next */
	EXPRESSION_BYTES = 1024,  /* of tcpdump */
	PORT_NAME_BYTES = 32,
	SWITCH_NAME_BYTES = 32,
	MAC_LIMIT_MAX = 65535,
	CONFIG_FILE_BYTES = 1 << 20,
	/* Names of which the counters are kept while their port is away. */
	PORT_NAMES_KEPT = 1024,
	JOIN_BYTES = 256, /* of a request; the longest right one has 249 */
	DESCRIPTION_BYTES = 128, /* of a VDE client, with the NUL */

	MAC_ENTRIES_MIN = 64,
	MAC_ENTRIES_MAX = 1 << 20,
	MAC_ENTRIES_DEFAULT = 16384,
	AGEING_DEFAULT_S = 300,
	AGEING_MAX_S = 1000000,

	/* Control sockets, and what one client of them may cost. */
	CONTROL_DOORS = 2,
	CONTROL_CLIENTS_MAX = 128, /* of each */
	CONTROL_LINE_BYTES = 65536, /* of a request, without the newline */
	CONTROL_OUT_BYTES = 65536, /* unread answers, beyond which it waits */
	CONTROL_PIECE_PORTS = 8,   /* of a long answer at a time */
	CONTROL_PIECE_MACS = 64,
	CONTROL_PIECE_PLACES = 8192, /* of the MAC table, most of them empty */
	TRAFFIC_MS = 2, /* since the last frame: frames flow */
	BUSY_POLL_MAX_US = 1000,
	CONTROL_SHARE = 4, /* time for frames to time for clients, if both want it */
	/* Looking for other sides that are away, in a tick. */
	LOOK_SHARE_NS = TICK_MS * 1000000 / 5,
	/* Guests that join: asked for at once, and time for frames to time for
	 * them, if both want it. */
	JOINS_ASKED_MAX = 64,
	JOIN_SHARE = 4,
	MAC_EVENTS_A_SECOND = 2000,
	MIRROR_BUFFERS = 256, /* copies that may wait for one port */
	CAPTURE_BUFFER_MIN = 1 << 16,
	CAPTURE_BUFFER_DEFAULT = 1 << 22,
	CAPTURE_BUFFER_MAX = 1 << 26,
	CAPTURE_TOTAL_MAX = 1 << 29, /* bytes of buffers of all captures */
	CAPTURE_SNAPLEN_MAX = 262144,
	CAPTURE_SEND_BYTES = 1 << 18, /* in a round */

	RING_SQ_ENTRIES = 1024,
	RING_CQ_ENTRIES = 16384,
	LISTEN_BACKLOG = 1024,
	ALLOW_MAX = 64,
	OPENER_LIVES_MS = 1000, /* at least, or it is not replaced at once */
	KEEPER_FILES = 32, /* descriptors that it has more than the switch */
};

#endif
