#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../switch/keeper_wire.h"

static struct keeper_message message, got;
static int ends[2], fds[KEEPER_FDS_MAX];
static unsigned fd_count;
static const char *why;

static int set_up(void **state)
{
	(void)state;
	memset(&message, 0, sizeof(message));
	message.header.version = KEEPER_VERSION;
	message.header.type = KEEPER_KEEP;
	strcpy(message.header.name, "web1");
	why = NULL;
	fd_count = 0;
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends);
}

static int tear_down(void **state)
{
	(void)state;
	while (fd_count)
		close(fds[--fd_count]);
	if (ends[0] >= 0)
		close(ends[0]);
	close(ends[1]);
	return 0;
}

/* As @with descriptors from the switch, of the length that it says. */
static int check(unsigned with)
{
	why = NULL;
	return keeper_check(&message,
			    sizeof(message.header) + message.header.bytes, with,
			    true, &why);
}

static void assert_refused(const char *word)
{
	assert_int_equal(check(0), -EPROTO);
	assert_non_null(strstr(why, word));
}

static int receive(void)
{
	why = NULL;
	return keeper_receive(ends[1], MSG_DONTWAIT, true, &got, fds, &fd_count,
			      &why);
}

static void what_may_be_kept_is_a_message(void **state)
{
	(void)state;
	message.header.key = KEEPER_SELF - 1;
	message.header.flags = KEEPER_DURABLE;
	message.header.bytes = KEEPER_RECORD_BYTES;
	assert_int_equal(check(KEEPER_FDS_MAX), 0);
	message.header.bytes = 0;
	assert_int_equal(check(0), 0);
}

static void one_of_another_version_is_refused(void **state)
{
	(void)state;
	message.header.version++;
	assert_refused("version");
}

static void a_type_that_there_is_not_is_refused(void **state)
{
	(void)state;
	message.header.type = 0;
	assert_refused("no such message");
	message.header.type = KEEPER_TYPE_COUNT;
	assert_refused("no such message");
}

static void a_switch_cannot_say_what_keepers_say(void **state)
{
	(void)state;
	for (uint16_t type = KEEPER_WELCOME; type < KEEPER_TYPE_COUNT; type++) {
		message.header.type = type;
		assert_refused("no such message");
	}
}

static void a_key_out_of_the_table_is_refused(void **state)
{
	(void)state;
	message.header.key = KEEPER_SELF;
	assert_refused("key");
	message.header.type = KEEPER_FORGET;
	assert_refused("key");
	message.header.type = KEEPER_READY;
	message.header.key = 1;
	assert_refused("key");
}

static void what_only_a_keeper_knows_is_no_flag_of_a_switch(void **state)
{
	(void)state;
	message.header.flags = KEEPER_QUARANTINED;
	assert_refused("flags");
	message.header.flags = 1u << 31;
	assert_refused("flags");
}

static void a_record_of_one_byte_too_many_is_refused(void **state)
{
	(void)state;
	message.header.bytes = KEEPER_RECORD_BYTES + 1;
	assert_refused("long");
	message.header.bytes = UINT32_MAX;
	why = NULL;
	assert_int_equal(keeper_check(&message, sizeof(message), 0, true, &why),
			 -EPROTO);
}

static void a_length_that_is_not_what_it_says_is_refused(void **state)
{
	(void)state;
	message.header.bytes = 10;
	for (size_t length = 0; length < 100; length++) {
		why = NULL;
		assert_int_equal(
			keeper_check(&message, length, 0, true, &why) == 0,
			length == sizeof(message.header) + 10);
	}
}

static void descriptors_that_do_not_belong_there_are_refused(void **state)
{
	(void)state;
	assert_int_equal(check(KEEPER_FDS_MAX + 1), -EPROTO);
	message.header.type = KEEPER_FORGET;
	assert_int_equal(check(1), -EPROTO);
}

static void a_name_without_an_end_is_refused(void **state)
{
	(void)state;
	memset(message.header.name, 'x', sizeof(message.header.name));
	assert_refused("name");
}

static void what_is_sent_arrives_with_its_descriptors(void **state)
{
	int sent[2] = { ends[0], STDIN_FILENO };

	(void)state;
	message.header.bytes = 3;
	assert_int_equal(
		keeper_send(ends[0], &message.header, "abc", sent, 2), 0);
	assert_int_equal(receive(), 1);
	assert_string_equal((const char *)got.record, "abc");
	assert_string_equal(got.header.name, "web1");
	assert_int_equal(fd_count, 2);
	assert_int_equal(fcntl(fds[0], F_GETFD), FD_CLOEXEC);
}

static int open_count(void)
{
	int count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void descriptors_of_what_is_refused_are_closed(void **state)
{
	int sent[2] = { ends[0], ends[0] }, before = open_count();

	(void)state;
	message.header.type = KEEPER_READY;
	assert_int_equal(keeper_send(ends[0], &message.header, NULL, sent, 2),
			 0);
	assert_int_equal(receive(), -EPROTO);
	assert_int_equal(fd_count, 0);
	assert_int_equal(open_count(), before);
}

static void a_full_channel_is_not_waited_for(void **state)
{
	int sent = 0, err = 0;

	(void)state;
	message.header.bytes = KEEPER_RECORD_BYTES;
	while (!err && sent < 100000) {
		err = keeper_send(ends[0], &message.header, message.record,
				  NULL, 0);
		sent += !err;
	}
	assert_int_equal(err, -EAGAIN);
	for (; sent; sent--)
		assert_int_equal(receive(), 1);
	assert_int_equal(receive(), -EAGAIN);
}

static void an_end_of_the_other_side_is_told_and_kills_nobody(void **state)
{
	(void)state;
	assert_int_equal(keeper_send(ends[0], &message.header, NULL, NULL, 0),
			 0);
	close(ends[0]);
	ends[0] = -1;
	assert_int_equal(receive(), 1); /* what was said before counts */
	assert_int_equal(receive(), 0);
	assert_int_equal(keeper_send(ends[1], &message.header, NULL, NULL, 0),
			 -EPIPE);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_may_be_kept_is_a_message),
		TEST(one_of_another_version_is_refused),
		TEST(a_type_that_there_is_not_is_refused),
		TEST(a_switch_cannot_say_what_keepers_say),
		TEST(a_key_out_of_the_table_is_refused),
		TEST(what_only_a_keeper_knows_is_no_flag_of_a_switch),
		TEST(a_record_of_one_byte_too_many_is_refused),
		TEST(a_length_that_is_not_what_it_says_is_refused),
		TEST(descriptors_that_do_not_belong_there_are_refused),
		TEST(a_name_without_an_end_is_refused),
		TEST(what_is_sent_arrives_with_its_descriptors),
		TEST(descriptors_of_what_is_refused_are_closed),
		TEST(a_full_channel_is_not_waited_for),
		TEST(an_end_of_the_other_side_is_told_and_kills_nobody),
	};

	return cmocka_run_group_tests_name("keeper_wire", tests, NULL, NULL);
}
