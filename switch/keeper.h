/*
 * The keeper: the process that scripts and service managers know, and that
 * starts the switch, its child, again when that dies or asks for it.
 *
 * It holds a duplicate of every descriptor that a guest would notice the end of,
 * and a few bytes beside it, under a key, and gives all of it to the next switch
 * (kept.h). It understands none of it, and never reads what a guest sends: what
 * made the switch die does not reach it. All it listens to are signals and the
 * switch.
 *
 *     keeper ---- keep this, forget that, ready ---->  switch ---- guests
 *            <--- this was kept, and that -----------
 *
 * It sees to what a started process owes to who started it: the background, the
 * pid file, --ready-fd, the exit status, sd_notify(3); and passes on the signals
 * it gets. What cannot be done in the first place is not tried again: a switch
 * that has never been ready ends its keeper, with its status.
 */
#ifndef KEEPER_H
#define KEEPER_H

struct options;

/*
 * Run as the keeper of a switch with @argv, whose options are @o, complete and
 * checked. Returns the exit status.
 */
int keeper_main(struct options *o, char *argv[]);

#endif
