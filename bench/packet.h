/* The host's side of a network device, and the inside of a tap. */
#ifndef BENCH_PACKET_H
#define BENCH_PACKET_H

/*
 * A packet socket that sends and receives on network device @name, past the
 * device's queueing discipline: a frame that the device does not take is refused
 * at once, and sending is not delayed. It does not see what others send there.
 * Returns the descriptor or -errno.
 */
int packet_open(const char *name);

/* The descriptor that @number names. Returns it, or -EBADF. */
int packet_adopt(const char *number);

#endif
