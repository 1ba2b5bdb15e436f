#include "forward.h"

#include "ether.h"
#include "mac.h"
#include "port.h"

static void drop(struct port *in, enum drop why)
{
	in->counters.drop[why]++;
}

/* Ports that are stalled are not in the list: that they missed one is counted
 * when somebody asks (port_counters). */
static void flood(struct ports *ps, struct port *in, struct frame *f)
{
	if (ps->up_count < 2) {
		drop(in, DROP_NO_PORT);
		return;
	}
	in->counters.forwarded++;
	in->counters.flooded++;
	ps->floods++;
	f->flooded = true;
	for (uint16_t i = 0; i < ps->flood_count; i++)
		if (ps->flood[i] != in)
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

void forward_frame(struct forward *fw, struct port *in, struct frame *f,
		   uint32_t now_s)
{
	struct port *out;
	uint64_t src, dst;
	uint16_t id;

	in->counters.received++;
	in->counters.received_bytes += f->len;
	if (f->len < ETHER_HEADER_BYTES) {
		drop(in, DROP_RUNT);
		return;
	}
	if (f->len > f->pool->slot_bytes) {
		drop(in, DROP_RX_TOO_LONG);
		return;
	}
	src = ether_src(f->data);
	dst = ether_dst(f->data);
	if (src && !ether_is_group(src))
		mac_learn(fw->macs, src, in->id, now_s);

	if (fw->hub || ether_is_group(dst)) {
		flood(fw->ports, in, f);
		return;
	}
	id = mac_lookup(fw->macs, dst, now_s);
	if (id == MAC_NONE) {
		flood(fw->ports, in, f);
		return;
	}
	out = fw->ports->by_id[id];
	if (out == in) {
		drop(in, DROP_SAME_PORT);
		return;
	}
	note_destination(in, id);
	in->counters.forwarded++;
	port_send(fw->ports, out, f);
}

void forward_empty(struct port *in)
{
	in->counters.received++;
	drop(in, DROP_RUNT);
}

void forward_refused(struct port *in, const struct frame *f)
{
	in->counters.received++;
	in->counters.received_bytes += f->len;
	drop(in, DROP_FILTER);
}
