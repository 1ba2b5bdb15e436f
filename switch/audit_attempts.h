/*
 * What somebody would try who has taken over the switch: the break-out attempts
 * of --audit (audit.h). Each is made for real, in a process that has given up
 * what a running switch gives up, and does no harm if it succeeds.
 */
#ifndef AUDIT_ATTEMPTS_H
#define AUDIT_ATTEMPTS_H

#include <stdbool.h>
#include <stddef.h>

struct loop;

/* Made before anything is given up, for the attempts to aim at. */
struct audit_targets {
	int socket;   /* of datagrams, neither bound nor connected */
	int listener; /* the same, bound to audit_attempts.c's abstract name */
	int victim;   /* a process of the same user: ourselves */
};

/* Returns 0 or -errno. There is nothing to close: they go with the process. */
int audit_targets_make(struct audit_targets *t);

/* The system calls that are tried, and the requests to the ring. */
size_t audit_call_count(void);
size_t audit_request_count(void);

/* What they are in words, and why the switch may do that; NULL: it must not. */
const char *audit_call_what(size_t i);
const char *audit_call_allowed(size_t i);
const char *audit_request_what(size_t i);

/* Whether the kernel's answer @result, 0 or more or -errno, means that it has
 * been kept from it: all other errors mean that it got as far as that. */
bool audit_is_refusal(long result);

/* Make system call @i. Returns the kernel's answer, if there is one: some end
 * the process. */
long audit_call(size_t i, const struct audit_targets *t);

/* Make request @i to the ring. To be called by the process that has made it. */
long audit_request(size_t i, struct loop *loop, const struct audit_targets *t);

#endif
