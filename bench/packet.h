/* The host's side of a network device, and the inside of a tap. */
#ifndef BENCH_PACKET_H
#define BENCH_PACKET_H

#include <stdint.h>

/*
 * A packet socket that sends and receives on network device @name, past the
 * device's queueing discipline: a frame that the device does not take is refused
 * at once, and sending is not delayed. It does not see what others send there.
 * Returns the descriptor or -errno: -ENODEV, -ENETDOWN.
 */
int packet_open(const char *name);

/* Frames that socket @fd had no room for, since the last call. */
uint64_t packet_overruns(int fd);

/*
 * The tap @name, which must exist; or, if that is a number, the inherited
 * descriptor of one. Returns the descriptor, which does not wait, or -errno:
 * -ENODEV, -ENETDOWN, -EBADF.
 */
int tap_attach(const char *name);

/* A tap of our own, which is up, and goes when it is closed. Its name is put in
 * @name. Returns the descriptor or -errno. */
int tap_make(char name[16]);

#endif
