/*
 * Commands from a file, one a line, as they would stand behind ringctl: words
 * between blanks, '...' and "..." around such as have blanks, a backslash in
 * front of any character to take it as it is, # and what is behind it ignored.
 */
#ifndef CTL_BATCH_H
#define CTL_BATCH_H

struct ctl;

/*
 * Carry out the lines of @file (-: of stdin). Ends at the first that fails,
 * unless ctl->force. Returns the exit code of the first that failed, or 0.
 */
int batch_run(struct ctl *ctl, const char *file);

#endif
