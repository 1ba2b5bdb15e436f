/*
 * The request with which a UML guest joins, and the reply. Pure: bytes in, a
 * decision out.
 *
 *   v3  u32 magic, u32 version = 3, u32 type = 0, sockaddr_un (110 bytes),
 *       2 bytes of padding                                       124 bytes
 *   v1  u32 magic, u32 type = 0, u8 mac[6], sockaddr_un          124 bytes
 *   reply to both: the sockaddr_un of the switch's data socket   110 bytes
 *
 * Native byte order and layout (Linux 6.1, arch/um/drivers/daemon_user.c and
 * uml-utilities 20070815, uml_switch/port.c). In v1, type stands where later
 * versions have the version. v0 had no magic and no reply, v2 was never
 * deployed, v4 and above do not exist.
 *
 * The guest's address is abstract and unterminated, and its kernel leaves 96
 * bytes of rubbish at its end that are part of the name: it is kept whole.
 */
#ifndef WIRE_JOIN_H
#define WIRE_JOIN_H

#include <stddef.h>
#include <stdint.h>
#include <sys/un.h>

#define JOIN_MAGIC 0xfeedfaceu

enum {
	JOIN_REQUEST_BYTES = 124,
	JOIN_REPLY_BYTES = sizeof(struct sockaddr_un),
};

enum join_verdict {
	JOIN_OK,
	JOIN_MORE, /* right so far, but not complete */
	JOIN_BAD,
};

/*
 * Judge the @len bytes at @bytes, all that has come so far. On JOIN_OK @addr
 * is the address at which the guest receives; on JOIN_BAD @why says what is
 * wrong, in a literal.
 */
enum join_verdict join_parse(const uint8_t *bytes, size_t len,
			     struct sockaddr_un *addr, const char **why);

#endif
