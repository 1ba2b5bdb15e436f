/* What every kind of port needs of UNIX sockets. */
#ifndef BENCH_UNIX_H
#define BENCH_UNIX_H

#include <sys/un.h>

/* Returns 0 or -ENAMETOOLONG. */
int unix_address(struct sockaddr_un *address, const char *path);

/*
 * A socket of @type, connected to @path. Neither connecting to a full backlog
 * nor anything done later with it waits longer than @timeout_ms. Returns the
 * descriptor or -errno.
 */
int unix_connect(int type, const char *path, unsigned int timeout_ms);

/* Let waiting for data and for room end with EAGAIN after @timeout_ms. */
int unix_set_timeouts(int fd, unsigned int timeout_ms);

#endif
