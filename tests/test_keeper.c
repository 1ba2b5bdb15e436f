/*
 * A keeper with a switch of ours: this program, which finds itself started by a
 * keeper and does what its first word says. What it sees it writes into a file.
 */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../switch/keeper.h"
#include "../switch/kept.h"
#include "../switch/log.h"
#include "../switch/options.h"
#include "../switch/privilege.h"
#include "../switch/state_file.h"

/* Privileges have tests of their own, and pytest as their user. */
int privilege_init(struct privilege *p, const struct options *o, char *why,
		   size_t why_bytes)
{
	(void)p;
	(void)o;
	(void)why;
	(void)why_bytes;
	return 0;
}

int privilege_drop_helper(const struct privilege *p, char *why,
			  size_t why_bytes)
{
	(void)p;
	(void)why;
	(void)why_bytes;
	return 0;
}

void privilege_close(struct privilege *p)
{
	(void)p;
}

/* --- the switch ----------------------------------------------------------- */

static struct kept *kept;

static void note(const char *text)
{
	int fd = open(getenv("TEST_NOTES"), O_WRONLY | O_APPEND | O_CREAT, 0600);

	if (write(fd, text, strlen(text)) < 0)
		_exit(99);
	close(fd);
}

static void note_start(void)
{
	static const char *const whys[] = { "first", "planned", "crashed" };
	char text[64];

	snprintf(text, sizeof(text), "%u:%s ", kept_starts(kept),
		 whys[kept_why(kept)]);
	note(text);
}

static void note_held(void)
{
	char text[256];
	struct held h;
	int got;

	while ((got = kept_next(kept, &h)) == 1) {
		snprintf(text, sizeof(text), "held:%u=%s:%.*s%s%s%s ", h.key,
			 h.name, (int)h.bytes, (const char *)h.record,
			 h.fd_count ? "+fd" : "",
			 h.flags & KEEPER_FROM_FILE ? "+file" : "",
			 h.flags & KEEPER_QUARANTINED ? "+quarantined" : "");
		note(text);
		while (h.fd_count)
			close(h.fds[--h.fd_count]);
	}
	if (got)
		note("error ");
}

static void keep(unsigned flags)
{
	int fd = STDIN_FILENO;

	kept_keep(kept, 7, flags, "web1", "abc", 3, &fd, 1);
}

static int wait_for_signal(void)
{
	sigset_t set;
	int sig;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	sigwait(&set, &sig);
	return sig;
}

static void crash(void)
{
	kill(getpid(), SIGABRT);
}

static void do_nothing(void)
{
	kept_ready(kept);
}

static void fail_before_it_is_ready(void)
{
	exit(3);
}

static void die_before_it_is_ready(void)
{
	crash();
}

static void crash_once(void)
{
	keep(0);
	kept_ready(kept);
	if (kept_starts(kept) == 1)
		crash();
}

static void fail_once(void)
{
	kept_ready(kept);
	if (kept_starts(kept) == 1)
		exit(1);
}

static void crash_by_a_frame(void)
{
	keep(0);
	kept_ready(kept);
	kept_blame(kept, 7);
	if (kept_starts(kept) < 4)
		crash();
}

static void forget_and_crash_before_ready(void)
{
	if (kept_starts(kept) == 1)
		keep(0);
	if (kept_starts(kept) == 2) {
		kept_forget(kept, 7);
		crash();
	}
	kept_ready(kept);
	if (kept_starts(kept) < 4)
		crash();
}

static void ask_for_a_restart(void)
{
	kept_ready(kept);
	if (kept_starts(kept) > 1)
		return;
	kept_restart(kept);
	exit(0);
}

static void exit_for_a_restart(void)
{
	kept_ready(kept);
	if (kept_starts(kept) == 1)
		exit(75);
}

/* Another program, which never gets ready, in the place of ours. */
static void replace_the_program(void)
{
	kept_ready(kept);
	if (kept_starts(kept) > 1)
		return;
	unlink(getenv("TEST_PROGRAM"));
	if (symlink("/bin/false", getenv("TEST_PROGRAM")))
		note("no link ");
	exit(75);
}

static void remove_the_program(void)
{
	kept_ready(kept);
	if (kept_starts(kept) > 1)
		return;
	unlink(getenv("TEST_PROGRAM"));
	crash();
}

static void wait_for_term(void)
{
	int sig;

	kept_ready(kept);
	note("waits ");
	while ((sig = wait_for_signal()) != SIGTERM)
		note(sig == SIGHUP ? "HUP " : "USR1 ");
	note("TERM ");
}

static void tell_the_service_manager(void)
{
	kept_notify(kept, "MAINPID=1");
	kept_notify(kept, "READY=1\nSTATUS=Guests can attach.");
	kept_ready(kept);
}

static void stop_being_heard(void)
{
	kept_ready(kept);
	while (kept_starts(kept) == 1)
		pause();
}

static void outlive_the_keeper(void)
{
	struct pollfd gone = { .fd = kept_fd(kept), .events = POLLIN };

	keep(KEEPER_DURABLE);
	kept_ready(kept);
	/* What has been kept is there when this is answered: not at all. */
	if (kept_has_gone(kept))
		note("early ");
	note("waits ");
	poll(&gone, 1, -1);
	note(kept_has_gone(kept) ? "alone " : "error ");
	if (kept_keep(kept, 1, 0, "", "", 0, NULL, 0) || kept_ready(kept) ||
	    kept_restart(kept) != -ENOTCONN)
		note("error ");
}

static void go_on_while_the_keeper_is_stopped(void)
{
	static char record[KEEPER_RECORD_BYTES];
	int err = 0;

	kill(getppid(), SIGSTOP);
	for (int i = 0; i < 1000000 && !err; i++)
		err = kept_keep(kept, 7, 0, "web1", record, sizeof(record), NULL,
				0);
	note(err == -EAGAIN ? "EAGAIN " : "error ");
	kill(getppid(), SIGCONT);
	while (kept_keep(kept, 7, 0, "web1", "abc", 3, NULL, 0) == -EAGAIN)
		poll(NULL, 0, 1);
	while (kept_ready(kept) == -EAGAIN)
		poll(NULL, 0, 1);
	if (kept_starts(kept) == 1)
		crash();
}

static void close_its_mouth(void)
{
	kept_ready(kept);
	close(kept_fd(kept));
	note("waits ");
	wait_for_signal();
}

static void talk_nonsense(void)
{
	for (int i = 0; i < 100; i++)
		send(kept_fd(kept), "nonsense", 8, 0);
	kept_ready(kept);
}

static const struct {
	const char *word;
	void (*act)(void);
} acts[] = {
#define ACT(f) { #f, f }
	ACT(do_nothing),
	ACT(fail_before_it_is_ready),
	ACT(die_before_it_is_ready),
	ACT(crash_once),
	ACT(fail_once),
	ACT(crash_by_a_frame),
	ACT(forget_and_crash_before_ready),
	ACT(ask_for_a_restart),
	ACT(exit_for_a_restart),
	ACT(replace_the_program),
	ACT(remove_the_program),
	ACT(wait_for_term),
	ACT(tell_the_service_manager),
	ACT(stop_being_heard),
	ACT(outlive_the_keeper),
	ACT(go_on_while_the_keeper_is_stopped),
	ACT(close_its_mouth),
	ACT(talk_nonsense),
};

static int be_switch(const char *word)
{
	char why[256];

	if (kept_open(&kept, why, sizeof(why))) {
		note(why);
		return 98;
	}
	note_start();
	if (!strcmp(word, "go_on_while_the_keeper_is_stopped") &&
	    kept_starts(kept) > 1)
		word = "do_nothing";
	note_held();
	for (unsigned i = 0; i < ARRAY_SIZE(acts); i++)
		if (!strcmp(acts[i].word, word))
			acts[i].act();
	kept_free(kept);
	return 0;
}

/* --- the tests ------------------------------------------------------------ */

static char top[64], notes[96], program[96], said[96], state_path[96];
static struct options options;

static void copy_ourselves(void)
{
	int from = open("/proc/self/exe", O_RDONLY);
	int to = open(program, O_WRONLY | O_CREAT, 0755);
	struct stat st;

	assert_int_equal(fstat(from, &st), 0);
	while (sendfile(to, from, NULL, (size_t)st.st_size) > 0)
		;
	close(from);
	close(to);
}

static int set_up(void **state)
{
	(void)state;
	strcpy(top, "/tmp/keeper.XXXXXX");
	if (!mkdtemp(top))
		return -1;
	snprintf(notes, sizeof(notes), "%s/notes", top);
	snprintf(program, sizeof(program), "%s/program", top);
	snprintf(said, sizeof(said), "%s/said", top);
	snprintf(state_path, sizeof(state_path), "%s/state", top);
	setenv("TEST_NOTES", notes, 1);
	setenv("TEST_PROGRAM", program, 1);
	options = (struct options){ .ready_fd = -1, .state = state_path };
	copy_ourselves();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(notes);
	unlink(program);
	unlink(said);
	unlink(state_path);
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	return rmdir(top);
}

/* The copy is who the keeper is, and what it starts. */
static pid_t start(const char *word)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	setenv("TEST_READY_FD", options.ready_fd < 0 ? "-1" : "9", 1);
	setenv("TEST_STATE", options.state, 1);
	if (options.ready_fd >= 0)
		dup2(options.ready_fd, 9);
	dup2(open(said, O_WRONLY | O_CREAT | O_APPEND, 0600), STDERR_FILENO);
	execl(program, program, word, NULL);
	_exit(97);
}

static int be_keeper(char *argv[])
{
	options = (struct options){ .ready_fd = atoi(getenv("TEST_READY_FD")),
				    .state = getenv("TEST_STATE") };
	log_init("keeper");
	return keeper_main(&options, argv);
}

static int end_of(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static const char *text_of(const char *path)
{
	static char text[4096];
	FILE *from = fopen(path, "r");

	text[from ? fread(text, 1, sizeof(text) - 1, from) : 0] = '\0';
	if (from)
		fclose(from);
	return text;
}

static void wait_for_note(const char *word)
{
	while (!strstr(text_of(notes), word))
		poll(NULL, 0, 5);
}

static void assert_run(const char *word, int status, const char *expected)
{
	assert_int_equal(end_of(start(word)), status);
	assert_string_equal(text_of(notes), expected);
}

static void a_good_end_of_the_switch_is_the_keepers(void **state)
{
	(void)state;
	assert_run("do_nothing", 0, "1:first ");
	assert_string_equal(text_of(said), "");
}

static void what_never_was_ready_is_not_started_again(void **state)
{
	(void)state;
	assert_run("fail_before_it_is_ready", 3, "1:first ");
	assert_string_equal(text_of(said), ""); /* it has said why itself */
}

static void what_was_killed_before_it_was_ready_is_named(void **state)
{
	(void)state;
	assert_run("die_before_it_is_ready", 1, "1:first ");
	assert_non_null(strstr(text_of(said), "killed by signal 6"));
}

static void after_a_crash_the_next_has_what_was_kept(void **state)
{
	(void)state;
	assert_run("crash_once", 0, "1:first 2:crashed held:7=web1:abc+fd ");
	assert_non_null(strstr(text_of(said), "killed by signal 6"));
}

static void a_bad_end_is_a_crash(void **state)
{
	(void)state;
	assert_run("fail_once", 0, "1:first 2:crashed ");
	assert_non_null(strstr(text_of(said), "ended with status 1"));
}

static void the_third_crash_by_the_same_frames_is_its_quarantine(void **state)
{
	(void)state;
	assert_run("crash_by_a_frame", 0,
		   "1:first 2:crashed held:7=web1:abc+fd "
		   "3:crashed held:7=web1:abc+fd "
		   "4:crashed held:7=web1:abc+fd+quarantined ");
	assert_non_null(strstr(text_of(said), "handled a frame of web1"));
}

static void what_was_forgotten_before_it_was_ready_is_still_held(void **state)
{
	(void)state;
	assert_run("forget_and_crash_before_ready", 0,
		   "1:first 2:crashed held:7=web1:abc+fd "
		   "3:crashed held:7=web1:abc+fd "
		   "4:crashed held:7=web1:abc+fd ");
}

static void a_restart_that_was_asked_for_is_no_crash(void **state)
{
	(void)state;
	assert_run("ask_for_a_restart", 0, "1:first 2:planned ");
	assert_string_equal(text_of(said), "");
}

static void status_75_asks_for_a_restart(void **state)
{
	(void)state;
	assert_run("exit_for_a_restart", 0, "1:first 2:planned ");
}

static void a_new_program_that_does_not_get_ready_is_given_up(void **state)
{
	(void)state;
	/* Starts 2 and 3 are another program's, which notes nothing. */
	assert_run("replace_the_program", 0, "1:first 4:crashed ");
	assert_non_null(strstr(text_of(said), "before it was ready"));
}

static void a_program_that_has_gone_is_started_all_the_same(void **state)
{
	(void)state;
	assert_run("remove_the_program", 0, "1:first 2:crashed ");
	assert_non_null(strstr(text_of(said), program));
}

static void signals_are_passed_on(void **state)
{
	pid_t keeper = start("wait_for_term");

	(void)state;
	wait_for_note("waits");
	kill(keeper, SIGHUP);
	wait_for_note("HUP");
	kill(keeper, SIGUSR1);
	wait_for_note("USR1");
	kill(keeper, SIGTERM);
	assert_int_equal(end_of(keeper), 0);
	assert_string_equal(text_of(notes), "1:first waits HUP USR1 TERM ");
}

static void who_waits_is_told_when_it_is_ready(void **state)
{
	int ends[2];
	char byte[4];
	pid_t keeper;

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	options.ready_fd = ends[1];
	keeper = start("wait_for_term");
	close(ends[1]);
	assert_int_equal(read(ends[0], byte, sizeof(byte)), 2);
	assert_memory_equal(byte, "1\n", 2);
	/* The switch does not have it either. */
	assert_int_equal(read(ends[0], byte, sizeof(byte)), 0);
	close(ends[0]);
	kill(keeper, SIGTERM);
	assert_int_equal(end_of(keeper), 0);
}

static void who_waits_is_not_told_of_a_failure(void **state)
{
	int ends[2];
	char byte;
	pid_t keeper;

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	options.ready_fd = ends[1];
	keeper = start("fail_before_it_is_ready");
	close(ends[1]);
	assert_int_equal(read(ends[0], &byte, 1), 0);
	close(ends[0]);
	assert_int_equal(end_of(keeper), 3);
}

static void the_service_manager_hears_what_a_switch_may_say(void **state)
{
	struct sockaddr_un here = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	char text[256];
	ssize_t length;

	(void)state;
	snprintf(here.sun_path, sizeof(here.sun_path), "%s/notify", top);
	assert_int_equal(bind(fd, (struct sockaddr *)&here, sizeof(here)), 0);
	setenv("NOTIFY_SOCKET", here.sun_path, 1);
	assert_run("tell_the_service_manager", 0, "1:first ");
	length = recv(fd, text, sizeof(text), MSG_DONTWAIT);
	assert_true(length > 0);
	text[length] = '\0';
	assert_string_equal(text, "READY=1\nSTATUS=Guests can attach.");
	close(fd);
	unlink(here.sun_path);
}

static void one_that_is_not_heard_of_in_time_is_replaced(void **state)
{
	(void)state;
	setenv("WATCHDOG_USEC", "300000", 1);
	assert_run("stop_being_heard", 0, "1:first 2:crashed ");
	assert_non_null(strstr(text_of(said), "not been heard of"));
}

static void a_new_keeper_holds_what_was_durable(void **state)
{
	pid_t keeper = start("outlive_the_keeper");
	struct stat st;

	(void)state;
	wait_for_note("waits");
	/* Who wrote it, the switch, and what that has kept. */
	while (stat(state_path, &st) || st.st_size < 3 * STATE_SLOT_BYTES)
		poll(NULL, 0, 5);
	kill(keeper, SIGKILL);
	end_of(keeper);
	wait_for_note("alone");
	assert_string_equal(text_of(notes), "1:first waits alone ");
	unlink(notes);
	assert_run("do_nothing", 0, "1:first held:7=web1:abc+file ");
	assert_int_equal(stat(state_path, &st), -1);
}

static void a_start_in_vain_leaves_the_state_for_the_next(void **state)
{
	pid_t keeper = start("outlive_the_keeper");
	struct stat st;

	(void)state;
	wait_for_note("waits");
	/* Who wrote it, the switch, and what that has kept. */
	while (stat(state_path, &st) || st.st_size < 3 * STATE_SLOT_BYTES)
		poll(NULL, 0, 5);
	kill(keeper, SIGKILL);
	end_of(keeper);
	wait_for_note("alone");
	unlink(notes);
	assert_int_equal(end_of(start("fail_before_it_is_ready")), 3);
	unlink(notes);
	assert_run("do_nothing", 0, "1:first held:7=web1:abc+file ");
}

static void a_stopped_keeper_holds_up_nothing(void **state)
{
	(void)state;
	assert_run("go_on_while_the_keeper_is_stopped", 0,
		   "1:first EAGAIN 2:crashed held:7=web1:abc ");
}

static void one_that_does_not_speak_any_more_is_still_ended(void **state)
{
	pid_t keeper = start("close_its_mouth");

	(void)state;
	wait_for_note("waits");
	kill(keeper, SIGTERM);
	assert_int_equal(end_of(keeper), 0);
}

static void nonsense_is_said_to_be_and_nothing_else(void **state)
{
	(void)state;
	assert_run("talk_nonsense", 0, "1:first ");
	assert_non_null(strstr(text_of(said), "not understood"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		TEST(a_good_end_of_the_switch_is_the_keepers),
		TEST(what_never_was_ready_is_not_started_again),
		TEST(what_was_killed_before_it_was_ready_is_named),
		TEST(after_a_crash_the_next_has_what_was_kept),
		TEST(a_bad_end_is_a_crash),
		TEST(the_third_crash_by_the_same_frames_is_its_quarantine),
		TEST(what_was_forgotten_before_it_was_ready_is_still_held),
		TEST(a_restart_that_was_asked_for_is_no_crash),
		TEST(status_75_asks_for_a_restart),
		TEST(a_new_program_that_does_not_get_ready_is_given_up),
		TEST(a_program_that_has_gone_is_started_all_the_same),
		TEST(signals_are_passed_on),
		TEST(who_waits_is_told_when_it_is_ready),
		TEST(who_waits_is_not_told_of_a_failure),
		TEST(the_service_manager_hears_what_a_switch_may_say),
		TEST(one_that_is_not_heard_of_in_time_is_replaced),
		TEST(a_new_keeper_holds_what_was_durable),
		TEST(a_start_in_vain_leaves_the_state_for_the_next),
		TEST(a_stopped_keeper_holds_up_nothing),
		TEST(one_that_does_not_speak_any_more_is_still_ended),
		TEST(nonsense_is_said_to_be_and_nothing_else),
	};

	if (kept_is_by_keeper())
		return be_switch(argv[1]);
	if (argc > 1)
		return be_keeper(argv);
	return cmocka_run_group_tests_name("keeper", tests, NULL, NULL);
}
