/*
 * A tcpdump expression (pcap-filter(7)), which frames must match. Compiled and
 * run by libpcap, in this process: so it needs no privilege, sees VLAN tags
 * where they are, leaves nothing behind, and what it drops is counted by the
 * port. (The kernel would run it for us, TUNATTACHFILTER, but keeps the address
 * of our copy of it with a persistent device.)
 */
#ifndef FILTER_EXPRESSION_H
#define FILTER_EXPRESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct filter_expression;

enum { FILTER_EXPRESSION_STEPS = 1 << 16 }; /* of the program, 8 bytes each */

/* Returns it, the caller's; or NULL with libpcap's reason in @why. May look up
 * names of hosts. */
struct filter_expression *filter_expression_new(const char *text, char *why,
						size_t why_bytes);
void filter_expression_free(struct filter_expression *e); /* NULL is accepted */

/*
 * What it has been compiled to, classic BPF, for another process: *@bytes of it,
 * which live as long as @e. filter_expression_import() is the other side: a copy,
 * the caller's; or NULL: there is no memory, or it is no such program, and
 * would not be safe to run.
 */
const void *filter_expression_code(const struct filter_expression *e,
				   size_t *bytes);
struct filter_expression *filter_expression_import(const void *code,
						   size_t bytes);

bool filter_expression_matches(const struct filter_expression *e,
			       const uint8_t *frame, uint32_t bytes);

#endif
