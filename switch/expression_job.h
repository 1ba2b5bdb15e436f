/*
 * Compiling a tcpdump expression beside the loop: one that names a host makes
 * libpcap ask for its address, which can take as long as the network likes. So
 * it is done in a thread of its own, which shares nothing but this.
 */
#ifndef EXPRESSION_JOB_H
#define EXPRESSION_JOB_H

#include <stddef.h>

enum { EXPRESSION_JOBS_MAX = 4 }; /* at a time */

struct expression_job;
struct filter_expression;

/* Begin with @text. Returns the job, the caller's, or NULL without memory or
 * threads, or if as many as may are at work. */
struct expression_job *expression_job_start(const char *text);

/* What it began with; as long as @job. */
const char *expression_job_text(const struct expression_job *job);

/* Readable when it is done. */
int expression_job_fd(const struct expression_job *job);

/* The end of one that is done, and of @job: the expression, the caller's, or NULL with
 * libpcap's reason in @why. */
struct filter_expression *expression_job_end(struct expression_job *job,
					     char *why, size_t why_bytes);

/* Nobody waits for @job any more, done or not. */
void expression_job_abandon(struct expression_job *job);

#endif
