/* Who may attach, and who gives way: against loops over everybody. */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "../switch/admission.h"
#include "../switch/port.h"

enum { OWN = 1000, ALICE = 1001, BOB = 1002, CAROL = 1003 };

static struct ports ps;
static struct port all[PORTS_MAX];
static char why[128];

static int start(void **state)
{
	(void)state;
	memset(&ps, 0, sizeof(ps));
	memset(all, 0, sizeof(all));
	*why = '\0';
	return 0;
}

static struct port *add(enum port_state state, uid_t uid, uint32_t pid)
{
	struct port *p = &all[ps.id_end];

	*p = (struct port){ .state = state, .peer_uid = uid, .peer_pid = pid,
			    .id = ps.id_end, .since_ms = ps.id_end };
	ps.by_id[ps.id_end++] = p;
	ps.up_count = (uint16_t)(ps.up_count + (state == PORT_UP));
	ps.joining_count =
		(uint16_t)(ps.joining_count + (state == PORT_JOINING));
	return p;
}

static void add_many(unsigned n, enum port_state state, uid_t uid)
{
	while (n--)
		add(state, uid, 7);
}

static bool allows(uid_t uid, uint32_t most)
{
	return admission_allows(&ps, uid, most, OWN, why, sizeof(why));
}

/* How many ports @uid gets when it asks as often as it can. */
static unsigned takes_all(uid_t uid, uint32_t most)
{
	unsigned n = 0;

	while (ps.id_end < PORTS_MAX && allows(uid, most)) {
		add(PORT_UP, uid, 7);
		n++;
	}
	return n;
}

/* --- how many ports ------------------------------------------------------- */

static void a_user_alone_gets_half_of_all(void **state)
{
	(void)state;
	assert_int_equal(takes_all(ALICE, 0), PORTS_MAX / 2);
	assert_non_null(strstr(why, "--ports-per-uid"));
}

static void the_next_user_always_finds_room(void **state)
{
	(void)state;
	takes_all(ALICE, 0);
	assert_int_equal(takes_all(BOB, 0), PORTS_MAX / 4);
	assert_int_equal(takes_all(CAROL, 0), PORTS_MAX / 8);
	assert_false(allows(ALICE, 0));
	assert_true(allows(CAROL + 1, 0));
}

static void root_and_who_runs_the_switch_may_have_all(void **state)
{
	(void)state;
	takes_all(ALICE, 0);
	assert_int_equal(takes_all(0, 0), PORTS_MAX / 2);
	start(state);
	assert_int_equal(takes_all(OWN, 0), PORTS_MAX);
}

static void a_number_that_was_said_is_for_everybody(void **state)
{
	static const uid_t users[] = { 0, OWN, ALICE, BOB };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(users); i++)
		assert_int_equal(takes_all(users[i], 10), 10);
	assert_string_equal(why, "this user has 10 ports already: --ports-per-uid");
}

static void ports_that_were_not_asked_for_are_nobodys(void **state)
{
	(void)state;
	add_many(20, PORT_UP, UINT32_MAX); /* taps: port_new() */
	assert_int_equal(takes_all(0, 10), 10);
}

static void who_is_still_joining_counts_and_who_has_gone_does_not(void **state)
{
	(void)state;
	add_many(5, PORT_JOINING, ALICE);
	add_many(5, PORT_CLOSING, ALICE);
	add_many(5, PORT_FREE, ALICE);
	add(PORT_JOINING, ALICE, 7)->failed = "it goes";
	assert_int_equal(takes_all(ALICE, 10), 5);
}

/* --- who gives way -------------------------------------------------------- */

static void nobody_gives_way_where_nobody_joins(void **state)
{
	(void)state;
	assert_null(admission_gives_way(&ps));
	add(PORT_UP, ALICE, 7);
	add(PORT_JOINING, ALICE, 7)->failed = "it goes";
	assert_null(admission_gives_way(&ps));
	assert_int_equal(admission_joining(&ps), 0);
}

static void the_oldest_of_the_user_with_most_gives_way(void **state)
{
	(void)state;
	add(PORT_JOINING, BOB, 1);
	add_many(2, PORT_UP, ALICE);
	add_many(3, PORT_JOINING, ALICE);
	add(PORT_JOINING, BOB, 1);
	assert_ptr_equal(admission_gives_way(&ps), &all[3]);
	all[5].since_ms = 0;
	assert_ptr_equal(admission_gives_way(&ps), &all[5]);
}

static void of_a_user_the_process_with_most_gives_way(void **state)
{
	(void)state;
	add(PORT_JOINING, ALICE, 0x101);
	add(PORT_JOINING, ALICE, 0x201);
	add(PORT_JOINING, ALICE, 0x301);
	add(PORT_JOINING, ALICE, 0x201);
	assert_ptr_equal(admission_gives_way(&ps), &all[1]);
}

static void many_processes_of_one_user_push_out_nobody_elses(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++)
		add(PORT_JOINING, BOB, 7);
	for (unsigned i = 0; i < JOINING_MAX - 3; i++)
		add(PORT_JOINING, ALICE, 10000 + i);
	assert_ptr_equal(admission_gives_way(&ps), &all[3]);
}

/* --- at random ------------------------------------------------------------ */

static unsigned same_user(const struct port *p, bool and_process)
{
	unsigned n = 0;

	for (unsigned i = 0; i < ps.id_end; i++)
		n += all[i].state == PORT_JOINING &&
		     all[i].peer_uid == p->peer_uid &&
		     (!and_process || all[i].peer_pid == p->peer_pid);
	return n;
}

/* Whether @p should go before @than. */
static bool goes_before(const struct port *p, const struct port *than)
{
	if (!than || same_user(p, false) != same_user(than, false))
		return !than || same_user(p, false) > same_user(than, false);
	if (same_user(p, true) != same_user(than, true))
		return same_user(p, true) > same_user(than, true);
	return p->since_ms < than->since_ms;
}

static void it_is_who_a_loop_over_all_would_choose(void **state)
{
	srandom(1);
	for (unsigned round = 0; round < 300; round++) {
		const struct port *first = NULL;

		start(state);
		for (unsigned n = 1 + (unsigned)random() % 60; n; n--) {
			uid_t uid = (uid_t)random() % 3;

			add(random() % 4 ? PORT_JOINING : PORT_UP, uid,
			    uid + 1024 * ((uint32_t)random() % 5))
				->since_ms = (uint64_t)random();
		}
		for (unsigned i = 0; i < ps.id_end; i++)
			if (all[i].state == PORT_JOINING &&
			    goes_before(&all[i], first))
				first = &all[i];
		assert_ptr_equal(admission_gives_way(&ps), first);
	}
}

#define TEST(name) cmocka_unit_test_setup(name, start)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_user_alone_gets_half_of_all),
		TEST(the_next_user_always_finds_room),
		TEST(root_and_who_runs_the_switch_may_have_all),
		TEST(a_number_that_was_said_is_for_everybody),
		TEST(ports_that_were_not_asked_for_are_nobodys),
		TEST(who_is_still_joining_counts_and_who_has_gone_does_not),
		TEST(nobody_gives_way_where_nobody_joins),
		TEST(the_oldest_of_the_user_with_most_gives_way),
		TEST(of_a_user_the_process_with_most_gives_way),
		TEST(many_processes_of_one_user_push_out_nobody_elses),
		TEST(it_is_who_a_loop_over_all_would_choose),
	};

	return cmocka_run_group_tests_name("admission", tests, NULL, NULL);
}
