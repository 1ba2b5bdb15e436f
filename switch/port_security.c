#include "port_security.h"

#include "ether.h"
#include "mac.h"
#include "port.h"

static void leave(struct ports *ps, const struct port *p)
{
	for (uint16_t i = 0; i < ps->device_count; i++)
		if (ps->devices[i] == p)
			ps->devices[i] = ps->devices[--ps->device_count];
}

void port_set_device(struct ports *ps, struct port *p, uint64_t addr)
{
	if (p->device && !addr)
		leave(ps, p);
	else if (!p->device && addr)
		ps->devices[ps->device_count++] = p;
	p->device = addr;
}

static bool is_anothers_device(const struct ports *ps, const struct port *in,
			       uint64_t src)
{
	for (uint16_t i = 0; i < ps->device_count; i++)
		if (ps->devices[i]->device == src && ps->devices[i] != in)
			return true;
	return false;
}

bool port_spoofs(const struct ports *ps, const struct port *in, uint64_t src,
		 uint16_t at)
{
	return !src || ether_is_group(src) ||
	       (at != in->id && at != MAC_NONE) ||
	       is_anothers_device(ps, in, src);
}

static enum storm_kind storm_kind(uint64_t dst, bool unknown)
{
	if (unknown)
		return STORM_UNKNOWN;
	return dst == ETHER_BROADCAST ? STORM_BROADCAST : STORM_MULTICAST;
}

bool port_may_flood(struct port *in, uint64_t dst, bool unknown,
		    uint64_t now_ns, enum drop *why)
{
	static const enum drop reasons[STORM_KINDS] = {
		[STORM_BROADCAST] = DROP_STORM_BROADCAST,
		[STORM_MULTICAST] = DROP_STORM_MULTICAST,
		[STORM_UNKNOWN] = DROP_STORM_UNKNOWN,
	};
	enum storm_kind kind = storm_kind(dst, unknown);

	/* A hub floods what it would not have to: that is no storm. */
	if (!unknown && !ether_is_group(dst))
		return true;
	*why = reasons[kind];
	return storm_admits(&in->storms[kind], now_ns);
}

void port_storm_rates(const struct port *p, uint32_t rates[STORM_KINDS])
{
	for (int i = 0; i < STORM_KINDS; i++)
		rates[i] = p->storms[i].rate;
}

void port_set_storms(struct port *p, const uint32_t rates[STORM_KINDS])
{
	for (int i = 0; i < STORM_KINDS; i++)
		if (p->storms[i].rate != rates[i])
			p->storms[i] = (struct storm){ .rate = rates[i] };
}

uint16_t port_storm_flag(uint16_t flags, const uint32_t rates[STORM_KINDS])
{
	uint32_t any = 0;

	for (int i = 0; i < STORM_KINDS; i++)
		any |= rates[i];
	return (uint16_t)(any ? flags | PORT_STORM : flags & ~PORT_STORM);
}
