/*
 * Compiling a tcpdump expression beside the loop: one that names a host makes
 * libpcap ask for its address, which can take as long as the network likes. So
 * it is done by a child of the opener (opener.h), and what comes back is looked
 * at before it is used.
 */
#ifndef EXPRESSION_JOB_H
#define EXPRESSION_JOB_H

#include <stddef.h>

enum { EXPRESSION_JOBS_MAX = 4 }; /* at a time */

struct expression_job;
struct filter_expression;
struct opener;

/*
 * Begin with @text. Returns the job, the caller's, or NULL with a line in @why:
 * there is no memory or no opener, or as many as may are at work, those for which
 * nobody waits included.
 */
struct expression_job *expression_job_start(struct opener *op,
					    const char *text, char *why,
					    size_t why_bytes);

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

/* The other side: compile @text, and answer through @fd, with one message. */
void expression_job_compile(const char *text, int fd);

#endif
