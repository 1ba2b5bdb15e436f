/*
 * What is kept of a port and of a listener, as bytes. Pure: a record that does
 * not make sense is refused, whoever wrote it.
 *
 * The keeper outlives the program that wrote them: a record has a version, and a
 * program that does not know it does without.
 */
#ifndef HANDOVER_RECORD_H
#define HANDOVER_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "endpoint.h"
#include "port.h"

enum { HANDOVER_VERSION = 1, HANDOVER_PATH_BYTES = 512 };

enum port_record_kind {
	RECORD_UML, /* descriptors: frames, control connection */
	RECORD_BESS,	  /* frames */
	RECORD_STREAM,	  /* frames */
	RECORD_DGRAM,	  /* frames, watch of the other side's directory */
	RECORD_TAP,	  /* see port_tap.h */
	RECORD_KIND_COUNT,
};

/* Bits of port_record.flags. */
enum {
	RECORD_NAMED = 1 << 0,
	RECORD_VDE = 1 << 1,
	RECORD_DETACHED = 1 << 2, /* no descriptor for frames */
	RECORD_JOINING = 1 << 3,  /* has not said who it is: only the second */
	RECORD_LISTENER = 1 << 4, /* its endpoint is one */
	RECORD_HAS_CONTROL = 1 << 5,
	RECORD_ALL = (1 << 6) - 1,
};

/* A socket in the file system: socket_file.h. */
struct file_record {
	uint64_t device, inode;
	char path[HANDOVER_PATH_BYTES]; /* "": it is not ours to remove */
};

struct port_record {
	uint32_t version;
	uint8_t kind;
	uint8_t flags;
	uint16_t number;    /* in its name; 0: none */
	uint16_t endpoint;  /* which listener or --port */
	uint16_t own_bytes, guest_bytes; /* of the addresses, as bind(2) takes them */
	uint16_t request_bytes;
	uint32_t peer_pid, peer_uid;
	struct port_settings settings;
	char name[PORT_NAME_BYTES];
	char description[DESCRIPTION_BYTES];
	char where[SOCKET_PATH_BYTES + 16]; /* the endpoint, in short */
	char own[SOCKET_PATH_BYTES + 2];    /* data sockets: struct sockaddr_un */
	char guest[SOCKET_PATH_BYTES + 2];
	uint8_t request[JOIN_BYTES]; /* what a joining one has said so far */
	struct file_record file;
};

struct listener_record {
	uint32_t version;
	uint32_t serves;
	struct file_record file;
	char made_directory[SOCKET_PATH_BYTES + 64]; /* "": none */
};

/* Whether @bytes at @record are one; copied to @to. Texts end, numbers are in
 * their ranges. Behind that of a tap comes its own (port_tap.h). */
bool port_record_read(const void *record, size_t bytes, struct port_record *to);
/* Whether an endpoint of @kind has such ports. */
bool port_record_fits(const struct port_record *r, enum endpoint_kind kind);
bool listener_record_read(const void *record, size_t bytes,
			  struct listener_record *to);

/* Listeners and --ports, as text: "L12 uml:/tmp/uml.ctl" and a NUL, "P3 tap:tap0"
 * and a NUL ... What is at @at before @end goes to *@listener, *@number and @text, which
 * points into it; returns what is behind, or NULL at the end or if it is none. */
const char *handover_endpoint_next(const char *at, const char *end,
				   bool *listener, unsigned *number,
				   const char **text);

#endif
