#include "test.h"

#include <liburing.h>
#include <string.h>

#include "../switch/frame.h"

static void a_new_pool_offers_every_buffer_once(void **state)
{
	struct pool *pool = pool_new(8, 2048);
	unsigned seen = 0;

	(void)state;
	assert_non_null(pool);
	assert_int_equal(pool->available, 8);
	assert_int_equal(pool->ring->tail, 8);
	for (int i = 0; i < 8; i++) {
		seen |= 1u << pool->ring->bufs[i].bid;
		assert_int_equal(pool->ring->bufs[i].len, 2048);
	}
	assert_int_equal(seen, 0xff);
	pool_close(pool);
}

static void the_last_reference_puts_the_buffer_back(void **state)
{
	struct pool *pool = pool_new(8, 2048);
	struct frame *f = pool_take(pool, 3, 60);

	(void)state;
	frame_ref(f);
	frame_unref(f);
	assert_int_equal(pool->available, 7);
	frame_unref(f);
	assert_int_equal(pool->available, 8);
	assert_int_equal(pool->ring->tail, 9);
	assert_int_equal(pool->ring->bufs[8 % 8].bid, 3);
	pool_close(pool);
}

static void a_buffer_in_use_or_unknown_cannot_be_taken(void **state)
{
	struct pool *pool = pool_new(8, 2048);
	struct frame *f = pool_take(pool, 3, 60);

	(void)state;
	assert_null(pool_take(pool, 3, 60));
	assert_null(pool_take(pool, 8, 60));
	assert_int_equal(pool->available, 7);
	frame_unref(f);
	pool_close(pool);
}

static void a_closed_pool_lives_as_long_as_its_frames(void **state)
{
	struct pool *pool = pool_new(8, 2048);
	struct frame *f = pool_take(pool, 0, 60);
	struct frame *g = pool_take(pool, 1, 60);

	(void)state;
	pool_close(pool);
	frame_unref(f);
	memset(g->data, 1, g->len);
	frame_unref(g);
}

static void trimming_gives_back_only_what_is_unused(void **state)
{
	struct pool *pool = pool_new(8, 4096);
	struct frame *f = pool_take(pool, 2, 60);

	(void)state;
	f->data[0] = 0x55;
	pool_trim(pool);
	assert_int_equal(f->data[0], 0x55);
	frame_unref(f);
	pool_trim(pool);
	assert_int_equal(pool->data[2 * 4096], 0);
	assert_false(pool->warm);
	pool_close(pool);
}

static void our_own_buffers_are_given_out_until_there_is_none(void **state)
{
	struct pool *pool = pool_new_own(4, 2048);
	struct frame *frames[4];

	(void)state;
	for (int i = 0; i < 4; i++) {
		frames[i] = pool_get(pool);
		assert_non_null(frames[i]);
		assert_int_equal(frames[i]->refs, 1);
		memset(frames[i]->data, i, 2048);
	}
	assert_null(pool_get(pool));
	for (int i = 0; i < 4; i++)
		assert_int_equal(frames[i]->data[2047], i);
	frame_unref(frames[2]);
	assert_ptr_equal(pool_get(pool), frames[2]);
	for (int i = 0; i < 4; i++)
		frame_unref(frames[i]);
	assert_int_equal(pool->available, 4);
	pool_close(pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_pool_offers_every_buffer_once),
		cmocka_unit_test(the_last_reference_puts_the_buffer_back),
		cmocka_unit_test(a_buffer_in_use_or_unknown_cannot_be_taken),
		cmocka_unit_test(a_closed_pool_lives_as_long_as_its_frames),
		cmocka_unit_test(trimming_gives_back_only_what_is_unused),
		cmocka_unit_test(our_own_buffers_are_given_out_until_there_is_none),
	};

	return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}
