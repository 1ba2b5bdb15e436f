/*
 * Telling the service manager (sd_notify(3)) what the switch says, in the name
 * of the process that it knows: ours.
 */
#ifndef KEEPER_NOTIFY_H
#define KEEPER_NOTIFY_H

#include <stdbool.h>

/*
 * Whether @text is nothing but lines that a switch may say: it is ready, what it
 * does, that it is alive; not who the main process is or what to keep. Pure.
 */
bool keeper_notify_is_allowed(const char *text);

/* Send @text to NOTIFY_SOCKET, if there is one. Never waits; what does not go is
 * lost, as a service manager that is away would have it. */
void keeper_notify(const char *text);

#endif
