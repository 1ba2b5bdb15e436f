/*
 * A forbidden system call may end the process, so each is tried by a child of its
 * own, which gives up the same as the switch does and by the same function. The
 * ring obeys only the process that has made it, which gives up everything last.
 */
#include "audit.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "audit_attempts.h"
#include "log.h"
#include "loop.h"
#include "privilege.h"

enum { NO_ANSWER = -4096, KILLED = -4097 }; /* beside -errno */

/* What is counted for the last line. */
struct audit {
	unsigned refused, allowed, wrong;
};

static const char *words_for(long result, char *to, size_t bytes)
{
	const char *name = strerrorname_np((int)-result);

	if (result == KILLED)
		return "refused: killed";
	if (audit_is_refusal(result))
		snprintf(to, bytes, "refused: %s", name);
	else if (result >= 0)
		snprintf(to, bytes, "possible");
	else
		snprintf(to, bytes, "possible (%s)", name ? name : "no answer");
	return to;
}

/* @allowed: why it may be possible, or NULL. */
static void say(struct audit *a, const char *what, long result,
		const char *allowed)
{
	bool refused = result == KILLED || audit_is_refusal(result);
	char words[64];

	printf("%-20s %s%s%s\n", words_for(result, words, sizeof(words)), what,
	       refused ? "" : ": ",
	       refused	 ? ""
	       : allowed ? allowed
			 : "MUST NOT BE");
	if (refused)
		a->refused++;
	else if (allowed)
		a->allowed++;
	else
		a->wrong++;
}

/* The child's part. */
static void try(size_t i, int to, const struct privilege *privilege,
		const struct audit_targets *t)
{
	struct privilege p = *privilege;
	long result = NO_ANSWER;
	char why[256];

	if (privilege_drop(&p, why, sizeof(why)))
		log_error("%s", why);
	else
		result = audit_call(i, t);
	if (write(to, &result, sizeof(result)) != sizeof(result))
		_exit(1);
	_exit(0);
}

static long attempt(size_t i, const struct privilege *p,
		    const struct audit_targets *t)
{
	long result = NO_ANSWER;
	int ends[2], status;
	pid_t child;

	if (pipe(ends))
		return NO_ANSWER;
	child = fork();
	if (!child)
		try(i, ends[1], p, t);
	close(ends[1]);
	if (child > 0 && read(ends[0], &result, sizeof(result)) !=
				 sizeof(result))
		result = NO_ANSWER;
	close(ends[0]);
	if (child > 0 && waitpid(child, &status, 0) == child &&
	    WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		return KILLED;
	return result;
}

static void say_state(const struct privilege *p)
{
	printf("user %u, group %u; root directory: %s; Landlock: %s\n",
	       geteuid(), getegid(),
	       p->unmounted ? "empty" : "as it is, out of reach",
	       p->landlocked ? "allows nothing" : "this kernel has none");
}

/* What only root can give up, and nobody can use. */
static void say_bounding(struct audit *a)
{
	printf("%-20s use capabilities of the bounding set: only root can empty it, and with no_new_privs nothing gives them\n",
	       "refused");
	a->refused++;
}

static void try_requests(struct audit *a, struct loop *loop,
			 const struct audit_targets *t)
{
	for (size_t i = 0; i < audit_request_count(); i++)
		say(a, audit_request_what(i), audit_request(i, loop, t), NULL);
}

int audit_run(struct loop *loop, struct privilege *p)
{
	struct audit a = { 0 };
	struct audit_targets t;
	char why[256];

	if (audit_targets_make(&t)) {
		log_error("--audit: %s", strerror(errno));
		return 1;
	}
	fflush(stdout);
	for (size_t i = 0; i < audit_call_count(); i++) {
		say(&a, audit_call_what(i), attempt(i, p, &t),
		    audit_call_allowed(i));
		fflush(stdout);
	}
	if (privilege_drop(p, why, sizeof(why))) {
		log_error("%s", why);
		return 1;
	}
	try_requests(&a, loop, &t);
	if (p->bounding)
		say_bounding(&a);
	say_state(p);
	printf("%u refused, %u possible because they are what it is for, %u possible that must not be\n",
	       a.refused, a.allowed, a.wrong);
	return a.wrong ? 1 : 0;
}
