/*
 * The command line, and what only the machine can tell about it: inherited
 * descriptors, directories, expressions that have to be compiled.
 */
#ifndef OPTIONS_READ_H
#define OPTIONS_READ_H

struct options;

/*
 * Read @argv into @o, complete and checked. Returns -1 to go on; or the exit
 * status, when what there is to say has been said: help, version, a complaint.
 */
int options_read(struct options *o, int argc, char *argv[], const char *program);

#endif
