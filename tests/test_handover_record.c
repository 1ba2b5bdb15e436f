#include "test.h"

#include <string.h>

#include "../switch/endpoint.h"
#include "../switch/handover_record.h"

static struct port_record good, got;

static int fresh(void **state)
{
	(void)state;
	memset(&good, 0, sizeof(good));
	good.version = HANDOVER_VERSION;
	good.kind = RECORD_BESS;
	good.flags = RECORD_LISTENER;
	good.settings.queue = 512;
	strcpy(good.name, "bess1");
	strcpy(good.where, "bess:/tmp/b");
	return 0;
}

static bool is_taken(void)
{
	return port_record_read(&good, sizeof(good), &got);
}

static void a_record_is_read_as_it_was_written(void **state)
{
	(void)state;
	good.peer_uid = 1000;
	assert_true(is_taken());
	assert_memory_equal(&got, &good, sizeof(got));
}

static void only_a_tap_has_something_behind_its_record(void **state)
{
	struct {
		struct port_record port;
		uint8_t more[10];
	} r = { .port = good };

	(void)state;
	assert_false(port_record_read(&r, sizeof(r), &got));
	assert_false(port_record_read(&r, sizeof(r.port) - 1, &got));
	assert_false(port_record_read(&r, 0, &got));
	r.port.kind = RECORD_TAP;
	assert_true(port_record_read(&r, sizeof(r), &got));
}

#define REFUSED(change)                                                      \
	do {                                                                 \
		fresh(NULL);                                                 \
		assert_true(is_taken());                                     \
		change;                                                      \
		assert_false(is_taken());                                    \
	} while (0)

static void what_is_out_of_range_is_refused(void **state)
{
	(void)state;
	REFUSED(good.version = HANDOVER_VERSION + 1);
	REFUSED(good.kind = RECORD_KIND_COUNT);
	REFUSED(good.flags = 0x80);
	REFUSED(good.number = PORTS_MAX + 1);
	REFUSED(good.endpoint = LISTENERS_MAX);
	REFUSED(good.request_bytes = sizeof(good.request) + 1);
	REFUSED(good.own_bytes = sizeof(good.own) + 1);
	REFUSED(good.guest_bytes = sizeof(good.guest) + 1);
	REFUSED(good.settings.queue = 0);
	REFUSED(good.settings.queue = PORT_QUEUE_MAX + 1);
	REFUSED(good.settings.flags |= PORT_OBSERVED);
}

static void texts_have_to_end_and_names_to_be_names(void **state)
{
	(void)state;
	REFUSED(memset(good.name, 'a', sizeof(good.name)));
	REFUSED(good.name[0] = '\0');
	REFUSED(strcpy(good.name, "a b"));
	REFUSED(memset(good.where, 'a', sizeof(good.where)));
	REFUSED(memset(good.description, 'a', sizeof(good.description)));
	REFUSED(memset(good.settings.mirror_name, 'a',
		       sizeof(good.settings.mirror_name)));
	REFUSED(strcpy(good.settings.mirror_name, "a/b"));
	REFUSED(memset(good.file.path, '/', sizeof(good.file.path)));
	/* We would remove it relative to where we happen to be. */
	REFUSED(strcpy(good.file.path, "tmp/b"));
}

/* It has no name yet. */
static void who_is_joining_needs_no_name(void **state)
{
	(void)state;
	good.name[0] = '\0';
	good.flags |= RECORD_JOINING;
	assert_true(is_taken());
}

static void a_record_belongs_to_endpoints_of_its_kind_only(void **state)
{
	(void)state;
	for (enum endpoint_kind kind = 0; kind < ENDPOINT_KIND_COUNT; kind++)
		assert_int_equal(port_record_fits(&good, kind),
				 kind == LISTEN_BESS || kind == LISTEN_FD);
	good.flags = 0;
	for (enum endpoint_kind kind = 0; kind < ENDPOINT_KIND_COUNT; kind++)
		assert_int_equal(port_record_fits(&good, kind),
				 kind == PORT_CONNECT_BESS || kind == PORT_FD);
	good.kind = RECORD_TAP;
	for (enum endpoint_kind kind = 0; kind < ENDPOINT_KIND_COUNT; kind++)
		assert_int_equal(port_record_fits(&good, kind),
				 kind == PORT_TAP || kind == PORT_FD);
}

static void only_guests_of_uml_and_vde_have_to_join(void **state)
{
	(void)state;
	good.flags |= RECORD_JOINING;
	assert_false(port_record_fits(&good, LISTEN_BESS));
	good.kind = RECORD_UML;
	assert_true(port_record_fits(&good, LISTEN_UML));
	assert_true(port_record_fits(&good, LISTEN_VDE));
	assert_false(port_record_fits(&good, PORT_FD));
}

static void a_listener_serves_something(void **state)
{
	struct listener_record r = { .version = HANDOVER_VERSION,
				     .serves = LISTEN_STREAM }, to;

	(void)state;
	assert_true(listener_record_read(&r, sizeof(r), &to));
	assert_false(listener_record_read(&r, sizeof(r) - 1, &to));
	r.serves = LISTEN_FD;
	assert_false(listener_record_read(&r, sizeof(r), &to));
	r.serves = LISTEN_UML;
	memset(r.made_directory, '/', sizeof(r.made_directory));
	assert_false(listener_record_read(&r, sizeof(r), &to));
}

static void endpoints_come_one_after_the_other(void **state)
{
	static const char text[] = "L0 uml:/a\0P255 tap:t,name=x\0L7 fd:3";
	const char *at = text, *end = text + sizeof(text), *what;
	unsigned number;
	bool listener;

	(void)state;
	at = handover_endpoint_next(at, end, &listener, &number, &what);
	assert_true(listener && number == 0);
	assert_string_equal(what, "uml:/a");
	at = handover_endpoint_next(at, end, &listener, &number, &what);
	assert_true(!listener && number == 255);
	assert_string_equal(what, "tap:t,name=x");
	at = handover_endpoint_next(at, end, &listener, &number, &what);
	assert_true(listener && number == 7);
	assert_string_equal(what, "fd:3");
	assert_ptr_equal(at, end);
	assert_null(handover_endpoint_next(at, end, &listener, &number, &what));
}

static void what_is_no_endpoint_is_the_end(void **state)
{
	static const char *const wrong[] = { "X0 uml:/a", "L256 uml:/a", "L5", "P99999999999 tap:t", "" };
	const char *what;
	unsigned number;
	bool listener;

	(void)state;
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		const char *end = wrong[i] + strlen(wrong[i]) + 1;

		assert_null(handover_endpoint_next(wrong[i], end, &listener,
						   &number, &what));
	}
	/* Without its end. */
	assert_null(handover_endpoint_next(wrong[1], wrong[1] + 5, &listener,
					   &number, &what));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_record_is_read_as_it_was_written, fresh),
		cmocka_unit_test_setup(only_a_tap_has_something_behind_its_record, fresh),
		cmocka_unit_test_setup(what_is_out_of_range_is_refused, fresh),
		cmocka_unit_test_setup(texts_have_to_end_and_names_to_be_names, fresh),
		cmocka_unit_test_setup(who_is_joining_needs_no_name, fresh),
		cmocka_unit_test_setup(a_record_belongs_to_endpoints_of_its_kind_only, fresh),
		cmocka_unit_test_setup(only_guests_of_uml_and_vde_have_to_join, fresh),
		cmocka_unit_test(a_listener_serves_something),
		cmocka_unit_test(endpoints_come_one_after_the_other),
		cmocka_unit_test(what_is_no_endpoint_is_the_end),
	};

	return cmocka_run_group_tests_name("handover_record", tests, NULL, NULL);
}
