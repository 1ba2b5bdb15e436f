/*
 * Addresses as people write them: "02:00:00:00:00:01".
 */
#ifndef ETHER_TEXT_H
#define ETHER_TEXT_H

#include <stdbool.h>
#include <stdint.h>

enum { ETHER_TEXT_BYTES = 18 }; /* with the NUL */

/* Write @addr (ether.h) to @to. */
void ether_text(uint64_t addr, char to[ETHER_TEXT_BYTES]);

/* Read an address of six pairs of hexadecimal digits between colons or dashes. False if
 * it is none. */
bool ether_parse(const char *text, uint64_t *addr);

#endif
