/* What the kernel tells of network devices, as messages of rtnetlink(7). */
#include "test.h"

#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../tap/tap_links.h"

/* A message that is being put together. */
struct message {
	size_t length;
	uint8_t bytes[1024];
};

static void put(struct message *m, const void *data, size_t bytes)
{
	memcpy(m->bytes + m->length, data, bytes);
	m->length = NLMSG_ALIGN(m->length + bytes);
}

static void begin(struct message *m, uint16_t type, uint8_t family,
		  int32_t index, unsigned flags)
{
	const struct nlmsghdr h = { .nlmsg_type = type };
	const struct ifinfomsg info = { .ifi_family = family,
					.ifi_index = index,
					.ifi_flags = flags };

	memset(m, 0, sizeof(*m));
	put(m, &h, sizeof(h));
	put(m, &info, sizeof(info));
}

static void attribute(struct message *m, uint16_t type, const void *data,
		      size_t bytes)
{
	const struct rtattr a = { .rta_type = type,
				  .rta_len = (uint16_t)(sizeof(a) + bytes) };

	put(m, &a, sizeof(a));
	put(m, data, bytes);
}

static void end(struct message *m)
{
	struct nlmsghdr h;

	memcpy(&h, m->bytes, sizeof(h));
	h.nlmsg_len = (uint32_t)m->length;
	memcpy(m->bytes, &h, sizeof(h));
}

static const uint8_t address[6] = { 2, 0, 0, 0, 0, 7 };

static struct message new_link(int32_t index, unsigned flags, const char *name,
			       uint32_t mtu)
{
	struct message m;

	begin(&m, RTM_NEWLINK, AF_UNSPEC, index, flags);
	attribute(&m, IFLA_IFNAME, name, strlen(name) + 1);
	attribute(&m, IFLA_MTU, &mtu, sizeof(mtu));
	attribute(&m, IFLA_ADDRESS, address, sizeof(address));
	end(&m);
	return m;
}

/* What has been told. */
struct told {
	unsigned count;
	struct tap_link last;
};

static void hear(void *context, const struct tap_link *link)
{
	struct told *told = context;

	/* Read all of it, so that a sanitizer sees what was not written. */
	assert_true(strnlen(link->name, sizeof(link->name)) <
		    sizeof(link->name));
	assert_true(link->index);
	told->count++;
	told->last = *link;
}

static struct told parse(const struct message *m)
{
	struct told told = { 0 };

	assert_false(tap_links_parse(m->bytes, m->length, hear, &told));
	return told;
}

static void a_device_is_told_of_with_name_mtu_address_and_state(void **state)
{
	const struct message m = new_link(5, IFF_UP | IFF_RUNNING, "tap0", 900);
	const struct told told = parse(&m);

	(void)state;
	assert_int_equal(told.count, 1);
	assert_int_equal(told.last.index, 5);
	assert_true(told.last.up);
	assert_false(told.last.gone);
	assert_int_equal(told.last.mtu, 900);
	assert_string_equal(told.last.name, "tap0");
	assert_memory_equal(told.last.address, address, sizeof(address));
}

static void one_that_is_down_is_told_to_be(void **state)
{
	const struct message m = new_link(5, IFF_BROADCAST, "tap0", 900);

	(void)state;
	assert_false(parse(&m).last.up);
}

static void what_is_not_said_is_not_known(void **state)
{
	struct message m;
	struct told told;

	(void)state;
	begin(&m, RTM_NEWLINK, AF_UNSPEC, 5, IFF_UP);
	end(&m);
	told = parse(&m);
	assert_int_equal(told.count, 1);
	assert_int_equal(told.last.mtu, 0);
	assert_string_equal(told.last.name, "");
	assert_int_equal(told.last.address[5], 0);
}

static void a_device_that_has_gone_is_told_of(void **state)
{
	struct message m;
	struct told told;

	(void)state;
	begin(&m, RTM_DELLINK, AF_UNSPEC, 5, 0);
	end(&m);
	told = parse(&m);
	assert_int_equal(told.count, 1);
	assert_true(told.last.gone);
}

/* A port that leaves a bridge is deleted for the bridge only. */
static void what_a_bridge_says_of_its_ports_is_not_about_devices(void **state)
{
	struct message m;

	(void)state;
	begin(&m, RTM_DELLINK, AF_BRIDGE, 5, 0);
	end(&m);
	assert_int_equal(parse(&m).count, 0);
}

static void other_messages_are_passed_over(void **state)
{
	struct message m;

	(void)state;
	begin(&m, RTM_NEWADDR, AF_UNSPEC, 5, 0);
	end(&m);
	assert_int_equal(parse(&m).count, 0);
	begin(&m, RTM_NEWLINK, AF_UNSPEC, -1, 0);
	end(&m);
	assert_int_equal(parse(&m).count, 0);
}

static void several_in_one_piece_are_all_told_of(void **state)
{
	const struct message one = new_link(5, IFF_UP, "tap0", 900);
	const struct message two = new_link(6, IFF_UP, "tap1", 901);
	struct message both = one;
	struct told told;

	(void)state;
	put(&both, two.bytes, two.length);
	told = parse(&both);
	assert_int_equal(told.count, 2);
	assert_int_equal(told.last.index, 6);
}

static void the_end_of_an_answer_is_seen(void **state)
{
	const uint16_t ends[] = { NLMSG_DONE, NLMSG_ERROR };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		struct message m;
		struct told told = { 0 };

		begin(&m, ends[i], 0, 0, 0);
		end(&m);
		assert_true(tap_links_parse(m.bytes, m.length, hear, &told));
		assert_int_equal(told.count, 0);
	}
}

static void a_name_that_is_too_long_or_has_no_end_is_not_taken(void **state)
{
	static const char names[][32] = { "1234567890123456", "abcdefghijkl" };
	const size_t bytes[] = { 17, 12 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct message m;

		begin(&m, RTM_NEWLINK, AF_UNSPEC, 5, IFF_UP);
		attribute(&m, IFLA_IFNAME, names[i], bytes[i]);
		end(&m);
		assert_string_equal(parse(&m).last.name, "");
	}
}

/* From memory of just that size, so that a sanitizer sees who reads beyond. */
static void parse_exactly(const uint8_t *bytes, size_t length)
{
	struct told told = { 0 };
	uint8_t *copy = malloc(length + !length);

	assert_non_null(copy);
	memcpy(copy, bytes, length);
	tap_links_parse(copy, length, hear, &told);
	free(copy);
}

static void nothing_is_read_beyond_what_there_is(void **state)
{
	const struct message m = new_link(5, IFF_UP, "tap0", 900);

	(void)state;
	for (size_t length = 0; length <= m.length; length++)
		parse_exactly(m.bytes, length);
}

static void no_message_does_harm(void **state)
{
	const struct message m = new_link(5, IFF_UP, "tap0", 900);

	(void)state;
	srand(1);
	for (int i = 0; i < 200000; i++) {
		struct message bad = m;

		for (int n = rand() % 4; n >= 0; n--)
			bad.bytes[(size_t)rand() % m.length] = (uint8_t)rand();
		parse_exactly(bad.bytes, (size_t)rand() % (m.length + 1));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_device_is_told_of_with_name_mtu_address_and_state),
		cmocka_unit_test(one_that_is_down_is_told_to_be),
		cmocka_unit_test(what_is_not_said_is_not_known),
		cmocka_unit_test(a_device_that_has_gone_is_told_of),
		cmocka_unit_test(
			what_a_bridge_says_of_its_ports_is_not_about_devices),
		cmocka_unit_test(other_messages_are_passed_over),
		cmocka_unit_test(several_in_one_piece_are_all_told_of),
		cmocka_unit_test(the_end_of_an_answer_is_seen),
		cmocka_unit_test(
			a_name_that_is_too_long_or_has_no_end_is_not_taken),
		cmocka_unit_test(nothing_is_read_beyond_what_there_is),
		cmocka_unit_test(no_message_does_harm),
	};

	return cmocka_run_group_tests_name("tap_links", tests, NULL, NULL);
}
