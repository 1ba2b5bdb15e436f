#include "forward.h"

#include "ether.h"
#include "latency.h"
#include "mac.h"
#include "port.h"
#include "port_security.h"
#include "trace.h"

static void drop(struct forward *fw, struct port *in, struct frame *f,
		 enum drop why)
{
	port_drop(fw->ports, in, f, why);
}

/* From now on @f counts as forwarded. */
static void goes_on(struct forward *fw, struct port *in, struct frame *f)
{
	in->counters->forwarded++;
	if (in->flags & PORT_OBSERVED)
		fw->ports->observe(fw->ports, in, f, SEEN_IN, 0);
}

/* Whether a flood from @in has a receiver among those without any of the flags
 * @without. One that is stalled and not in the list takes every flood. */
static bool has_receiver(const struct ports *ps, const struct port *in,
			 uint16_t without)
{
	int others = ps->up_count - ps->admin_down_count - 1;

	if (others > ps->flood_count - (in->flood_at != PORT_NONE))
		return true;
	for (uint16_t i = 0; i < ps->flood_count; i++)
		if (ps->flood[i] != in && !(ps->flood[i]->flags & without))
			return true;
	return false;
}

/* Whether @in has flooded less than it may; if not, @f is dropped. */
static bool judge_flood(struct forward *fw, struct port *in, struct frame *f,
			bool unknown)
{
	enum drop why;

	if (port_may_flood(in, ether_dst(f->data), unknown, fw->round_ns, &why))
		return true;
	drop(fw, in, f, why);
	return false;
}

/* Ports that are stalled are not in the list: that they missed one is counted
 * when somebody asks (port_counters). */
static void flood(struct forward *fw, struct port *in, struct frame *f,
		  bool unknown)
{
	struct ports *ps = fw->ports;
	uint16_t without = (uint16_t)((in->flags & PORT_ISOLATED) |
				      (unknown ? PORT_NO_FLOOD : 0));

	if (in->flags & PORT_STORM && !judge_flood(fw, in, f, unknown))
		return;
	if (!has_receiver(ps, in, without)) {
		without &= (uint16_t)~PORT_ISOLATED;
		drop(fw, in, f, has_receiver(ps, in, without) ? DROP_ISOLATED
							      : DROP_NO_PORT);
		return;
	}
	trace_frame_flooded(f, in);
	goes_on(fw, in, f);
	in->counters->flooded++;
	ps->floods++;
	f->flooded = true;
	for (uint16_t i = 0; i < ps->flood_count; i++)
		if (ps->flood[i] != in && !(ps->flood[i]->flags & without))
			port_send(ps, ps->flood[i], f);
}

static void note_destination(struct port *in, uint16_t id)
{
	if (in->last_to == id) {
		in->run_frames++;
		return;
	}
	if (in->last_to != PORT_NONE)
		in->run_frames = 0;
	in->last_to = id;
}

static void unicast(struct forward *fw, struct port *in, struct port *out,
		    struct frame *f)
{
	if (out == in) {
		drop(fw, in, f, DROP_SAME_PORT);
	} else if (in->flags & out->flags & PORT_ISOLATED) {
		drop(fw, in, f, DROP_ISOLATED);
	} else if (out->flags & PORT_ADMIN_DOWN) {
		drop(fw, in, f, DROP_NO_PORT);
	} else {
		trace_frame_forwarded(f, in, out);
		note_destination(in, out->id);
		goes_on(fw, in, f);
		port_send(fw->ports, out, f);
	}
}

static void learn(struct forward *fw, struct port *in, uint64_t src,
		  uint32_t now_s)
{
	enum mac_learned what = mac_learn(fw->macs, src, in->id, now_s);

	/* What lives on a port that may not spoof stays there. */
	if (what == MAC_MOVED &&
	    fw->ports->by_id[mac_moved_from(fw->macs)]->flags & PORT_NO_SPOOF)
		what = mac_move_back(fw->macs);
	if (fw->learned && (what == MAC_NEW || what == MAC_MOVED))
		fw->learned(fw, in, src, what);
}

/* A port that is not like others: whether a frame from @src may go on, and
 * whether @src is to be learned. */
static bool judge_source(struct forward *fw, struct port *in, struct frame *f,
			 uint64_t src, uint32_t now_s, bool *learns)
{
	uint16_t at = mac_lookup(fw->macs, src, now_s);
	bool known = at == in->id;

	*learns = !(in->flags & (PORT_NO_LEARNING | PORT_LOCKED));
	if (in->flags & PORT_ADMIN_DOWN) {
		drop(fw, in, f, DROP_ADMIN_DOWN);
		return false;
	}
	if (in->flags & PORT_LOCKED && !known) {
		drop(fw, in, f, DROP_LOCKED);
		return false;
	}
	if (in->flags & PORT_NO_SPOOF && port_spoofs(fw->ports, in, src, at)) {
		drop(fw, in, f, DROP_SPOOFED);
		return false;
	}
	if (in->flags & PORT_MAC_LIMIT && *learns && !known && src &&
	    !ether_is_group(src) &&
	    mac_port_count(fw->macs, in->id) >= in->mac_limit &&
	    mac_held(fw->macs, in->id, now_s) >= in->mac_limit) {
		drop(fw, in, f, DROP_MAC_LIMIT);
		return false;
	}
	return true;
}

static bool count_in(struct forward *fw, struct port *in, struct frame *f)
{
	in->counters->received++;
	in->counters->received_bytes += f->len;
	fw->frames++;
	trace_frame_received(f, in);
	if (in->counters->received % LATENCY_EVERY == 0)
		f->stamp = latency_stamp(fw->round_ns);
	if (f->len < ETHER_HEADER_BYTES)
		drop(fw, in, f, DROP_RUNT);
	else if (f->len > f->pool->slot_bytes)
		drop(fw, in, f, DROP_RX_TOO_LONG);
	else
		return true;
	return false;
}

void forward_frame(struct forward *fw, struct port *in, struct frame *f,
		   uint32_t now_s)
{
	uint64_t src, dst;
	bool learns = true;
	uint16_t id;

	if (!count_in(fw, in, f))
		return;
	src = ether_src(f->data);
	dst = ether_dst(f->data);
	if (in->flags & PORT_JUDGES_SOURCE &&
	    !judge_source(fw, in, f, src, now_s, &learns))
		return;
	if (learns && src && !ether_is_group(src))
		learn(fw, in, src, now_s);

	if (fw->hub || ether_is_group(dst)) {
		flood(fw, in, f, false);
		return;
	}
	id = mac_lookup(fw->macs, dst, now_s);
	if (id == MAC_NONE)
		flood(fw, in, f, true);
	else
		unicast(fw, in, fw->ports->by_id[id], f);
}

void forward_empty(struct forward *fw, struct port *in)
{
	in->counters->received++;
	fw->frames++;
	in->counters->drop[DROP_RUNT]++;
	trace_frame_dropped(in, DROP_RUNT, 0);
}

void forward_refused(struct forward *fw, struct port *in, struct frame *f)
{
	in->counters->received++;
	in->counters->received_bytes += f->len;
	fw->frames++;
	trace_frame_received(f, in);
	drop(fw, in, f, DROP_FILTER);
}
