/*
 * Port security: what a port's guest may not do to the others, where it is
 * switched on. Of the settings of a port (port.h), this is what no-spoof and
 * the storm limits mean; locked and mac-limit are a line each in forward.c.
 *
 * No spoofing: a frame's source must be a station's address, not that of a
 * network device of the switch's, and not one that lives on another port. And
 * the other way round: what has been learned on such a port stays there while
 * it lives, whoever else uses it. So neither can a guest take an address away
 * from one that has it, nor can a port without the setting, or a frame that
 * comes back through a loop, shut out its owner.
 *
 * Called only for ports that have such a setting: others pay for none of it.
 */
#ifndef PORT_SECURITY_H
#define PORT_SECURITY_H

#include <stdbool.h>
#include <stdint.h>

#include "port.h"

/* The network device of @p has address @addr (0: it has no device any more):
 * nobody else's frames may come from it. */
void port_set_device(struct ports *ps, struct port *p, uint64_t addr);

/* Whether a port that may not spoof, @in, does so with a frame from @src, which
 * the table has on port @at (MAC_NONE: nowhere). */
bool port_spoofs(const struct ports *ps, const struct port *in, uint64_t src,
		 uint16_t at);

/*
 * Whether @in may flood one more frame to @dst at @now_ns; @unknown says that
 * @dst is a station's. If not, the reason is in @why.
 */
bool port_may_flood(struct port *in, uint64_t dst, bool unknown,
		    uint64_t now_ns, enum drop *why);

/* The storm limits of @p, frames a second; and what they are from now on. The
 * caller sets PORT_STORM, if port_storm_flag() says so. */
void port_storm_rates(const struct port *p, uint32_t rates[STORM_KINDS]);
void port_set_storms(struct port *p, const uint32_t rates[STORM_KINDS]);

/* @flags with or without PORT_STORM, as @rates are. */
uint16_t port_storm_flag(uint16_t flags, const uint32_t rates[STORM_KINDS]);

#endif
