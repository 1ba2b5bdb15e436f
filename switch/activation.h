/*
 * Socket activation: descriptors that systemd, or whoever speaks its protocol,
 * has opened for us (sd_listen_fds(3)): LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES.
 */
#ifndef ACTIVATION_H
#define ACTIVATION_H

#include <stddef.h>

struct options;

/*
 * Add each of them to @o, one that listens as a listener and another as a port,
 * under its name unless that is one that systemd gives by itself. The
 * environment is cleared of them. Returns 0, or -errno with a line in @why.
 */
int activation_read(struct options *o, char *why, size_t why_bytes);

#endif
