#include "port.h"

const char *const drop_names[DROP_COUNT] = {
	[DROP_RUNT] = "runt",
	[DROP_RX_TOO_LONG] = "rx_too_long",
	[DROP_SAME_PORT] = "same_port",
	[DROP_NO_PORT] = "no_port",
	[DROP_FILTER] = "filter",
	[DROP_ISOLATED] = "isolated",
	[DROP_LOCKED] = "locked",
	[DROP_MAC_LIMIT] = "mac_limit",
	[DROP_SPOOFED] = "spoofed",
	[DROP_STORM_BROADCAST] = "storm_bcast",
	[DROP_STORM_MULTICAST] = "storm_mcast",
	[DROP_STORM_UNKNOWN] = "storm_unknown",
	[DROP_ADMIN_DOWN] = "admin_down",
	[DROP_CRASH] = "crash",
	[DROP_QUEUE_FULL] = "queue_full",
	[DROP_STALLED] = "stalled",
	[DROP_TOO_LONG] = "too_long",
	[DROP_LINK_DOWN] = "link_down",
	[DROP_SEND_ERROR] = "send_error",
	[DROP_PORT_CLOSED] = "port_closed",
	[DROP_CRASH_QUEUED] = "crash_queued",
};

/* Add @more @times to @to; once less than never takes it away. */
static void fold(struct port_counters *to, const struct port_counters *more,
		 uint64_t times)
{
	to->received += times * more->received;
	to->received_bytes += times * more->received_bytes;
	to->forwarded += times * more->forwarded;
	to->flooded += times * more->flooded;
	to->offered += times * more->offered;
	to->sent += times * more->sent;
	to->sent_bytes += times * more->sent_bytes;
	to->stalls += times * more->stalls;
	for (int i = 0; i < DROP_COUNT; i++)
		to->drop[i] += times * more->drop[i];
}

void port_counters_add(struct port_counters *to, const struct port_counters *more)
{
	fold(to, more, 1);
}

void port_counters_subtract(struct port_counters *from,
			    const struct port_counters *less)
{
	fold(from, less, -(uint64_t)1);
}

static uint64_t drops(const struct port_counters *c, int from, int to)
{
	uint64_t sum = 0;

	for (int i = from; i < to; i++)
		sum += c->drop[i];
	return sum;
}

uint64_t port_dropped(const struct port_counters *c)
{
	return drops(c, 0, DROP_FIRST_EGRESS);
}

uint64_t port_undelivered(const struct port_counters *c)
{
	return drops(c, DROP_FIRST_EGRESS, DROP_COUNT);
}
