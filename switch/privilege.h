/*
 * What the processes of the switch may still do, and how the rest is given up:
 * privilege.c begins with the stages. Nothing that is given up comes back.
 *
 * Called by main.c only, in this order: privilege_init() when the options are
 * known, privilege_prepare() while everything is still allowed (or not at all,
 * if the keeper holds the namespaces of an earlier switch), and one of the two
 * drops, once in each process.
 */
#ifndef PRIVILEGE_H
#define PRIVILEGE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct options;

enum {
	PRIVILEGE_GROUPS_MAX = 64, /* supplementary ones */
};

struct privilege {
	uid_t uid; /* to change to; (uid_t)-1: stay */
	gid_t gid;
	gid_t groups[PRIVILEGE_GROUPS_MAX]; /* the supplementary ones */
	unsigned group_count;		    /* 0: stay in those that we are in */
	/* Namespaces to enter: of users, with the same users as outside, and
	 * of mounts, where nothing is mounted. -1: none. For the keeper to
	 * hold; ours to close. */
	int user_ns, mount_ns;
	/* What privilege_drop() has come to, for audit.h. */
	bool unmounted;	 /* the root is empty */
	bool landlocked; /* the kernel has Landlock */
	bool bounding;	 /* there are capabilities in the bounding set */
};

/*
 * Fill in @p from @o (--user, --group): nobody may ask for the groups of a user
 * later, when there is no file system. Without --user the groups stay as they
 * are, with that of --group. Returns 0, or -errno with one line in @why, also if we may not become
 * that user.
 */
int privilege_init(struct privilege *p, const struct options *o, char *why,
		   size_t why_bytes);

/*
 * Make the namespaces of @p, in a short-lived child. For those started as root
 * (CAP_SETUID); otherwise nothing is done and 0 returned: such a switch does
 * without, and has Landlock instead. Returns 0 or -errno with one line in
 * @why; @p then says that there are none, and the drops work without.
 */
int privilege_prepare(struct privilege *p, char *why, size_t why_bytes);

/* Close the namespaces of @p, if there are any. */
void privilege_close(struct privilege *p);

/*
 * Stage HELPER, for the keeper and the opener: the user and groups of @p, no
 * capabilities in any set (that of an ordinary user's bounding set nobody can
 * empty), no_new_privs, not dumpable. Files stay as they are. Descriptors are
 * left open. Returns 0, or -errno with one line in @why: do not go on then.
 */
int privilege_drop_helper(const struct privilege *p, char *why,
			  size_t why_bytes);

/*
 * Stage SWITCH, once everything is open and the ring is enabled: that, and no
 * file system, and a list of system calls. Needs the process to have one thread.
 * Closes the namespaces of @p: who wants to have them kept has done so before.
 * Returns 0, or -errno with one line in @why: do not go on then. What the
 * kernel does not have (Landlock, namespaces) is done without.
 */
int privilege_drop(struct privilege *p, char *why, size_t why_bytes);

#endif
