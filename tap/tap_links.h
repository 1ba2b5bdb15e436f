/*
 * What happens to network devices, as the kernel tells of it: rtnetlink(7), on a
 * socket that is opened once. Needs no privilege, and later no other system call
 * than sending and receiving.
 */
#ifndef TAP_LINKS_H
#define TAP_LINKS_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tap_link {
	uint32_t index;
	bool gone; /* from here; the rest is then not said */
	bool up;
	uint32_t mtu;	     /* 0: not said */
	char name[IFNAMSIZ]; /* "": not said */
	uint8_t address[6];  /* all zero: not said */
};

/* How far we know. */
struct tap_links {
	bool asked; /* for all devices: the answer is not complete */
	bool lost;  /* something since */
};

typedef void tap_link_told(void *context, const struct tap_link *link);

/* A descriptor that is readable when there is something to tell, or -errno. */
int tap_links_open(void);

/* Have it tell of all devices. */
void tap_links_ask(int fd, struct tap_links *known);

/* Hear what it has to tell, not all at once if it is much; then it is still
 * readable. What was lost is asked for again. */
void tap_links_hear(int fd, struct tap_links *known, tap_link_told *tell,
		    void *context);

/* One piece of that: whether it was the end of an answer. Pure. */
bool tap_links_parse(const void *data, size_t bytes, tap_link_told *tell,
		     void *context);

#endif
