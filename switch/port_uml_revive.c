/*
 * Guests of which only the addresses are left: port_uml.h. At start-up only, when
 * sockets can still be made.
 */
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "clock.h"
#include "handover_record.h"
#include "port_uml.h"
#include "socket_file.h"

bool uml_revive(struct port *p, const struct port_record *r, const char **why)
{
	struct sockaddr_un own = { 0 }, guest = { 0 };

	*why = "its addresses are not there";
	if (r->kind != RECORD_UML || !r->own_bytes || !r->guest_bytes)
		return false;
	memcpy(&own, r->own, r->own_bytes);
	memcpy(&guest, r->guest, r->guest_bytes);
	/* Those of guests are abstract, as Linux makes them. */
	if (own.sun_family != AF_UNIX || guest.sun_family != AF_UNIX ||
	    own.sun_path[0] || guest.sun_path[0])
		return false;
	*why = "its guest has gone";
	p->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (p->fd < 0)
		return false;
	socket_refuse_descriptors(p->fd);
	if (connect(p->fd, (const void *)&guest, r->guest_bytes))
		return false;
	*why = "its address is another's now";
	/* The ring of the killed switch may have it for a moment. */
	for (int tries = 0; bind(p->fd, (const void *)&own, r->own_bytes); tries++) {
		if (tries == RESTART_TRIES)
			return false;
		clock_pause();
	}
	return true;
}
