/* Reading numbers with units. See units.h. */
#include "units.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *units_number(const char *text, double *value)
{
	char *end;

	/* No signs, no blanks, no "nan", no hexadecimal ones. */
	if (*text < '0' || *text > '9' || text[1] == 'x')
		return NULL;
	*value = strtod(text, &end);
	/* MiB and GiB are units of their own. */
	if (*end && end[1] == 'i')
		return end;
	switch (*end) {
	case 'k':
		*value *= 1e3;
		return end + 1;
	case 'M':
		*value *= 1e6;
		return end + 1;
	case 'G':
		*value *= 1e9;
		return end + 1;
	default:
		return end;
	}
}

int units_rate(const char *text, struct rate *rate)
{
	double value;
	const char *unit = units_number(text, &value);

	if (!unit || value <= 0 || value > 1e15)
		return -EINVAL;
	if (strcmp(unit, "bit/s") == 0)
		*rate = (struct rate){ value, true };
	else if (!*unit || strcmp(unit, "frames/s") == 0)
		*rate = (struct rate){ value, false };
	else
		return -EINVAL;
	return 0;
}

int units_share(const char *text, double *share)
{
	double value;
	const char *unit = units_number(text, &value);

	if (!unit)
		return -EINVAL;
	if (*unit == '%') {
		value /= 100;
		unit++;
	}
	if (*unit || value > 1)
		return -EINVAL;
	*share = value;
	return 0;
}
