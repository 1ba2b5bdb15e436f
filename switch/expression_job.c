#include "expression_job.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../tap/filter_expression.h"

struct expression_job {
	int fd;
	char *text;
	struct filter_expression *expression;
	char why[256];
	/* How many know of it, the thread and who waits: the last one frees. */
	atomic_int knows;
};

/* Threads that run, those for which nobody waits included. */
static atomic_int running;

static void let_go(struct expression_job *job)
{
	if (atomic_fetch_sub(&job->knows, 1) > 1)
		return;
	filter_expression_free(job->expression);
	close(job->fd);
	free(job->text);
	free(job);
}

static void *compile(void *argument)
{
	struct expression_job *job = argument;

	job->expression = filter_expression_new(job->text, job->why,
						sizeof(job->why));
	atomic_fetch_sub(&running, 1);
	eventfd_write(job->fd, 1);
	let_go(job);
	return NULL;
}

static bool start_thread(struct expression_job *job)
{
	pthread_attr_t attributes;
	pthread_t thread;
	int err;

	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	err = pthread_create(&thread, &attributes, compile, job);
	pthread_attr_destroy(&attributes);
	return !err;
}

struct expression_job *expression_job_start(const char *text)
{
	struct expression_job *job = NULL;

	if (atomic_fetch_add(&running, 1) < EXPRESSION_JOBS_MAX)
		job = calloc(1, sizeof(*job));
	if (!job) {
		atomic_fetch_sub(&running, 1);
		return NULL;
	}
	job->text = strdup(text);
	job->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	job->knows = 2;
	if (job->text && job->fd >= 0 && start_thread(job))
		return job;
	atomic_fetch_sub(&running, 1);
	if (job->fd >= 0)
		close(job->fd);
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

struct filter_expression *expression_job_end(struct expression_job *job,
					     char *why, size_t why_bytes)
{
	struct filter_expression *expression;
	eventfd_t done;

	/* What the thread has written is seen behind this. */
	eventfd_read(job->fd, &done);
	expression = job->expression;
	job->expression = NULL;
	snprintf(why, why_bytes, "%s", job->why);
	let_go(job);
	return expression;
}

void expression_job_abandon(struct expression_job *job)
{
	let_go(job);
}
