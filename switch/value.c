#include "value.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>

int64_t value_number(const char *text, int base, int64_t min, int64_t max)
{
	char *end;
	long long value;

	if (*text < '0' || *text > '9')
		return -1;
	errno = 0;
	value = strtoll(text, &end, base);
	if (errno || *end || value < min || value > max)
		return -1;
	return value;
}

int64_t value_user(const char *text)
{
	const struct passwd *user = getpwnam(text);

	return user ? user->pw_uid : value_number(text, 10, 0, UINT32_MAX - 1);
}

int64_t value_group(const char *text)
{
	const struct group *group = getgrnam(text);

	return group ? group->gr_gid : value_number(text, 10, 0, UINT32_MAX - 1);
}
