/*
 * The request with which a UML guest or a VDE client joins, and the reply.
 * Pure: bytes in, a decision out.
 *
 *   UML v3  u32 magic, u32 version = 3, u32 type = 0, sockaddr_un (110 bytes),
 *           2 bytes of padding                                   124 bytes
 *   UML v1  u32 magic, u32 type = 0, u8 mac[6], sockaddr_un      124 bytes
 *   VDE     as v3, but type = number << 8 | 0 or 1, and a description of up to
 *           127 bytes instead of the padding               122..249 bytes
 *   reply to all: the sockaddr_un of the switch's data socket    110 bytes
 *
 * Native byte order and layout (Linux 6.1, arch/um/drivers/daemon_user.c;
 * uml-utilities 20070815, uml_switch/port.c; vdeplug 4.0.1, libvdeplug_vde.c).
 * In v1, type stands where later versions have the version. v0 had no magic and
 * no reply, v2 was never deployed, v4 and above do not exist.
 *
 * A UML guest's address is abstract and unterminated, and its kernel leaves 96
 * bytes of rubbish at its end that are part of the name: it is kept whole. A
 * VDE client's is a path. That is how they are told apart, and where a VDE
 * request ends nobody says: what is there when it has come so far is it.
 *
 * The port number is the one that the client asks for, 0 for any. Type 1 asks
 * vde_switch for a port that its management leaves alone; to us it is a port
 * like others.
 */
#ifndef WIRE_JOIN_H
#define WIRE_JOIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/un.h>

#include "limits.h"

#define JOIN_MAGIC 0xfeedfaceu

enum {
	JOIN_REQUEST_BYTES = 124, /* of UML */
	JOIN_VDE_BYTES_MIN = 122,
	JOIN_VDE_BYTES_MAX = JOIN_VDE_BYTES_MIN + DESCRIPTION_BYTES - 1,
	JOIN_REPLY_BYTES = sizeof(struct sockaddr_un),
};

struct join_request {
	struct sockaddr_un addr; /* where the guest receives */
	bool vde;
	uint16_t number; /* of VDE; 0: any */
	/* Of VDE; printable ASCII without quotes and backslashes. */
	char description[DESCRIPTION_BYTES];
};

enum join_verdict {
	JOIN_OK,
	JOIN_MORE, /* right so far, but not complete */
	JOIN_BAD,
};

/*
 * Judge the @len bytes at @bytes, all that has come so far. On JOIN_OK @request
 * is filled in; on JOIN_BAD @why says what is wrong, in a literal.
 */
enum join_verdict join_parse(const uint8_t *bytes, size_t len,
			     struct join_request *request, const char **why);

#endif
