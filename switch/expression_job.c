#include "expression_job.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../tap/filter_expression.h"
#include "opener.h"

enum {
	WHY_BYTES = 256,
	/* A message that any socket takes; the kernel's own limit for such
	 * programs is a quarter of it. */
	CODE_BYTES = 1 << 17,
};

/* The answer: a program, or why there is none. */
struct compiled {
	uint32_t code_bytes; /* 0: there is none */
	char why[WHY_BYTES];
	uint8_t code[CODE_BYTES];
};

struct expression_job {
	int fd;
	char *text;
};

/* --- the side that compiles ------------------------------------------------ */

static void fill(struct compiled *answer, const struct filter_expression *e)
{
	size_t bytes;
	const void *code = filter_expression_code(e, &bytes);

	if (bytes > sizeof(answer->code)) {
		snprintf(answer->why, sizeof(answer->why),
			 "becomes a program of %zu steps, at most %d are taken: say it in fewer words",
			 bytes / 8, CODE_BYTES / 8);
		return;
	}
	memcpy(answer->code, code, bytes);
	answer->code_bytes = (uint32_t)bytes;
}

void expression_job_compile(const char *text, int fd)
{
	struct compiled *answer = calloc(1, sizeof(*answer));
	struct filter_expression *e;

	if (!answer)
		return;
	e = filter_expression_new(text, answer->why, sizeof(answer->why));
	if (e)
		fill(answer, e);
	send(fd, answer, offsetof(struct compiled, code) + answer->code_bytes,
	     MSG_NOSIGNAL);
	filter_expression_free(e);
	free(answer);
}

/* --- the side that waits ---------------------------------------------------- */

static struct expression_job *job_new(const char *text)
{
	struct expression_job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	job->text = strdup(text);
	if (job->text)
		return job;
	free(job);
	return NULL;
}

struct expression_job *expression_job_start(struct opener *op,
					    const char *text, char *why,
					    size_t why_bytes)
{
	struct expression_job *job = job_new(text);

	if (!job) {
		snprintf(why, why_bytes, "out of memory");
		return NULL;
	}
	job->fd = opener_compile(op, text);
	if (job->fd >= 0)
		return job;
	snprintf(why, why_bytes, "%s",
		 job->fd == -EAGAIN    ? "others are being compiled: try again"
		 : job->fd == -ENOTCONN ? "who compiles has ended: start the switch again (ringctl restart)"
					: strerror(-job->fd));
	free(job->text);
	free(job);
	return NULL;
}

const char *expression_job_text(const struct expression_job *job)
{
	return job->text;
}

int expression_job_fd(const struct expression_job *job)
{
	return job->fd;
}

/* Who compiles may have been ended, or be somebody else by now: nothing it says
 * is taken as it is. */
static struct filter_expression *judge(struct compiled *answer, ssize_t bytes,
				       char *why, size_t why_bytes)
{
	const size_t head = offsetof(struct compiled, code);
	struct filter_expression *e;

	if (bytes < (ssize_t)head ||
	    (size_t)bytes - head != answer->code_bytes) {
		snprintf(why, why_bytes,
			 "it could not be compiled in time (does it name a host?)");
		return NULL;
	}
	answer->why[sizeof(answer->why) - 1] = '\0';
	if (!answer->code_bytes) {
		snprintf(why, why_bytes, "%s", answer->why);
		return NULL;
	}
	e = filter_expression_import(answer->code, answer->code_bytes);
	if (!e)
		snprintf(why, why_bytes, "out of memory");
	return e;
}

struct filter_expression *expression_job_end(struct expression_job *job,
					     char *why, size_t why_bytes)
{
	struct compiled *answer = malloc(sizeof(*answer));
	struct filter_expression *e = NULL;

	if (answer)
		e = judge(answer,
			  recv(job->fd, answer, sizeof(*answer), MSG_DONTWAIT),
			  why, why_bytes);
	else
		snprintf(why, why_bytes, "out of memory");
	free(answer);
	expression_job_abandon(job);
	return e;
}

void expression_job_abandon(struct expression_job *job)
{
	close(job->fd);
	free(job->text);
	free(job);
}
