/*
 * A filter that goes from one process to another: a record and descriptors, as
 * they come through a socket, with nothing but these.
 */
#include "test.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../tap/filter.h"
#include "../tap/filter_kept.h"

enum { NOW_MS = 5, NOBODY = 65534 };

static const struct filter_options expression = {
	.object = "",
	.rules = "",
	.expression = "udp",
};

/* Two frames, IPv4: the one is UDP. */
static uint8_t udp[60] = { [12] = 8, [14] = 0x45, [17] = 46, [22] = 64, [23] = 17 };
static uint8_t tcp[60] = { [12] = 8, [14] = 0x45, [17] = 46, [22] = 64, [23] = 6 };

static char why[FILTER_WHY_BYTES];

static struct filter *make(const struct filter_options *o)
{
	struct filter *f = filter_new(o, "tap0", why, sizeof(why));

	if (!f)
		print_message("%s\n", why);
	return f;
}

/* What the other process gets: descriptors of its own. */
static struct filter_record hand(const struct filter *f)
{
	struct filter_record r;

	filter_export(f, &r);
	for (unsigned i = 0; i < r.fd_count; i++)
		r.fds[i] = fcntl(r.fds[i], F_DUPFD_CLOEXEC, 0);
	return r;
}

static void close_all(const struct filter_record *r)
{
	for (unsigned i = 0; i < r->fd_count; i++)
		assert_int_equal(close(r->fds[i]), 0);
}

static struct filter *take(const struct filter_options *o,
			   const struct filter_record *r)
{
	return filter_import(o, "tap0", r, why, sizeof(why));
}

/* Nothing was closed by who has refused it. */
static void assert_refused(const struct filter_options *o,
			   const struct filter_record *r)
{
	*why = '\0';
	assert_null(take(o, r));
	assert_string_not_equal(why, "");
	assert_null(strchr(why, '\n'));
	for (unsigned i = 0; i < r->fd_count; i++)
		assert_true(fcntl(r->fds[i], F_GETFD) >= 0);
}

static unsigned open_files(void)
{
	unsigned count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

/* Expressions --------------------------------------------------------------- */

static void an_expression_goes_on_when_the_one_before_has_gone(void **state)
{
	unsigned before = open_files();
	struct filter *f = make(&expression), *next;
	struct filter_record r;

	(void)state;
	assert_non_null(f);
	r = hand(f);
	filter_free(f);
	next = take(&expression, &r);
	assert_non_null(next);
	assert_true(filter_admits(next, udp, sizeof(udp), NOW_MS));
	assert_false(filter_admits(next, tcp, sizeof(tcp), NOW_MS));
	filter_free(next);
	assert_int_equal(open_files(), before);
}

static void it_can_be_handed_on_again_and_again(void **state)
{
	struct filter *f = make(&expression);

	(void)state;
	for (int i = 0; i < 100; i++) {
		struct filter_record r = hand(f);

		filter_free(f);
		f = take(&expression, &r);
		assert_non_null(f);
	}
	assert_true(filter_admits(f, udp, sizeof(udp), NOW_MS));
	assert_false(filter_admits(f, tcp, sizeof(tcp), NOW_MS));
	filter_free(f);
}

static void a_record_that_is_cut_short_is_refused(void **state)
{
	struct filter *f = make(&expression);
	struct filter_record r = hand(f);
	size_t whole = r.bytes;

	(void)state;
	for (r.bytes = 0; r.bytes < whole; r.bytes++)
		assert_refused(&expression, &r);
	r.bytes = whole + 1;
	assert_refused(&expression, &r);
	close_all(&r);
	filter_free(f);
}

static void no_changed_byte_of_a_record_does_harm(void **state)
{
	struct filter *f = make(&expression);

	(void)state;
	for (size_t at = 0; at < 20; at++)
		for (int value = 0; value < 256; value++) {
			struct filter_record r = hand(f);
			struct filter *next;

			r.record[at] = (unsigned char)value;
			next = take(&expression, &r);
			if (next)
				filter_free(next);
			else
				close_all(&r);
		}
	filter_free(f);
}

static void another_number_of_descriptors_is_refused(void **state)
{
	struct filter *f = make(&expression);
	struct filter_record r = hand(f);
	unsigned count = r.fd_count;

	(void)state;
	r.fd_count = count + 1;
	r.fds[count] = STDIN_FILENO;
	assert_refused(&expression, &r);
	r.fd_count = count;
	close_all(&r);
	r.fd_count = 0;
	assert_refused(&expression, &r);
	filter_free(f);
}

static void a_filter_of_other_options_is_refused(void **state)
{
	const struct filter_options nothing = { "", "", "" };
	const struct filter_options rules = { "", "some.rules", "udp" };
	const struct filter_options object = { "some.o", "", "udp" };
	struct filter *f = make(&expression);
	struct filter_record r = hand(f);

	(void)state;
	assert_refused(&nothing, &r);
	assert_refused(&rules, &r);
	assert_refused(&object, &r);
	close_all(&r);
	filter_free(f);
}

static void a_filter_of_another_version_is_refused_and_that_is_said(void **state)
{
	struct filter *f = make(&expression);
	struct filter_record r = hand(f);

	(void)state;
	r.record[0]++;
	assert_refused(&expression, &r);
	assert_non_null(strstr(why, "of another version: start the switch anew"));
	close_all(&r);
	filter_free(f);
}

/* Memory that others have, too ---------------------------------------------- */

/* As far as there is anything in it. */
static void copy_beginning(int to, int from)
{
	static char some[1 << 17];

	assert_int_equal(pread(from, some, sizeof(some), 0), sizeof(some));
	assert_int_equal(pwrite(to, some, sizeof(some), 0), sizeof(some));
}

static void other_memory_is_refused(void **state)
{
	struct filter *f = make(&expression);
	struct filter_record r = hand(f);
	int own = r.fds[0];

	(void)state;
	r.fds[0] = memfd_create("other", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_refused(&expression, &r);
	/* Of that length, but nothing is in it. */
	assert_int_equal(ftruncate(r.fds[0], lseek(own, 0, SEEK_END)), 0);
	assert_refused(&expression, &r);
	/* The same is in it, but it could be cut later. */
	copy_beginning(r.fds[0], own);
	assert_refused(&expression, &r);
	assert_int_equal(fcntl(r.fds[0], F_ADD_SEALS, F_SEAL_SHRINK), 0);
	close(own);
	own = r.fds[0];
	r.fds[0] = STDIN_FILENO;
	assert_refused(&expression, &r);
	r.fds[0] = own;
	close_all(&r);
	filter_free(f);
}

static void memory_that_makes_no_sense_is_refused(void **state)
{
	struct filter *f = make(&expression);
	struct filter_record r = hand(f);
	struct filter_kept *k = filter_kept_open(r.fds[0]);
	uint64_t bytes;

	(void)state;
	assert_non_null(k);
	bytes = k->expression_bytes;
	k->expression_bytes = UINT32_MAX;
	assert_refused(&expression, &r);
	k->expression_bytes = 0;
	assert_refused(&expression, &r);
	k->expression_bytes = (uint32_t)bytes - 1;
	assert_refused(&expression, &r);
	k->expression_bytes = (uint32_t)bytes;
	k->text[1].bytes = UINT64_MAX;
	assert_refused(&expression, &r);
	k->text[1].bytes = 0;
	/* A program that libpcap would run into nothing. */
	memset(filter_kept_expression(k), 0xff, bytes);
	assert_refused(&expression, &r);
	filter_kept_close(k);
	close_all(&r);
	filter_free(f);
}

/* Rules --------------------------------------------------------------------- */

static char path[] = "/tmp/test_filter_export_XXXXXX";

static void write_rules(const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static const struct filter_options rules = {
	.object = "",
	.rules = path,
	.expression = "",
};

static struct filter *make_rules(const char *text)
{
	struct filter *f;

	write_rules(text);
	f = make(&rules);
	if (!f && strstr(why, "cannot load")) {
		print_message("skipped: the kernel loads no BPF for us\n");
		skip();
	}
	assert_non_null(f);
	return f;
}

/* @frame to the host, through the program in @r that is for it. */
static void pass_to_host(const struct filter_record *r, uint8_t *frame,
			 unsigned bytes)
{
	uint8_t out[128];
	struct bpf_test_run_opts run = {
		.sz = sizeof(run),
		.data_in = frame,
		.data_size_in = bytes,
		.data_out = out,
		.data_size_out = sizeof(out),
		.repeat = 1,
	};

	/* What is kept, the socket program, this one. */
	assert_int_equal(bpf_prog_test_run_opts(r->fds[2], &run), 0);
}

struct seen {
	unsigned rules, lost;
	uint64_t frames;
	uint32_t line;
};

static void see_count(void *context, const struct filter_count *c)
{
	struct seen *seen = context;

	seen->rules++;
	seen->frames += c->frames;
	seen->line = c->line;
}

static void see_lost(void *context, const struct filter_lost *l)
{
	struct seen *seen = context;

	seen->lost++;
	assert_int_equal(l->bytes, sizeof(udp));
	assert_memory_equal(l->frame, udp, sizeof(udp));
}

static struct seen look(struct filter *f)
{
	struct seen seen = { 0 };
	const struct filter_visitor v = { see_count, see_lost, &seen };

	filter_visit(f, &v);
	return seen;
}

static void what_was_counted_and_dropped_is_known(void **state)
{
	struct filter *f = make_rules("drop protocol udp\n"), *next;
	struct filter_record r = hand(f);
	struct seen seen;
	char text[256];

	(void)state;
	/* One that is taken by the first process, and one that is not. */
	pass_to_host(&r, udp, sizeof(udp));
	filter_take_samples(f);
	pass_to_host(&r, udp, sizeof(udp));
	filter_free(f);
	next = take(&rules, &r);
	assert_non_null(next);
	seen = look(next);
	assert_int_equal(seen.rules, 1);
	assert_int_equal(seen.line, 1);
	assert_int_equal(seen.frames, 2);
	assert_int_equal(seen.lost, 2);
	filter_describe(next, text, sizeof(text));
	assert_non_null(strstr(text, "1 rules in force"));
	filter_free(next);
}

/* Without any privilege, as a switch that runs is. Says what went wrong by its
 * exit status. */
static int as_nobody(const struct filter_record *r)
{
	struct filter *next;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (setgid(NOBODY) || setuid(NOBODY) ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return 2;
	next = take(&rules, r);
	if (!next)
		return 3;
	pass_to_host(r, udp, sizeof(udp));
	if (look(next).frames != 1)
		return 4;
	if (filter_reload(next, fd, NOW_MS, why, sizeof(why)))
		return 5;
	return look(next).frames == 1 ? 0 : 6;
}

static void a_process_without_privilege_goes_on_and_loads_rules(void **state)
{
	struct filter *f = make_rules("drop protocol udp\n");
	struct filter_record r = hand(f);
	int status;
	pid_t pid;

	(void)state;
	write_rules("accept protocol tcp\ndrop protocol udp\n");
	pid = fork();
	if (!pid)
		_exit(as_nobody(&r));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	/* And back: the rules are now those, in the other set. */
	filter_free(f);
	f = take(&rules, &r);
	assert_non_null(f);
	assert_int_equal(look(f).line, 2);
	assert_int_equal(look(f).frames, 1);
	filter_free(f);
}

static void a_set_that_cannot_be_in_force_is_refused(void **state)
{
	struct filter *f = make_rules("drop protocol udp\n");
	struct filter_record r = hand(f);
	/* Kept, two programs; lines, state, samples. */
	uint32_t *in_force = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				  MAP_SHARED, r.fds[4], 0);

	(void)state;
	assert_ptr_not_equal(in_force, MAP_FAILED);
	*in_force = 77;
	assert_refused(&rules, &r);
	*in_force = 0;
	munmap(in_force, 4096);
	close_all(&r);
	filter_free(f);
}

static void maps_in_another_order_are_refused(void **state)
{
	struct filter *f = make_rules("drop protocol udp\n");
	struct filter_record r = hand(f);
	int lines = r.fds[3];

	(void)state;
	r.fds[3] = r.fds[5];
	r.fds[5] = lines;
	assert_refused(&rules, &r);
	close_all(&r);
	filter_free(f);
}

static int make_file(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
	(void)state;
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			an_expression_goes_on_when_the_one_before_has_gone),
		cmocka_unit_test(it_can_be_handed_on_again_and_again),
		cmocka_unit_test(a_record_that_is_cut_short_is_refused),
		cmocka_unit_test(no_changed_byte_of_a_record_does_harm),
		cmocka_unit_test(another_number_of_descriptors_is_refused),
		cmocka_unit_test(a_filter_of_other_options_is_refused),
		cmocka_unit_test(
			a_filter_of_another_version_is_refused_and_that_is_said),
		cmocka_unit_test(other_memory_is_refused),
		cmocka_unit_test(memory_that_makes_no_sense_is_refused),
		cmocka_unit_test(what_was_counted_and_dropped_is_known),
		cmocka_unit_test(
			a_process_without_privilege_goes_on_and_loads_rules),
		cmocka_unit_test(a_set_that_cannot_be_in_force_is_refused),
		cmocka_unit_test(maps_in_another_order_are_refused),
	};

	return cmocka_run_group_tests_name("filter_export", tests, make_file,
					   remove_file);
}
