/* The words behind `capture`: ctl_capture_words.c. */
#ifndef CTL_CAPTURE_H
#define CTL_CAPTURE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct ctl;
struct words;

struct capture_options {
	const char *port;	/* or all */
	char expression[16384]; /* "": all frames */
	const char *file;	/* NULL: not said; -: stdout */
	uint64_t frames;	/* 0: without end */
	int64_t snaplen;	/* 0: not said, as the next */
	int64_t buffer;		/* bytes */
	const char *direction;	/* NULL: not said */
	bool no_drops;
};

/* Returns CTL_OK; or CTL_SYNTAX, and has said why. Keeps pointers to words. */
int capture_options_parse(struct ctl *ctl, struct words *words,
			  struct capture_options *to);

/* What the switch is asked. */
json_t *capture_arguments(const struct capture_options *o);

#endif
