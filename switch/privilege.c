/*
 * Stages of a process of the switch, in the order in which it goes through them.
 *
 *   START    as whoever started it, with all that this user may.
 *	Should: open taps, sockets, rings and files; load programs; fork the
 *	opener.
 *	Mustn't: read anything that a guest has sent.
 *   HELPER   the keeper, and the opener, for good. The user of --user; no
 *	capabilities, and no way back to them: the bounding set is empty, no
 *	file that is executed gives any (no_new_privs). Not dumpable: nobody of
 *	the same user traces it or reads its memory.
 *	Should (opener): open what its user may, when the switch asks for it.
 *	Should (keeper): hold descriptors, start the switch again.
 *	Mustn't: read anything that a guest has sent; what the switch sends is
 *	not to be trusted either.
 *   SWITCH   the switch itself, for good, before the first guest is heard. That,
 *	and no file system: an empty, read-only root (empty_root.c), which an
 *	ordinary user cannot have, as its namespace would know no user but itself;
 *	and Landlock, where the kernel has it, which allows nothing. And a list of
 *	system calls (syscalls.c) which opens nothing, connects to nothing, and
 *	executes nothing. The ring has a list of its own (loop_ring.c), as seccomp
 *	does not see what goes through it.
 *	Should: move frames between descriptors that it has or gets handed.
 *	Mustn't: anything by name.
 *
 * A switch that the keeper starts again is in HELPER when it begins, has nothing
 * left to open, and gets to SWITCH in the same way, as that needs no capability.
 */
#include "privilege.h"

#include <cap-ng.h>
#include <errno.h>
#include <grp.h>
#include <linux/landlock.h>
#include <pwd.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "empty_root.h"
#include "options.h"
#include "sanitizer.h"
#include "syscalls.h"

static int fail(char *why, size_t why_bytes, const char *what, int err)
{
	snprintf(why, why_bytes, "giving up privileges: %s: %s", what,
		 strerror(-err));
	return err;
}

static bool may(unsigned capability)
{
	return !capng_get_caps_process() &&
	       capng_have_capability(CAPNG_EFFECTIVE, capability);
}

/* The groups of @user, as login(1) would have them. */
static int find_groups(struct privilege *p, const struct passwd *user, gid_t gid)
{
	int count = PRIVILEGE_GROUPS_MAX;

	if (getgrouplist(user->pw_name, gid, p->groups, &count) < 0)
		return -E2BIG;
	p->group_count = (unsigned)count;
	return 0;
}

static int find_user(struct privilege *p, const struct options *o, char *why,
		     size_t why_bytes)
{
	const struct passwd *user = getpwuid(o->user);

	if (!user && o->group == (gid_t)-1) {
		snprintf(why, why_bytes,
			 "--user %u: is not in the list of users: say --group too",
			 o->user);
		return -EINVAL;
	}
	p->uid = o->user;
	p->gid = o->group != (gid_t)-1 ? o->group : user->pw_gid;
	if (user)
		return find_groups(p, user, p->gid);
	p->groups[0] = p->gid;
	p->group_count = 1;
	return 0;
}

/* Whoever owns a file may give it to groups that he is in: --group, for sockets
 * that are made later. */
static int add_group(struct privilege *p, const struct options *o)
{
	int count;

	if (o->group == (gid_t)-1 || !may(CAP_SETGID))
		return 0;
	count = getgroups(PRIVILEGE_GROUPS_MAX - 1, p->groups);
	if (count < 0)
		return -errno;
	p->groups[count] = o->group;
	p->group_count = (unsigned)count + 1;
	return 0;
}

/* Whether we are that user already, as one is that was started again. */
static bool is_now(const struct privilege *p)
{
	return p->uid == geteuid() && p->gid == getegid();
}

int privilege_init(struct privilege *p, const struct options *o, char *why,
		   size_t why_bytes)
{
	int err;

	*p = (struct privilege){
		.uid = (uid_t)-1,
		.gid = (gid_t)-1,
		.user_ns = -1,
		.mount_ns = -1,
	};
	if (o->user == (uid_t)-1) {
		err = add_group(p, o);
		if (err)
			snprintf(why, why_bytes, "--group %u: our groups: %s",
				 o->group, strerror(-err));
		return err;
	}
	err = find_user(p, o, why, why_bytes);
	if (err == -E2BIG)
		snprintf(why, why_bytes, "--user %u: is in more than %d groups",
			 o->user, PRIVILEGE_GROUPS_MAX);
	if (err || is_now(p) || (may(CAP_SETUID) && may(CAP_SETGID)))
		return err;
	snprintf(why, why_bytes,
		 "--user %u: only root may become another user (start as root, or leave it out)",
		 o->user);
	return -EPERM;
}

int privilege_prepare(struct privilege *p, char *why, size_t why_bytes)
{
	if (!may(CAP_SETUID) || !may(CAP_SETGID))
		return 0;
	return empty_root_make(p->uid, &p->user_ns, &p->mount_ns, why,
			       why_bytes);
}

void privilege_close(struct privilege *p)
{
	if (p->user_ns >= 0)
		close(p->user_ns);
	if (p->mount_ns >= 0)
		close(p->mount_ns);
	p->user_ns = p->mount_ns = -1;
}

/* The one set that is not empty when no other is: what an ordinary user may not
 * empty, and executing could not fill the others from, with no_new_privs. */
static int drop_bounding(void)
{
	if (!may(CAP_SETPCAP))
		return 0;
	capng_clear(CAPNG_SELECT_ALL);
	return capng_apply(CAPNG_SELECT_BOUNDS) ? -EPERM : 0;
}

static int change_user(const struct privilege *p)
{
	if (p->uid != (uid_t)-1 && is_now(p))
		return 0;
	if (p->group_count && setgroups(p->group_count, p->groups))
		return -errno;
	if (p->uid == (uid_t)-1)
		return 0;
	if (setresgid(p->gid, p->gid, p->gid) ||
	    setresuid(p->uid, p->uid, p->uid))
		return -errno;
	return 0;
}

/* Asks the kernel rather than the library what is left. */
static bool has_any(void)
{
	return capng_get_caps_process() ||
	       capng_have_capabilities(CAPNG_SELECT_CAPS) != CAPNG_NONE ||
	       capng_have_capabilities(CAPNG_SELECT_AMBIENT) != CAPNG_NONE;
}

/* Where capset(2) is forbidden (systemd's ~@privileged) there may be none. */
static int drop_capabilities(void)
{
	capng_clear(CAPNG_SELECT_ALL);
	capng_apply(CAPNG_SELECT_AMBIENT);
	capng_apply(CAPNG_SELECT_CAPS);
	return has_any() ? -EPERM : 0;
}

static int seal(void)
{
	int dumpable = sanitizer_checks_leaks();

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_DUMPABLE, dumpable, 0, 0, 0))
		return -errno;
	return 0;
}

int privilege_drop_helper(const struct privilege *p, char *why,
			  size_t why_bytes)
{
	int err = drop_bounding();

	if (err)
		return fail(why, why_bytes, "bounding set", err);
	err = change_user(p);
	if (err)
		return fail(why, why_bytes, "--user", err);
	err = drop_capabilities();
	if (err)
		return fail(why, why_bytes, "capabilities", err);
	err = seal();
	return err ? fail(why, why_bytes, "no_new_privs", err) : 0;
}

/* linux/landlock.h of Linux 6.12; older releases of it are the beginning. */
struct landlock_wish {
	uint64_t files, net, scopes;
};

enum {
	NET_BIND_AND_CONNECT = 3,  /* of TCP */
	SCOPE_SOCKETS = 1 << 0, /* with abstract names, of others */
	SCOPE_SIGNALS = 1 << 1,
};

/*
 * Everything that release @abi can deny, denied. The sockets: a message to a name
 * is all that the list of system calls cannot see. What is connected already is
 * not concerned (the opener connects what is connected later).
 */
static size_t wish_all(int abi, struct landlock_wish *w)
{
	*w = (struct landlock_wish){
		/* the first 13, then: to move between directories, to cut,
		 * to command devices */
		.files = abi < 2   ? 0x1fff
			 : abi < 3 ? 0x3fff
			 : abi < 5 ? 0x7fff
				   : 0xffff,
		.net = NET_BIND_AND_CONNECT,
		.scopes = SCOPE_SOCKETS | SCOPE_SIGNALS,
	};
	return abi < 4	 ? sizeof(w->files)
	       : abi < 6 ? offsetof(struct landlock_wish, scopes)
			 : sizeof(*w);
}

/* Returns whether this kernel has it. */
static bool landlock(void)
{
	int abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0,
			       LANDLOCK_CREATE_RULESET_VERSION);
	struct landlock_wish wish;
	bool done;
	int fd;

	if (abi < 1)
		return false;
	fd = (int)syscall(SYS_landlock_create_ruleset, &wish,
			  wish_all(abi, &wish), 0);
	if (fd < 0)
		return false;
	done = !syscall(SYS_landlock_restrict_self, fd, 0);
	close(fd);
	return done;
}

/* The empty root comes with all capabilities of its user namespace. */
static int enter_empty_root(struct privilege *p)
{
	int err = empty_root_enter(p->user_ns, p->mount_ns);

	if (!err)
		err = drop_bounding();
	if (!err)
		err = drop_capabilities();
	p->unmounted = !err;
	return err;
}

static int leave_files(struct privilege *p)
{
	/* What is read once and not found later: for the lines of syslog(3). */
	tzset();
	sanitizer_prepare();
	if (p->user_ns >= 0) {
		int err = enter_empty_root(p);

		if (err)
			return err;
	}
	p->landlocked = landlock();
	return 0;
}

int privilege_drop(struct privilege *p, char *why, size_t why_bytes)
{
	int err = privilege_drop_helper(p, why, why_bytes);

	if (err || sanitizer_checks_leaks())
		return err;
	err = leave_files(p);
	if (err)
		return fail(why, why_bytes, "file system", err);
	p->bounding = capng_have_capabilities(CAPNG_SELECT_BOUNDS) != CAPNG_NONE;
	privilege_close(p);
	err = syscalls_restrict();
	return err ? fail(why, why_bytes, "list of system calls", err) : 0;
}
