/* Making the flows of each pattern. See plan.h. */
#include "plan.h"

#include <errno.h>
#include <stdlib.h>

const char *const plan_pattern_name[PLAN_PATTERN_COUNT] = {
	[PLAN_PAIRS] = "pairs",
	[PLAN_ONE_TO_MANY] = "one-to-many",
	[PLAN_MANY_TO_ONE] = "many-to-one",
	[PLAN_ALL_TO_ALL] = "all-to-all",
	[PLAN_BROADCAST] = "broadcast",
	[PLAN_UNKNOWN] = "unknown",
};

static bool is_to_everybody(const struct plan *plan)
{
	return plan->pattern == PLAN_BROADCAST || plan->pattern == PLAN_UNKNOWN;
}

static void add_sender(struct plan *plan, uint32_t port)
{
	plan->senders[plan->sender_count++] = (struct plan_sender){
		.port = port, .first = plan->flow_count,
	};
}

/* Of the sender that was added last. */
static void add_flow(struct plan *plan, uint32_t to)
{
	struct plan_sender *sender = &plan->senders[plan->sender_count - 1];

	plan->flows[plan->flow_count++] = (struct plan_flow){ sender->port, to };
	sender->count++;
}

/* All others in turns, beginning behind it: not everybody with the same one. */
static void add_others(struct plan *plan, uint32_t port)
{
	add_sender(plan, port);
	for (uint32_t i = 1; i < plan->ports; i++)
		add_flow(plan, (port + i) % plan->ports);
}

static void fill(struct plan *plan)
{
	switch (plan->pattern) {
	case PLAN_PAIRS:
		for (uint32_t port = 0; port < plan->ports; port += 2) {
			add_sender(plan, port);
			add_flow(plan, port + 1);
		}
		break;
	case PLAN_ONE_TO_MANY:
		add_others(plan, 0);
		break;
	case PLAN_MANY_TO_ONE:
		for (uint32_t port = 1; port < plan->ports; port++) {
			add_sender(plan, port);
			add_flow(plan, 0);
		}
		break;
	case PLAN_ALL_TO_ALL:
		for (uint32_t port = 0; port < plan->ports; port++)
			add_others(plan, port);
		break;
	case PLAN_BROADCAST:
	case PLAN_UNKNOWN:
	case PLAN_PATTERN_COUNT:
		add_sender(plan, 0);
		add_flow(plan, PLAN_EVERYBODY);
		break;
	}
}

int plan_init(struct plan *plan, enum plan_pattern pattern, unsigned int ports)
{
	const uint64_t flows = pattern == PLAN_ALL_TO_ALL ?
			       (uint64_t)ports * (ports - 1) : ports;

	*plan = (struct plan){ .pattern = pattern, .ports = ports,
			       .receivers = 1 };
	if (ports < 2 || (pattern == PLAN_PAIRS && ports % 2))
		return -EINVAL;
	if (flows > PLAN_FLOWS_MAX)
		return -E2BIG;
	if (is_to_everybody(plan))
		plan->receivers = ports - 1;
	plan->flows = calloc(flows, sizeof(*plan->flows));
	plan->senders = calloc(ports, sizeof(*plan->senders));
	if (!plan->flows || !plan->senders) {
		plan_fini(plan);
		return -ENOMEM;
	}
	fill(plan);
	return 0;
}

void plan_fini(struct plan *plan)
{
	free(plan->flows);
	free(plan->senders);
	plan->flows = NULL;
	plan->senders = NULL;
}

bool plan_is_far_end(enum plan_pattern pattern, unsigned int port)
{
	switch (pattern) {
	case PLAN_PAIRS:
	case PLAN_ALL_TO_ALL:
		return port % 2;
	case PLAN_MANY_TO_ONE:
		return port == 0;
	case PLAN_ONE_TO_MANY:
	case PLAN_BROADCAST:
	case PLAN_UNKNOWN:
	case PLAN_PATTERN_COUNT:
		break;
	}
	return port > 0;
}

bool plan_receives(const struct plan *plan, unsigned int port)
{
	return plan->pattern == PLAN_ALL_TO_ALL ||
	       plan_is_far_end(plan->pattern, port);
}

unsigned int plan_tracks(const struct plan *plan)
{
	return is_to_everybody(plan) ? plan->ports : plan->flow_count;
}

int64_t plan_track(const struct plan *plan, uint32_t flow, unsigned int port)
{
	if (flow >= plan->flow_count)
		return -1;
	if (is_to_everybody(plan))
		return port == plan->flows[flow].from ? -1 : (int64_t)port;
	return plan->flows[flow].to == port ? (int64_t)flow : -1;
}
