/*
 * For valgrind only, which does not see what the ring writes: what stream_next()
 * is given has come from the kernel and is there. Linked with
 * -Wl,--wrap=stream_next (reliability.mk).
 */
#include <stddef.h>
#include <valgrind/memcheck.h>

#include "../switch/wire_stream.h"

enum stream_verdict __real_stream_next(struct stream_parser *parser,
				       const uint8_t **at, const uint8_t *end,
				       struct stream_piece *piece);
enum stream_verdict __wrap_stream_next(struct stream_parser *parser,
				       const uint8_t **at, const uint8_t *end,
				       struct stream_piece *piece);

enum stream_verdict __wrap_stream_next(struct stream_parser *parser,
				       const uint8_t **at, const uint8_t *end,
				       struct stream_piece *piece)
{
	VALGRIND_MAKE_MEM_DEFINED(*at, (size_t)(end - *at));
	return __real_stream_next(parser, at, end, piece);
}
