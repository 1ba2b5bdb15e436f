/*
 * The built-in programs (filter.bpf.c) with their table in memory that is
 * shared with the kernel.
 */
#ifndef FILTER_BUILTIN_H
#define FILTER_BUILTIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "filter_program.h"
#include "filter_view.h"

struct filter_builtin;
struct filter_kept;
struct filter_memory;
struct filter_visitor;

/*
 * Load them for @tap, with rules of file @path in force. Returns it, the
 * caller's, and the programs in @programs, too; or NULL with a line in @why.
 * What is to be known of it later is in @kept, which must outlive it.
 */
struct filter_builtin *filter_builtin_new(const char *path, const char *tap,
					  struct filter_kept *kept,
					  struct filter_programs *programs,
					  char *why, size_t why_bytes);

/* One that another process has loaded: its maps @fd with @room lines a set
 * (filter_memory.h). They are its own, unless it is NULL with a line in @why. */
struct filter_builtin *filter_builtin_import(const char *path, const char *tap,
					     struct filter_kept *kept,
					     const int fd[], uint32_t room,
					     char *why, size_t why_bytes);

void filter_builtin_free(struct filter_builtin *b); /* NULL is accepted */

const struct filter_memory *
filter_builtin_memory(const struct filter_builtin *b);

/*
 * Put what is in file @fd, the caller's, in force. Rules that are the same keep
 * what they have counted. If translations change, frames are judged again until
 * @judge_again_until_ms (filter_kept.h). Returns 0, or -errno with a line in @why
 * and nothing changed.
 */
int filter_builtin_reload(struct filter_builtin *b, int fd,
			  uint64_t judge_again_until_ms, char *why,
			  size_t why_bytes);

/* The set in force. */
struct filter_view filter_builtin_view(const struct filter_builtin *b);
/* How many rules and translations that is. */
uint32_t filter_builtin_rules(const struct filter_builtin *b);
uint32_t filter_builtin_names(const struct filter_builtin *b);

int filter_builtin_samples_fd(const struct filter_builtin *b);
void filter_builtin_take_samples(struct filter_builtin *b);
void filter_builtin_visit(struct filter_builtin *b,
			  const struct filter_visitor *v);

#endif
