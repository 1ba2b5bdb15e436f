/* From the number of a frame to its bytes. See frames.h. */
#include "frames.h"

#include <string.h>

#include "pattern.h"
#include "plan.h"
#include "ports.h"

static void write_source(const struct frames *f,
			 const struct plan_sender *sender, uint64_t n,
			 uint8_t src[MAC_BYTES])
{
	const uint64_t sources = f->load->sources;

	if (sources)
		pattern_mac(src, MAC_SOURCE, (uint32_t)
			    (n % sources * f->plan->ports + sender->port));
	else
		memcpy(src, f->ports->peer[sender->port].mac, MAC_BYTES);
}

static void write_destination(const struct frames *f, uint32_t to, uint64_t seq,
			      uint8_t dst[MAC_BYTES])
{
	const uint64_t every = f->load->broadcast_every;

	if (every && seq % every == 0)
		memcpy(dst, mac_broadcast, MAC_BYTES);
	else if (to != PLAN_EVERYBODY)
		ports_mac(dst, to, seq % f->ports->addresses);
	else if (f->plan->pattern == PLAN_UNKNOWN)
		pattern_mac(dst, MAC_NOBODY, (uint32_t)seq);
	else
		memcpy(dst, mac_broadcast, MAC_BYTES);
}

size_t frames_write(const struct frames *f, const struct plan_sender *sender,
		    uint64_t n, uint64_t due_ns, uint64_t offered_ns,
		    uint8_t *bytes)
{
	const uint32_t turn = (uint32_t)(n % sender->count);
	struct pattern p = {
		.flow = sender->first + turn,
		.seq = n / sender->count,
		.due_ns = due_ns,
		.offered_ns = offered_ns,
	};
	/* Not by n: a mix as long as the turns would be one size a flow. */
	const size_t len = sizes_of(&f->load->sizes, p.seq + turn);
	uint8_t dst[MAC_BYTES], src[MAC_BYTES];

	write_source(f, sender, n, src);
	if (frames_is_idle(f->load, n)) {
		const uint32_t idle = (uint32_t)(n / f->load->idle_every %
						 f->ports->setup.idle);

		memcpy(dst, f->ports->peer[f->ports->busy + idle].mac,
		       MAC_BYTES);
		p.flow = PLAN_TO_IDLE + idle;
		p.seq = n;
	} else {
		write_destination(f, f->plan->flows[p.flow].to, p.seq, dst);
	}
	pattern_write(bytes, len, dst, src, TYPE_TRAFFIC, &p);
	return len;
}
