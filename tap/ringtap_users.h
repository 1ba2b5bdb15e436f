/*
 * Who has a tap open. The kernel has no list of that: what each process of
 * this network namespace has open is looked at, as far as we may see it (root
 * sees all; others see their own).
 */
#ifndef RINGTAP_USERS_H
#define RINGTAP_USERS_H

#include <net/if.h>
#include <stddef.h>
#include <sys/types.h>

struct tap_user {
	char device[IFNAMSIZ];
	char program[16]; /* as ps(1) calls it */
	pid_t pid;
};

/*
 * All that can be seen, a process once for each of its taps. @users is the
 * caller's to free(), NULL if there are none. Returns 0 or -errno.
 */
int tap_users_read(struct tap_user **users, size_t *count);

#endif
