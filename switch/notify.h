/*
 * What the service manager is told (sd_notify(3)): by the keeper, or where there
 * is none over a socket of our own, since a running switch can open no other.
 */
#ifndef NOTIFY_H
#define NOTIFY_H

struct sw;

/* To be called while sockets can be opened. */
void notify_open(struct sw *sw);
void notify_close(struct sw *sw);

/* Lines as in sd_notify(3). Nothing happens if nobody wants to know. */
void notify(struct sw *sw, const char *text);

#endif
