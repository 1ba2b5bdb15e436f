/*
 * Captures as Wireshark reads them: the blocks of a pcapng file
 * (draft-ietf-opsawg-pcapng, section 4; options 3.5), in this machine's byte
 * order, as the format allows. Debian has no C library that writes it, and we
 * need four kinds of blocks. Pure: bytes into a buffer, nothing else.
 *
 * A file is one section header, then blocks in any order, but an interface
 * before the first block that names it: interfaces are numbered from 0 as they
 * come, and more may come at any time.
 *
 * Each writer writes one block at @to, never more than @room bytes, and returns
 * its bytes: a multiple of four. It returns 0 if the block does not fit; what is
 * in the @room bytes then is undefined. @to need not be aligned. Strings are
 * UTF-8; more than an option's 65535 bytes are cut off between two characters.
 */
#ifndef PCAPNG_H
#define PCAPNG_H

#include <stddef.h>
#include <stdint.h>

/* As seen from the switch: in is what it received. The values are the file's. */
enum pcapng_direction { PCAPNG_NONE, PCAPNG_IN = 1, PCAPNG_OUT = 2 };

struct pcapng_packet {
	uint32_t interface;
	uint64_t time_ns; /* since 1970, UTC */
	const uint8_t *data;
	uint32_t captured; /* bytes at @data: not more than @bytes */
	uint32_t bytes;	   /* of the whole frame */
	enum pcapng_direction direction;
	const char *comment; /* NULL or "": none */
};

/* The file's first block, from the program @application. */
size_t pcapng_section(uint8_t *to, size_t room, const char *application);

/*
 * An Ethernet interface, without a frame check sequence, whose times are in ns.
 * A @description of "" is left out; a @snaplen of 0 is no limit.
 */
size_t pcapng_interface(uint8_t *to, size_t room, const char *name,
			const char *description, uint32_t snaplen);

/* A frame. */
size_t pcapng_packet(uint8_t *to, size_t room, const struct pcapng_packet *p);

/*
 * What the capture on @interface came to, at @time_ns since 1970: frames
 * @received, written or not, and how many of them were @dropped for want of room.
 */
size_t pcapng_statistics(uint8_t *to, size_t room, uint32_t interface,
			 uint64_t time_ns, uint64_t received, uint64_t dropped);

/* The most that pcapng_packet() needs for so much. */
size_t pcapng_packet_bytes(uint32_t captured, size_t comment_bytes);

#endif
