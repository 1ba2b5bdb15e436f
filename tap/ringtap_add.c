#include "ringtap_add.h"

#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool check_device_name(const char *name)
{
	if (device_name_is_good(name))
		return true;
	complain(WRONG, "'%s' is no name for a device: 1 to %d characters, no blanks, / and :, and %% in one %%d only",
		 name, IFNAMSIZ - 1);
	return false;
}

/* A decimal number up to @max; or -1. */
static int64_t read_number(const char *text, int64_t max)
{
	char *end;
	long long value;

	errno = 0;
	value = strtoll(text, &end, 10);
	if (!isdigit((unsigned char)*text) || errno || *end || value > max)
		return -1;
	return value;
}

static bool read_user(struct device_plan *plan, const char *word)
{
	const struct passwd *user = getpwnam(word);

	plan->uid = user ? user->pw_uid : read_number(word, UINT32_MAX - 1);
	if (plan->uid < 0)
		complain(WRONG, "add: user '%s' is not known here: give a name that getent passwd lists, or a number",
			 word);
	return plan->uid >= 0;
}

static bool read_group(struct device_plan *plan, const char *word)
{
	const struct group *group = getgrnam(word);

	plan->gid = group ? group->gr_gid : read_number(word, UINT32_MAX - 1);
	if (plan->gid < 0)
		complain(WRONG, "add: group '%s' is not known here: give a name that getent group lists, or a number",
			 word);
	return plan->gid >= 0;
}

static bool read_mtu(struct device_plan *plan, const char *word)
{
	int64_t mtu = read_number(word, DEVICE_MTU_MAX);

	if (mtu < DEVICE_MTU_MIN) {
		complain(WRONG, "add: mtu '%s': must be a number from %d to %d",
			 word, DEVICE_MTU_MIN, DEVICE_MTU_MAX);
		return false;
	}
	plan->mtu = (uint32_t)mtu;
	return true;
}

static bool read_up(struct device_plan *plan, const char *word)
{
	(void)word; /* there is none */
	plan->up = true;
	return true;
}

static const struct {
	const char *name;
	bool has_value;
	bool (*read)(struct device_plan *plan, const char *word);
} settings[] = {
	{ "user", true, read_user },
	{ "group", true, read_group },
	{ "mtu", true, read_mtu },
	{ "up", false, read_up },
};

enum { SETTINGS = sizeof(settings) / sizeof(settings[0]) };

/* Returns -1, with a line, if @word is none or may be two of them. */
static int find_setting(const char *word)
{
	int found = -1;

	for (int i = 0; i < SETTINGS; i++) {
		if (!is_short_for(word, settings[i].name))
			continue;
		if (found >= 0) {
			complain(WRONG, "add: '%s' may be '%s' or '%s': say which",
				 word, settings[found].name, settings[i].name);
			return -1;
		}
		found = i;
	}
	if (found < 0)
		complain(WRONG, "add: '%s' is unknown behind the name: there are user U, group G, mtu N, up",
			 word);
	return found;
}

static bool read_settings(struct device_plan *plan, char **words)
{
	unsigned seen = 0;

	for (; *words; words++) {
		int i = find_setting(*words);

		if (i < 0)
			return false;
		if (seen & 1U << i) {
			complain(WRONG, "add: '%s' is there twice",
				 settings[i].name);
			return false;
		}
		seen |= 1U << i;
		if (settings[i].has_value && !*++words) {
			complain(WRONG, "add: '%s' needs a value behind it",
				 settings[i].name);
			return false;
		}
		if (!settings[i].read(plan, *words))
			return false;
	}
	return true;
}

static const char *remedy(enum device_step failed, int err)
{
	bool denied = err == -EPERM || err == -EACCES;

	if (failed == DEVICE_OPEN && denied)
		return "your user may not open it: try sudo; in a container, pass the device in";
	if (failed == DEVICE_OPEN)
		return "load the driver: sudo modprobe tun";
	if (denied)
		return "this needs CAP_NET_ADMIN: try sudo, and say 'user' with your name";
	if (failed == DEVICE_ATTACH && err == -EBUSY)
		return "choose another name, or delete what is there";
	if (failed == DEVICE_ATTACH && err == -EINVAL)
		return "choose another name";
	if (failed == DEVICE_OWNER || failed == DEVICE_GROUP)
		return "this user namespace has none of that number: see /proc/self/uid_map and gid_map";
	return "nothing was made; the kernel's log may say more: dmesg";
}

static const char *const step_texts[] = {
	[DEVICE_OPEN] = ("cannot open " DEVICE_CLONE),
	[DEVICE_ATTACH] = "cannot make it",
	[DEVICE_OWNER] = "cannot give it to that user",
	[DEVICE_GROUP] = "cannot give it to that group",
	[DEVICE_MTU] = "cannot set its MTU",
	[DEVICE_UP] = "cannot bring it up",
	[DEVICE_PERSIST] = "cannot make it stay",
};

enum status add_device(struct device_plan *plan, char **words)
{
	enum device_step failed;
	int err;

	*plan = (struct device_plan){ .clone = DEVICE_CLONE,
				      .uid = -1,
				      .gid = -1,
				      .must_be_new = true };
	if (!*words)
		return complain(WRONG, "add: which one? Say: ringtap add NAME");
	if (!check_device_name(*words))
		return WRONG;
	snprintf(plan->name, sizeof(plan->name), "%s", *words);
	if (!read_settings(plan, words + 1))
		return WRONG;
	/* A tap that is nobody's is everybody's. */
	if (plan->uid < 0 && plan->gid < 0)
		plan->uid = geteuid();
	err = device_keep(plan, &failed);
	if (!err)
		return DONE;
	if (failed == DEVICE_ATTACH && err == -EBUSY)
		return complain(REFUSED, "%s: there is a device of that name (%s)",
				plan->name, remedy(failed, err));
	return complain(REFUSED, "%s: %s: %s (%s)", plan->name,
			step_texts[failed], strerror(-err), remedy(failed, err));
}
