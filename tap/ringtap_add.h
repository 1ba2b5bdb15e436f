/*
 * ringtap add NAME [user U] [group G] [mtu N] [up]
 */
#ifndef RINGTAP_ADD_H
#define RINGTAP_ADD_H

#include "ringtap_device.h"
#include "ringtap_say.h"

/*
 * Make the device that @words say, up to a NULL; its name ends up in @plan.
 * Complains if it cannot.
 */
enum status add_device(struct device_plan *plan, char **words);

/* Complains, and returns false, if no device can be called so. */
bool check_device_name(const char *name);

#endif
