/*
 * Who may attach when there is no room for everybody, so that no user takes all
 * places, and no process keeps others from speaking.
 */
#ifndef ADMISSION_H
#define ADMISSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct port;
struct ports;

/*
 * Whether one more connection of @uid may become a port, where each user may
 * have @most. If @most is 0, each may have as many as are free: half of all if
 * nobody else is there, and there is always room for the next user; but root
 * and @own, as whom we run, may have all: they could end the switch as well.
 * If not, @why (of @why_bytes) tells.
 */
bool admission_allows(const struct ports *ps, uid_t uid, uint32_t most,
		      uid_t own, char *why, size_t why_bytes);

/* Connections that have not said who they are, without those that are closed at
 * the end of the round. */
unsigned admission_joining(const struct ports *ps);

/*
 * Which of them should go to make room, or NULL: the oldest of the process that
 * has most of the user that has most. One that knocks and knocks must not push
 * out a guest that is just about to speak.
 */
struct port *admission_gives_way(const struct ports *ps);

#endif
