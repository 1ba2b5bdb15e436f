/*
 * Words of the command line that stand for numbers, users and groups.
 */
#ifndef VALUE_H
#define VALUE_H

#include <stdint.h>

/* A number of the given base between min and max, or -1. */
int64_t value_number(const char *text, int base, int64_t min, int64_t max);

/* The id of a user or group, by name or number; or -1. */
int64_t value_user(const char *text);
int64_t value_group(const char *text);

#endif
