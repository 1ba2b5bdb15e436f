#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../switch/keeper_store.h"
#include "../switch/state_file.h"

static struct keeper_store *store;
static int channel[2];
static char path[64], why[512];

static int set_up(void **state)
{
	(void)state;
	store = calloc(1, sizeof(*store));
	strcpy(path, "/tmp/keeper_store.XXXXXX");
	close(mkstemp(path));
	keeper_store_begin(store);
	keeper_store_ready(store);
	return socketpair(AF_UNIX, SOCK_SEQPACKET, 0, channel);
}

static int tear_down(void **state)
{
	(void)state;
	keeper_store_clear(store);
	free(store);
	close(channel[0]);
	close(channel[1]);
	unlink(path);
	return 0;
}

static void keep_with(uint32_t key, uint32_t flags, const char *record,
		      const int *fds, unsigned fd_count)
{
	struct keeper_header h = { .key = key,
				   .flags = flags,
				   .bytes = (uint32_t)strlen(record) };

	snprintf(h.name, sizeof(h.name), "port%u", key);
	assert_int_equal(keeper_store_keep(store, &h, record, fds, fd_count), 0);
}

static void keep(uint32_t key, const char *record)
{
	keep_with(key, 0, record, NULL, 0);
}

static void restart(void)
{
	keeper_store_undo(store);
	keeper_store_begin(store);
}

/* What a switch that is started now is sent, as "key=record flags;..." */
static const char *held(void)
{
	static char text[4096];
	struct keeper_message m;
	int fds[KEEPER_FDS_MAX];
	const char *reason;
	size_t length = 0;
	bool progress = false;
	unsigned count;

	restart();
	assert_int_equal(keeper_store_send(store, channel[0], &progress), 0);
	for (*text = '\0';;) {
		assert_int_equal(keeper_receive(channel[1], 0, false, &m, fds,
						&count, &reason),
				 1);
		if (m.header.type == KEEPER_END)
			return text;
		length += (size_t)snprintf(
			text + length, sizeof(text) - length, "%u=%s%s%s%s;",
			m.header.key, (const char *)m.record,
			m.header.flags & KEEPER_FROM_FILE ? " file" : "",
			m.header.flags & KEEPER_QUARANTINED ? " bad" : "",
			count ? " fds" : "");
		while (count)
			close(fds[--count]);
	}
}

static void what_is_kept_is_held_in_the_order_of_keys(void **state)
{
	(void)state;
	keep(9, "nine");
	keep(0, "zero");
	keep(KEEPER_SELF - 1, "last");
	assert_string_equal(held(), "0=zero;9=nine;32766=last;");
}

static void what_is_kept_twice_is_held_once(void **state)
{
	(void)state;
	keep(9, "old");
	keep(9, "new");
	assert_string_equal(held(), "9=new;");
}

static void what_is_forgotten_is_not_held(void **state)
{
	(void)state;
	keep(9, "nine");
	keep(10, "ten");
	keeper_store_forget(store, 9);
	keeper_store_forget(store, 11);
	assert_string_equal(held(), "10=ten;");
}

static void a_switch_that_never_got_ready_has_changed_nothing(void **state)
{
	(void)state;
	keep(9, "nine");
	keep(10, "ten");
	restart();
	keep(9, "other");
	keeper_store_forget(store, 10);
	keep(11, "eleven");
	assert_string_equal(held(), "9=nine;10=ten;");
}

static void what_a_switch_has_changed_counts_when_it_is_ready(void **state)
{
	(void)state;
	keep(9, "nine");
	keep(10, "ten");
	restart();
	keep(9, "one");
	keep(9, "other");
	keeper_store_forget(store, 10);
	keep(11, "eleven");
	keep(12, "twelve");
	keeper_store_forget(store, 12);
	assert_int_equal(keeper_store_ready(store), 0);
	assert_string_equal(held(), "9=other;11=eleven;");
}

static int open_count(void)
{
	int count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void descriptors_are_held_and_closed_in_the_end(void **state)
{
	int before = open_count(), fds[2];

	(void)state;
	for (int i = 0; i < 100; i++) {
		assert_int_equal(pipe(fds), 0);
		keep_with(9, 0, "pipe", fds, 2);
	}
	assert_int_equal(open_count(), before + 2);
	assert_string_equal(held(), "9=pipe fds;");
	keep(9, "waits for ready");
	assert_int_equal(open_count(), before + 2);
	keeper_store_ready(store);
	assert_int_equal(open_count(), before);
}

static void a_quarantine_lasts_until_it_is_forgotten(void **state)
{
	(void)state;
	keep(9, "nine");
	keeper_store_quarantine(store, 9);
	keeper_store_quarantine(store, 10);
	keeper_store_quarantine(store, KEEPER_NOBODY);
	assert_string_equal(held(), "9=nine bad;");
	keeper_store_ready(store);
	keep(9, "again");
	assert_string_equal(held(), "9=again bad;");
	keeper_store_ready(store);
	keeper_store_forget(store, 9);
	keep(9, "somebody else");
	assert_string_equal(held(), "9=somebody else;");
}

static void names_are_told(void **state)
{
	(void)state;
	keep(9, "nine");
	assert_string_equal(keeper_store_name(store, 9), "port9");
	assert_string_equal(keeper_store_name(store, 10), "");
	assert_string_equal(keeper_store_name(store, KEEPER_NOBODY), "");
}

/* As another keeper with the same file. */
static void start_anew(void)
{
	keeper_store_clear(store);
	state_file_close(store->file, false);
	memset(store, 0, sizeof(*store));
	assert_int_equal(state_file_open(&store->file, path, why, sizeof(why)),
			 0);
	keeper_store_read(store, store->file);
	keeper_store_begin(store);
}

static void what_is_durable_is_held_by_the_next_keeper(void **state)
{
	(void)state;
	start_anew();
	keeper_store_ready(store);
	keep_with(9, KEEPER_DURABLE, "nine", channel, 0);
	keep(10, "ten");
	keep_with(11, KEEPER_DURABLE, "eleven", channel, 0);
	keeper_store_forget(store, 11);
	keep_with(12, KEEPER_DURABLE, "twelve", channel, 0);
	keep(12, "no longer durable");
	start_anew();
	assert_string_equal(held(), "9=nine file;");
	state_file_close(store->file, true);
}

static void a_start_in_vain_leaves_the_file_as_it_was(void **state)
{
	(void)state;
	start_anew();
	keeper_store_ready(store);
	keep_with(9, KEEPER_DURABLE, "nine", channel, 0);
	start_anew();
	keeper_store_forget(store, 9);
	keep_with(10, KEEPER_DURABLE, "ten", channel, 0);
	start_anew();
	assert_string_equal(held(), "9=nine file;");
	state_file_close(store->file, true);
}

static void what_does_not_go_now_goes_later(void **state)
{
	static char record[KEEPER_RECORD_BYTES + 1];
	struct keeper_message m;
	int fds[KEEPER_FDS_MAX], more = 1, turns = 0;
	const char *reason;
	bool progress = false;
	unsigned count, got = 0;

	(void)state;
	memset(record, 'r', KEEPER_RECORD_BYTES);
	for (uint32_t key = 0; key < 1000; key++)
		keep(key, record);
	restart();
	for (; more == 1; turns++) {
		more = keeper_store_send(store, channel[0], &progress);
		while (keeper_receive(channel[1], MSG_DONTWAIT, false, &m, fds,
				      &count, &reason) == 1) {
			assert_int_equal(m.header.key, got % 1000);
			got++;
		}
	}
	assert_true(turns > 1);
	assert_int_equal(got, 1001);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_kept_is_held_in_the_order_of_keys),
		TEST(what_is_kept_twice_is_held_once),
		TEST(what_is_forgotten_is_not_held),
		TEST(a_switch_that_never_got_ready_has_changed_nothing),
		TEST(what_a_switch_has_changed_counts_when_it_is_ready),
		TEST(descriptors_are_held_and_closed_in_the_end),
		TEST(a_quarantine_lasts_until_it_is_forgotten),
		TEST(names_are_told),
		TEST(what_is_durable_is_held_by_the_next_keeper),
		TEST(a_start_in_vain_leaves_the_file_as_it_was),
		TEST(what_does_not_go_now_goes_later),
	};

	return cmocka_run_group_tests_name("keeper_store", tests, NULL, NULL);
}
