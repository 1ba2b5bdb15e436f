#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "../switch/block_ring.h"

enum { SIZE = 64 };

/* Numbered bytes go in, as they come they go out. */
struct stream {
	struct block_ring ring;
	uint8_t bytes[SIZE];
	uint8_t next_in, next_out;
};

static bool put(struct stream *s, size_t bytes)
{
	uint8_t *to = block_ring_room(&s->ring, bytes);

	if (!to)
		return false;
	assert_true(to >= s->bytes && to + bytes <= s->bytes + SIZE);
	for (size_t i = 0; i < bytes; i++)
		to[i] = s->next_in++;
	block_ring_put(&s->ring, bytes);
	return true;
}

static void take(struct stream *s, size_t bytes)
{
	size_t there;
	const uint8_t *from = block_ring_front(&s->ring, &there);

	bytes = bytes < there ? bytes : there;
	for (size_t i = 0; i < bytes; i++)
		assert_int_equal(from[i], s->next_out++);
	block_ring_sent(&s->ring, bytes);
}

static void begin(struct stream *s)
{
	memset(s, 0, sizeof(*s));
	s->ring.bytes = s->bytes;
	s->ring.size = SIZE;
}

static void what_goes_in_comes_out_in_order(void **state)
{
	struct stream s;
	size_t waits = 0;

	(void)state;
	srand(1);
	begin(&s);
	for (int i = 0; i < 1000000; i++) {
		size_t bytes = (size_t)rand() % 24 + 1;

		if (rand() % 2) {
			waits += put(&s, bytes) ? bytes : 0;
		} else {
			size_t before = block_ring_pending(&s.ring);

			take(&s, bytes);
			waits -= before - block_ring_pending(&s.ring);
		}
		assert_int_equal(block_ring_pending(&s.ring), waits);
	}
}

static void it_takes_all_that_fits(void **state)
{
	struct stream s;

	(void)state;
	begin(&s);
	assert_true(put(&s, SIZE));
	assert_false(put(&s, 1));
	take(&s, SIZE);
	assert_int_equal(block_ring_pending(&s.ring), 0);
	assert_true(put(&s, SIZE));
}

static void a_block_is_never_in_two_pieces(void **state)
{
	struct stream s;

	(void)state;
	begin(&s);
	assert_true(put(&s, 40));
	take(&s, 30);
	/* 24 are left at the end and 30 at the front. */
	assert_false(put(&s, 31));
	assert_true(put(&s, 30));
	assert_false(put(&s, 1)); /* full is not empty */
	assert_int_equal(block_ring_pending(&s.ring), 40);
	take(&s, 10);
	take(&s, 30);
	assert_int_equal(block_ring_pending(&s.ring), 0);
}

static void room_that_is_not_used_is_not_taken(void **state)
{
	struct stream s;

	(void)state;
	begin(&s);
	assert_non_null(block_ring_room(&s.ring, 60));
	assert_int_equal(block_ring_pending(&s.ring), 0);
	assert_true(put(&s, SIZE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_goes_in_comes_out_in_order),
		cmocka_unit_test(it_takes_all_that_fits),
		cmocka_unit_test(a_block_is_never_in_two_pieces),
		cmocka_unit_test(room_that_is_not_used_is_not_taken),
	};

	return cmocka_run_group_tests_name("block_ring", tests, NULL, NULL);
}
