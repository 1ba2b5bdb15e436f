#include "port_open.h"

#include "endpoint.h"
#include "port_connect.h"
#include "port_dgram.h"
#include "port_inherit.h"
#include "port_tap.h"

int port_open(struct sw *sw, const struct endpoint *e, char *why,
	      size_t why_bytes)
{
	switch (e->kind) {
	case PORT_TAP:
		return tap_port_open(sw, e, why, why_bytes);
	case PORT_DGRAM:
		return dgram_port_open(sw, e, why, why_bytes);
	case PORT_FD:
		return inherit_port_open(sw, e, why, why_bytes);
	default:
		return connect_port_open(sw, e, why, why_bytes);
	}
}
