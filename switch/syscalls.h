/*
 * The system calls that are left to a running switch.
 */
#ifndef SYSCALLS_H
#define SYSCALLS_H

/*
 * Allow only what the list in syscalls.c has, for good. What never is the
 * switch's own doing (to execute something, to make another ring) ends the
 * process; all else that is not in the list is answered with EPERM. Needs
 * no_new_privs. Returns 0 or -errno.
 */
int syscalls_restrict(void);

#endif
