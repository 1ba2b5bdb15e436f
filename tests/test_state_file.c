#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../switch/state_file.h"

static char top[64], path[128], other[128], why[512];
static struct state_file *file;
static uint8_t slot[STATE_SLOT_BYTES];
static struct state_record r, back;

/* What state_file_read() has found. */
static struct state_record found[8];
static unsigned found_count;

static int set_up(void **state)
{
	(void)state;
	strcpy(top, "/tmp/state_file.XXXXXX");
	if (!mkdtemp(top))
		return -1;
	snprintf(path, sizeof(path), "%s/state", top);
	snprintf(other, sizeof(other), "%s/other", top);
	memset(&r, 0, sizeof(r));
	r.key = 7;
	r.flags = KEEPER_DURABLE;
	r.bytes = 3;
	memcpy(r.record, "abc", 3);
	strcpy(r.name, "web1");
	file = NULL;
	*why = '\0';
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	state_file_close(file, false);
	unlink(path);
	unlink(other);
	rmdir(path);
	return rmdir(top);
}

static int open_it(void)
{
	return state_file_open(&file, path, why, sizeof(why));
}

static void close_it(bool remove)
{
	state_file_close(file, remove);
	file = NULL;
}

static void take(void *context, const struct state_record *record)
{
	(void)context;
	assert_true(found_count < ARRAY_SIZE(found));
	found[found_count++] = *record;
}

static unsigned read_it(void)
{
	found_count = 0;
	state_file_read(file, take, NULL);
	return found_count;
}

static unsigned read_anew(void)
{
	close_it(false);
	assert_int_equal(open_it(), 0);
	return read_it();
}

/* --- slots ---------------------------------------------------------------- */

static void a_slot_says_what_was_written(void **state)
{
	(void)state;
	r.bytes = KEEPER_RECORD_BYTES;
	memset(r.record, 0xa5, sizeof(r.record));
	state_slot_write(slot, &r);
	assert_int_equal(state_slot_read(slot, &back), 1);
	assert_memory_equal(&back, &r, sizeof(r));
}

static void an_empty_slot_says_nothing(void **state)
{
	(void)state;
	state_slot_clear(slot);
	assert_int_equal(state_slot_read(slot, &back), 0);
}

static void any_changed_byte_is_noticed(void **state)
{
	(void)state;
	state_slot_write(slot, &r);
	for (size_t i = 0; i < KEEPER_RECORD_BYTES; i++) {
		slot[i] ^= 0x10;
		assert_int_equal(state_slot_read(slot, &back), -EPROTO);
		slot[i] ^= 0x10;
	}
	assert_int_equal(state_slot_read(slot, &back), 1);
}

static void the_head_is_of_this_start_of_the_machine_or_of_no_use(void **state)
{
	(void)state;
	state_slot_write_head(slot, "boot 1");
	assert_int_equal(state_slot_read_head(slot, "boot 1"), 1);
	assert_int_equal(state_slot_read_head(slot, "boot 2"), 0);
	slot[7]++; /* another version */
	assert_int_equal(state_slot_read_head(slot, "boot 1"), 0);
	slot[0]++;
	assert_int_equal(state_slot_read_head(slot, "boot 1"), -EPROTO);
}

/* --- the file ------------------------------------------------------------- */

static void what_is_written_is_found_by_the_next(void **state)
{
	(void)state;
	assert_int_equal(open_it(), 0);
	assert_int_equal(read_it(), 0);
	assert_int_equal(state_file_write(file, &r), 0);
	r.key = 8;
	assert_int_equal(state_file_write(file, &r), 0);
	assert_int_equal(read_anew(), 2);
	assert_int_equal(found[0].key, 7);
	assert_int_equal(found[1].key, 8);
	assert_string_equal(found[1].name, "web1");
}

static void what_is_written_twice_is_there_once(void **state)
{
	(void)state;
	assert_int_equal(open_it(), 0);
	state_file_write(file, &r);
	r.record[0] = 'z';
	state_file_write(file, &r);
	assert_int_equal(read_anew(), 1);
	assert_int_equal(found[0].record[0], 'z');
	r.record[0] = 'y';
	state_file_write(file, &r);
	assert_int_equal(read_anew(), 1);
	assert_int_equal(found[0].record[0], 'y');
}

static void what_is_forgotten_makes_room_for_others(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(open_it(), 0);
	for (uint32_t key = 0; key < 1000; key++) {
		r.key = key;
		assert_int_equal(state_file_write(file, &r), 0);
		assert_int_equal(state_file_forget(file, key), 0);
	}
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 2 * STATE_SLOT_BYTES);
	assert_int_equal(read_anew(), 0);
}

static void there_is_room_for_every_key(void **state)
{
	(void)state;
	assert_int_equal(open_it(), 0);
	r.bytes = 0;
	for (r.key = 0; r.key < KEEPER_KEYS; r.key++)
		assert_int_equal(state_file_write(file, &r), 0);
	for (uint32_t key = 0; key < KEEPER_KEYS; key++)
		assert_int_equal(state_file_forget(file, key), 0);
	r.key = KEEPER_KEYS - 1;
	assert_int_equal(state_file_write(file, &r), 0);
	assert_int_equal(read_anew(), 1);
	assert_int_equal(found[0].key, KEEPER_KEYS - 1);
}

static void a_slot_that_was_cut_off_is_left_out_and_used_again(void **state)
{
	int fd;

	(void)state;
	assert_int_equal(open_it(), 0);
	state_file_write(file, &r);
	r.key = 8;
	state_file_write(file, &r);
	fd = open(path, O_WRONLY);
	assert_int_equal(pwrite(fd, "xyz", 3, STATE_SLOT_BYTES + 60), 3);
	close(fd);
	assert_int_equal(read_anew(), 1);
	assert_int_equal(found[0].key, 8);
	r.key = 9;
	state_file_write(file, &r);
	assert_int_equal(read_anew(), 2);
}

static void one_of_an_earlier_start_of_the_machine_counts_for_empty(void **state)
{
	int fd;

	(void)state;
	assert_int_equal(open_it(), 0);
	state_file_write(file, &r);
	state_slot_write_head(slot, "long ago");
	fd = open(path, O_WRONLY);
	assert_int_equal(pwrite(fd, slot, sizeof(slot), 0), sizeof(slot));
	close(fd);
	assert_int_equal(read_anew(), 0);
	r.key = 8;
	state_file_write(file, &r);
	assert_int_equal(read_anew(), 1);
	assert_int_equal(found[0].key, 8);
}

static void it_is_there_for_its_owner_only(void **state)
{
	struct stat st;

	(void)state;
	umask(0);
	assert_int_equal(open_it(), 0);
	umask(022);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void in_good_order_it_is_removed(void **state)
{
	(void)state;
	assert_int_equal(open_it(), 0);
	state_file_write(file, &r);
	close_it(true);
	assert_int_equal(access(path, F_OK), -1);
}

static void one_that_nothing_was_written_to_is_not_left_behind(void **state)
{
	(void)state;
	assert_int_equal(open_it(), 0);
	close_it(false);
	assert_int_equal(access(path, F_OK), -1);
}

static void what_has_taken_its_place_is_not_removed(void **state)
{
	(void)state;
	assert_int_equal(open_it(), 0);
	assert_int_equal(rename(path, other), 0);
	close(open(path, O_WRONLY | O_CREAT, 0600));
	close_it(true);
	assert_int_equal(access(path, F_OK), 0);
}

/* --- what is in the way --------------------------------------------------- */

static void assert_refused(const char *word)
{
	struct stat before, after;

	assert_int_equal(lstat(path, &before), 0);
	assert_int_not_equal(open_it(), 0);
	assert_non_null(strstr(why, word));
	assert_non_null(strstr(why, path));
	assert_int_equal(lstat(path, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_int_equal(before.st_size, after.st_size);
	assert_int_equal(before.st_mode, after.st_mode);
}

static void make_file(const char *name, const char *text, mode_t mode)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_EXCL, mode);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void a_symbolic_link_is_not_followed(void **state)
{
	(void)state;
	make_file(other, "", 0600);
	assert_int_equal(symlink(other, path), 0);
	assert_refused("symbolic link");
}

static void a_hard_link_is_refused(void **state)
{
	(void)state;
	make_file(other, "", 0600);
	assert_int_equal(link(other, path), 0);
	assert_refused("hard link");
}

static void a_file_of_something_else_is_left_alone(void **state)
{
	(void)state;
	make_file(path, "precious", 0600);
	assert_refused("something else");
}

static void one_that_others_may_read_is_refused(void **state)
{
	(void)state;
	make_file(path, "", 0644);
	assert_refused("open to others");
}

static void a_fifo_is_not_waited_for(void **state)
{
	(void)state;
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_refused("something else");
}

static void a_directory_is_refused(void **state)
{
	(void)state;
	assert_int_equal(mkdir(path, 0700), 0);
	assert_refused("irectory");
}

static void somebody_elses_is_refused(void **state)
{
	(void)state;
	if (geteuid()) {
		print_message("skipped: needs root to give a file away\n");
		skip();
	}
	make_file(path, "", 0600);
	assert_int_equal(chown(path, 12345, (gid_t)-1), 0);
	assert_refused("somebody else");
}

static void one_in_use_is_refused(void **state)
{
	int fd;

	(void)state;
	make_file(path, "", 0600);
	fd = open(path, O_RDWR);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_refused("another switch");
	close(fd);
}

static void a_path_in_no_directory_is_refused(void **state)
{
	(void)state;
	snprintf(path, sizeof(path), "%s/none/state", top);
	assert_int_equal(open_it(), -ENOENT);
	assert_non_null(strstr(why, "No such file"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_slot_says_what_was_written),
		TEST(an_empty_slot_says_nothing),
		TEST(any_changed_byte_is_noticed),
		TEST(the_head_is_of_this_start_of_the_machine_or_of_no_use),
		TEST(what_is_written_is_found_by_the_next),
		TEST(what_is_written_twice_is_there_once),
		TEST(what_is_forgotten_makes_room_for_others),
		TEST(there_is_room_for_every_key),
		TEST(a_slot_that_was_cut_off_is_left_out_and_used_again),
		TEST(one_of_an_earlier_start_of_the_machine_counts_for_empty),
		TEST(it_is_there_for_its_owner_only),
		TEST(in_good_order_it_is_removed),
		TEST(one_that_nothing_was_written_to_is_not_left_behind),
		TEST(what_has_taken_its_place_is_not_removed),
		TEST(a_symbolic_link_is_not_followed),
		TEST(a_hard_link_is_refused),
		TEST(a_file_of_something_else_is_left_alone),
		TEST(one_that_others_may_read_is_refused),
		TEST(a_fifo_is_not_waited_for),
		TEST(a_directory_is_refused),
		TEST(somebody_elses_is_refused),
		TEST(one_in_use_is_refused),
		TEST(a_path_in_no_directory_is_refused),
	};

	return cmocka_run_group_tests_name("state_file", tests, NULL, NULL);
}
