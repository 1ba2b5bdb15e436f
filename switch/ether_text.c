#include "ether_text.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ether_text(uint64_t addr, char to[ETHER_TEXT_BYTES])
{
	for (int i = 0; i < 6; i++)
		snprintf(to + 3 * i, 4, "%02x%s",
			 (unsigned)(addr >> 8 * i & 0xff), i < 5 ? ":" : "");
}

bool ether_parse(const char *text, uint64_t *addr)
{
	uint64_t sum = 0;

	if (strlen(text) != ETHER_TEXT_BYTES - 1)
		return false;
	for (int i = 0; i < 6; i++) {
		const char *at = text + 3 * i;

		if (!isxdigit((unsigned char)at[0]) ||
		    !isxdigit((unsigned char)at[1]))
			return false;
		if (i < 5 && at[2] != ':' && at[2] != '-')
			return false;
		sum |= (uint64_t)strtoul(at, NULL, 16) << 8 * i;
	}
	*addr = sum;
	return true;
}
