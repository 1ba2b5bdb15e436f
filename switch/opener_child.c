#include "opener_child.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

void opener_children_reap(struct opener_children *all)
{
	for (unsigned i = 0; i < OPENER_CHILDREN_MAX; i++) {
		struct opener_child *c = &all->child[i];

		if (c->pid && waitpid(c->pid, NULL, WNOHANG))
			c->pid = 0;
	}
}

static struct opener_child *find_place(struct opener_children *all,
				       uint32_t whose, unsigned most)
{
	struct opener_child *place = NULL;
	unsigned n = 0;

	opener_children_reap(all);
	for (unsigned i = 0; i < OPENER_CHILDREN_MAX; i++) {
		struct opener_child *c = &all->child[i];

		if (!c->pid)
			place = c;
		else
			n += c->whose == whose;
	}
	return n < most ? place : NULL;
}

/* The default of SIGALRM ends even who waits for a file system. */
static void live_for(unsigned seconds)
{
	sigset_t none;

	signal(SIGALRM, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	alarm(seconds);
}

pid_t opener_child_fork(struct opener_children *all, uint32_t whose,
			unsigned most, unsigned seconds)
{
	struct opener_child *place = all ? find_place(all, whose, most) : NULL;
	pid_t pid;

	if (all && !place) {
		errno = EAGAIN;
		return -1;
	}
	pid = fork();
	if (!pid)
		live_for(seconds);
	if (pid > 0 && place)
		*place = (struct opener_child){ pid, whose };
	return pid;
}
