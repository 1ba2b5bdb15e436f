/*
 * How to print: options that may stand in front of the object and behind the
 * command as well, since that is where they are added as an afterthought.
 */
#ifndef CTL_OUTPUT_H
#define CTL_OUTPUT_H

#include <stdbool.h>

struct ctl;
struct words;

/* always, auto or never into ctl->colour; CTL_OK, or CTL_SYNTAX and said so. */
int output_colour(struct ctl *ctl, const char *when);

/* Take -j, -p, --color and their other forms out of @words, up to a "--". */
int output_take(struct ctl *ctl, struct words *words);

#endif
