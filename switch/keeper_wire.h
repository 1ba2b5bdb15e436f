/*
 * What the keeper and the switch say to each other: one message a packet, over
 * a SOCK_SEQPACKET pair that the keeper makes for each switch it starts.
 *
 *     switch -> keeper   KEEP, FORGET, READY, NOTIFY, RESTART
 *     keeper -> switch   WELCOME (with the page of blame), HELD ..., END; then
 *                        nothing more
 *
 * Both may be different versions of the program, as a new switch is started by
 * the keeper that is there: a message begins with the version of what is
 * written here, and neither side takes another's. What a record says is no
 * business of the keeper's: who writes it puts a version of its own in it.
 *
 * The keeper takes a switch for somebody who may have been taken over by a
 * guest: everything is checked here, and nothing is opened, allocated or
 * looked up by what a message says but a place in a table.
 */
#ifndef KEEPER_WIRE_H
#define KEEPER_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	KEEPER_VERSION = 1,
	KEEPER_KEYS = 32768, /* keys are below */
	KEEPER_SELF = KEEPER_KEYS - 1, /* the keeper's own, in its file */
	KEEPER_NAME_BYTES = 32,
	KEEPER_RECORD_BYTES = 3072,
	KEEPER_FDS_MAX = 16,
};

/* The number of the channel, in the environment of a switch. */
#define KEEPER_VARIABLE "RINGSWITCH_KEEPER"

enum keeper_type {
	KEEPER_KEEP = 1, /* key, flags, name, record, descriptors */
	KEEPER_FORGET,	 /* key */
	KEEPER_READY,	 /* guests can attach */
	KEEPER_NOTIFY,	 /* text of sd_notify(3) */
	KEEPER_RESTART,	 /* I am about to end, to be started again */
	KEEPER_WELCOME,	 /* struct keeper_welcome, one descriptor */
	KEEPER_HELD,	 /* as KEEP */
	KEEPER_END,	 /* of what is held */
	KEEPER_TYPE_COUNT,
};

/* Of what is kept. */
enum {
	/* Kept in the state file as well, without its descriptors. */
	KEEPER_DURABLE = 1 << 0,
	/* HELD only: from the state file, without its descriptors. */
	KEEPER_FROM_FILE = 1 << 1,
	/* HELD only: the last three crashes came with a frame of this one. */
	KEEPER_QUARANTINED = 1 << 2,
};

/* Why a switch has been started. */
enum keeper_why {
	KEEPER_FIRST,	/* nobody was there before */
	KEEPER_PLANNED, /* the one before had asked for it */
	KEEPER_CRASHED, /* the one before has died */
	KEEPER_WHY_COUNT,
};

struct keeper_header {
	uint16_t version;
	uint16_t type;
	uint32_t key;
	uint32_t flags;
	uint32_t bytes; /* that follow */
	char name[KEEPER_NAME_BYTES]; /* ends with a NUL */
};

_Static_assert(sizeof(struct keeper_header) == 48, "on the wire");

struct keeper_welcome {
	uint32_t starts; /* 1: the first switch of this keeper */
	uint32_t why;
};

/* The page of blame: which key a frame is being handled of. */
enum { KEEPER_BLAME_BYTES = 4096 };
#define KEEPER_NOBODY UINT32_MAX

struct keeper_message {
	struct keeper_header header;
	uint8_t record[KEEPER_RECORD_BYTES + 1]; /* a NUL behind it */
};

/*
 * Whether @length bytes at @message, which came with @fd_count descriptors from
 * the switch (or from the keeper), are a message. Returns 0, or -EPROTO with a
 * few words in *@why. Reads nothing else.
 */
int keeper_check(const struct keeper_message *message, size_t length,
		 unsigned fd_count, bool from_switch, const char **why);

/*
 * Send @header with the bytes that it says and @fds. Never waits: 0; -EAGAIN if
 * there is no room now; or another -errno, of which -EPIPE and -ECONNRESET mean
 * that the other side has gone.
 */
int keeper_send(int channel, const struct keeper_header *header,
		const void *bytes, const int *fds, unsigned fd_count);

/*
 * Receive one message, waiting for it unless the channel is non-blocking or
 * @flags has MSG_DONTWAIT. Returns 1; 0 if the other side has gone; -errno; or
 * -EPROTO, with *@why, for what is not a message, of which nothing is left.
 * @fds are the caller's to close.
 */
int keeper_receive(int channel, int flags, bool from_switch,
		   struct keeper_message *to, int fds[KEEPER_FDS_MAX],
		   unsigned *fd_count, const char **why);

#endif
