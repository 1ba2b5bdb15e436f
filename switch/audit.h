/*
 * --audit: what this switch could still do if somebody took it over. It has
 * been started like any other, and now, instead of running, gives up what a
 * running one gives up, tries everything that would help to get out, and says
 * of each whether it was possible.
 */
#ifndef AUDIT_H
#define AUDIT_H

struct loop;
struct privilege;

/*
 * Everything is open, and nothing given up yet: that is done here. Prints a line
 * a thing. Returns the exit status: 0, or 1 if something is possible that must
 * not be, or if it could not be found out.
 */
int audit_run(struct loop *loop, struct privilege *p);

#endif
