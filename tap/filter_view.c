#include "filter_view.h"

#include <string.h>

/* Not all of it is for us. */
#define FILTER_FUNCTION static __attribute__((unused))
#define FILTER_WALK_COUNTS 0

typedef const struct filter_view *filter_set;

static struct filter_line *line_at(filter_set set, uint32_t at)
{
	return at < set->count ? &set->lines[at] : NULL;
}

/* Not asked for: limits are not kept here. */
static __u64 filter_now_ns(void)
{
	return 0;
}

#include "filter_translate.h"

static void look(struct filter_head *h, const uint8_t *frame, uint32_t bytes,
		 uint32_t at_most)
{
	h->frame_bytes = bytes;
	h->length = bytes < at_most ? bytes : at_most;
	h->vlan_beside = FIELD_NO_VLAN;
	memcpy(h->bytes + HEAD_SHIFT, frame, h->length);
}

bool filter_view_drops(const struct filter_view *view,
		       enum filter_direction direction, const uint8_t *frame,
		       uint32_t bytes, uint32_t *line)
{
	struct filter_walk w = {
		.set = view,
		.direction = direction,
		.frame_bytes = bytes,
	};
	const struct filter_line *header = line_at(view, direction);
	struct filter_rule *r = NULL;
	struct filter_head h = { 0 };

	look(&h, frame, bytes, FILTER_LOOK_BYTES);
	if (header)
		r = filter_decide(&w, &header->header, &h);
	if (line)
		*line = r ? r->line : 0;
	return !r || rule_drops(r, bytes);
}

void filter_view_translate(const struct filter_view *view,
			   enum filter_direction direction, uint8_t *frame,
			   uint32_t bytes)
{
	const struct filter_line *line = line_at(view, direction);
	struct filter_head h;

	if (!line || !line->header.names.roots || bytes < ETHERNET_BYTES)
		return;
	look(&h, frame, bytes, FILTER_MEND_BYTES);
	filter_translate(&h, view, &line->header.names);
	memcpy(frame, h.bytes + HEAD_SHIFT, h.length);
}
