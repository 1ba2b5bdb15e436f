/*
 * ringtap under the name of tunctl, of Debian's uml-utilities: the same words,
 * output and exit statuses. ringtap(8) lists the differences.
 */
#ifndef RINGTAP_TUNCTL_H
#define RINGTAP_TUNCTL_H

/* Returns the exit status. */
int tunctl_main(int argc, char *argv[]);

#endif
