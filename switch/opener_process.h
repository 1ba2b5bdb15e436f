/*
 * The opener's own side: a process that waits for jobs until the switch has
 * gone.
 */
#ifndef OPENER_PROCESS_H
#define OPENER_PROCESS_H

struct options;
struct privilege;

/*
 * Be the opener, in a child that has just been forked: jobs come by @jobs_fd,
 * guests by @joins_fd, and with them the answers go. Says by @jobs_fd first how
 * giving up its privileges went, with a struct opener_answer. Does not return.
 */
_Noreturn void opener_process(int jobs_fd, int joins_fd,
			      const struct options *o,
			      const struct privilege *privilege);

#endif
