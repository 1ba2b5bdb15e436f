/*
 * What a port is called, and what is remembered under a name.
 *
 * A port that asks for nothing is called after its kind and a number (uml1,
 * bess2) that no other port has, of whatever kind. One that asks for a name, or
 * for a number, gets it if it is free; and with it the counters that the last
 * port of that name had, so that a guest that comes back goes on counting.
 */
#ifndef PORT_NAME_H
#define PORT_NAME_H

#include <stdbool.h>

struct port;
struct port_counters;
struct port_settings;
struct ports;

/*
 * Name a joining port. Wanted are @name (NULL or "": none) or else @number (0: none,
 * at most PORTS_MAX). A name that somebody has is given with ".2" or the next
 * that is free behind it; a number that somebody has is not given.
 */
void port_name_give(struct ports *ps, struct port *p, const char *name,
		    unsigned number);

/* The live port called @name, or NULL. */
struct port *port_by_name(const struct ports *ps, const char *name);

/* A port that has counted @last gives its name back. */
void port_name_leave(struct ports *ps, const struct port *p,
		     const struct port_counters *last);

/* What @p is set to now. */
void port_settings_of(const struct port *p, struct port_settings *to);

/* @p, which is up, is called @name, which nobody else is, from now on. */
void port_rename(struct port *p, const char *name);

/* What another process had called @p, which is joining: what is remembered under
 * its name stays as it is. */
void port_name_restore(struct ports *ps, struct port *p, const char *name,
		       unsigned number, bool named);

#endif
