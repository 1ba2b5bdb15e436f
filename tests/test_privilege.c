/*
 * The stages without the list of system calls, which is not linked: what lies
 * behind it has to hold without it.
 */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../switch/options.h"
#include "../switch/privilege.h"
#include "../switch/syscalls.h"

enum { NOBODY = 65534, FAILED = 255, SKIPPED = 254 };

int syscalls_restrict(void)
{
	return 0;
}

static struct options options;
static struct privilege p;
static char why[256];

static int in_child(int (*act)(void))
{
	pid_t child = fork();
	int status;

	if (!child)
		_exit(act());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void init(uid_t user)
{
	options.user = user;
	options.group = user;
	if (privilege_init(&p, &options, why, sizeof(why)) ||
	    privilege_prepare(&p, why, sizeof(why)) ||
	    privilege_drop(&p, why, sizeof(why))) {
		fprintf(stderr, "%s\n", why);
		_exit(FAILED);
	}
}

static void skip_unless_root(const char *what)
{
	if (!geteuid())
		return;
	printf("skipped: %s needs root\n", what);
	skip();
}

/* The lines of /proc/self/status that are about capabilities, which have to be
 * opened before it is gone. */
static int has_capabilities(int status)
{
	char text[4096];
	ssize_t bytes = pread(status, text, sizeof(text) - 1, 0);
	static const char *const sets[] = { "CapInh:", "CapPrm:", "CapEff:",
					    "CapBnd:", "CapAmb:" };

	if (bytes <= 0)
		return FAILED;
	text[bytes] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
		const char *line = strstr(text, sets[i]);

		if (!line || strtoull(line + 7, NULL, 16))
			return 1;
	}
	return strstr(text, "NoNewPrivs:\t1") ? 0 : 2;
}

static int drop_all(void)
{
	int status = open("/proc/self/status", O_RDONLY);

	init((uid_t)-1);
	return has_capabilities(status);
}

static void no_capability_is_left_in_any_set(void **state)
{
	(void)state;
	skip_unless_root("emptying the bounding set");
	assert_int_equal(in_child(drop_all), 0);
}

static int open_after(uid_t user)
{
	init(user);
	if (open("/etc/passwd", O_RDONLY) >= 0 || open("/", O_RDONLY) >= 0)
		return 1;
	if (open("/tmp/ringswitch-test", O_WRONLY | O_CREAT, 0600) >= 0)
		return 2;
	return p.unmounted || p.landlocked ? 0 : SKIPPED;
}

static int open_as_we_are(void)
{
	return open_after((uid_t)-1);
}

static int open_as_nobody(void)
{
	return open_after(NOBODY);
}

static int open_as_an_ordinary_user(void)
{
	if (!geteuid() && (setgid(NOBODY) || setuid(NOBODY)))
		return FAILED;
	return open_after((uid_t)-1);
}

static void no_file_can_be_opened(void **state)
{
	int result = in_child(open_as_we_are);

	(void)state;
	if (result == SKIPPED) {
		printf("skipped: an ordinary user, and no Landlock\n");
		skip();
	}
	assert_int_equal(result, 0);
}

static void no_file_can_be_opened_by_a_user_that_was_changed_to(void **state)
{
	(void)state;
	skip_unless_root("--user");
	assert_int_equal(in_child(open_as_nobody), 0);
}

static void landlock_alone_is_enough_for_an_ordinary_user(void **state)
{
	int result = in_child(open_as_an_ordinary_user);

	(void)state;
	if (result == SKIPPED) {
		printf("skipped: no Landlock in this kernel\n");
		skip();
	}
	assert_int_equal(result, 0);
}

/* Landlock lets one look whether a file is there. */
static int look(void)
{
	struct stat st;

	init((uid_t)-1);
	if (!p.unmounted)
		return SKIPPED;
	return stat("/etc/passwd", &st) && errno == ENOENT ? 0 : 1;
}

static void root_has_an_empty_root(void **state)
{
	(void)state;
	skip_unless_root("the empty root directory");
	assert_int_equal(in_child(look), 0);
}

/* As the keeper does, and then the switch that it starts again. */
static int drop_twice(void)
{
	struct privilege first;

	options.user = options.group = NOBODY;
	if (privilege_init(&first, &options, why, sizeof(why)) ||
	    privilege_prepare(&first, why, sizeof(why)) ||
	    privilege_drop_helper(&first, why, sizeof(why)) ||
	    privilege_init(&p, &options, why, sizeof(why)))
		return FAILED;
	p.user_ns = first.user_ns;
	p.mount_ns = first.mount_ns;
	if (geteuid() != NOBODY || getegid() != NOBODY ||
	    access("/etc/passwd", R_OK))
		return 1;
	if (privilege_drop(&p, why, sizeof(why)))
		return 2;
	return p.unmounted && access("/etc/passwd", F_OK) ? 0 : 3;
}

static void the_empty_root_is_entered_without_capabilities(void **state)
{
	(void)state;
	skip_unless_root("the empty root directory");
	assert_int_equal(in_child(drop_twice), 0);
}

/* A stream socket of somebody's, and of nobody's at the other end. */
static int peer_uid(void)
{
	static const struct sockaddr_un name = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), fd;
	struct sockaddr_un bound;
	socklen_t bytes = sizeof(bound);
	struct ucred peer;
	socklen_t peer_bytes = sizeof(peer);

	/* The kernel chooses an abstract name. */
	if (bind(listener, (const void *)&name, sizeof(name.sun_family)) ||
	    listen(listener, 1) ||
	    getsockname(listener, (void *)&bound, &bytes))
		return FAILED;
	if (!fork()) {
		fd = socket(AF_UNIX, SOCK_STREAM, 0);
		if (setuid(NOBODY - 1))
			_exit(1);
		_exit(connect(fd, (const void *)&bound, bytes) ? 1 : 0);
	}
	init((uid_t)-1);
	fd = accept(listener, NULL, NULL);
	if (fd < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &peer_bytes))
		return FAILED;
	return peer.uid == NOBODY - 1 ? 0 : 1;
}

static void users_of_sockets_are_who_they_are(void **state)
{
	(void)state;
	skip_unless_root("a socket of another user");
	assert_int_equal(in_child(peer_uid), 0);
}

/* A file that is ours, in a place that is, is given to a group of others. */
static int give_away(void)
{
	char path[] = "/tmp/ringswitch-test-XXXXXX";
	int fd = mkstemp(path), err;

	options.user = (uid_t)-1;
	options.group = 1;
	if (fd < 0 || privilege_init(&p, &options, why, sizeof(why)) ||
	    privilege_drop_helper(&p, why, sizeof(why)))
		return FAILED;
	err = fchown(fd, (uid_t)-1, 1) ? 1 : 0;
	unlink(path);
	return err;
}

static void sockets_can_be_given_to_their_group_later(void **state)
{
	(void)state;
	skip_unless_root("another group");
	assert_int_equal(in_child(give_away), 0);
}

static int is_dumpable(void)
{
	init((uid_t)-1);
	return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);
}

static void nobody_reads_its_memory(void **state)
{
	(void)state;
	assert_int_equal(in_child(is_dumpable), 0);
}

static void only_root_becomes_another_user(void **state)
{
	(void)state;
	if (!geteuid()) {
		printf("skipped: we are root\n");
		skip();
	}
	options.user = options.group = NOBODY;
	assert_int_equal(privilege_init(&p, &options, why, sizeof(why)), -EPERM);
	assert_non_null(strstr(why, "--user 65534: only root"));
}

static void a_user_without_an_entry_needs_a_group(void **state)
{
	(void)state;
	options.user = 4000000000u;
	options.group = (gid_t)-1;
	assert_int_equal(privilege_init(&p, &options, why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "--user 4000000000"));
	assert_non_null(strstr(why, "--group"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_capability_is_left_in_any_set),
		cmocka_unit_test(no_file_can_be_opened),
		cmocka_unit_test(no_file_can_be_opened_by_a_user_that_was_changed_to),
		cmocka_unit_test(landlock_alone_is_enough_for_an_ordinary_user),
		cmocka_unit_test(root_has_an_empty_root),
		cmocka_unit_test(the_empty_root_is_entered_without_capabilities),
		cmocka_unit_test(users_of_sockets_are_who_they_are),
		cmocka_unit_test(sockets_can_be_given_to_their_group_later),
		cmocka_unit_test(nobody_reads_its_memory),
		cmocka_unit_test(only_root_becomes_another_user),
		cmocka_unit_test(a_user_without_an_entry_needs_a_group),
	};

	/* With it a build with sanitizers would not shut itself in. */
	unsetenv("RINGSWITCH_LEAK_CHECK");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
