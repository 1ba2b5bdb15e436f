#include "port_name.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "port.h"
#include "port_security.h"

struct port *port_by_name(const struct ports *ps, const char *name)
{
	for (uint16_t i = 0; i < ps->id_end; i++)
		if (ps->by_id[i]->state == PORT_UP &&
		    !strcmp(ps->by_id[i]->name, name))
			return ps->by_id[i];
	return NULL;
}

static struct port_past *past_find(struct ports *ps, const char *name)
{
	for (int i = 0; i < PORT_NAMES_KEPT; i++)
		if (!strcmp(ps->memory->past[i].name, name))
			return &ps->memory->past[i];
	return NULL;
}

/* A place for @name: its own, a free one, or the one taken longest ago. */
static struct port_past *past_place(struct ports *ps, const char *name)
{
	struct port_past *past = past_find(ps, name);

	if (!past)
		past = past_find(ps, "");
	if (past)
		return past;
	past = &ps->memory->past[ps->past_next];
	ps->past_next = (uint16_t)((ps->past_next + 1) % PORT_NAMES_KEPT);
	return past;
}

/* What it had counted is not gone any more: it is the port's again. What
 * it had been set to is there for who wants it. */
static void come_back(struct ports *ps, struct port *p)
{
	struct port_past *past = past_find(ps, p->name);

	p->named = true;
	if (!past)
		return;
	*p->counters = past->counters;
	port_counters_subtract(&ps->memory->gone, &past->counters);
	p->kept = true;
	p->last = past->settings;
	past->name[0] = '\0';
}

static void try_number(struct ports *ps, struct port *p, unsigned number)
{
	if (ps->numbers[number - 1])
		return;
	snprintf(p->name, sizeof(p->name), "%s%u", p->kind, number);
	if (port_by_name(ps, p->name))
		return;
	ps->numbers[number - 1] = true;
	p->number = (uint16_t)number;
}

/* Behind NAME, for the second and further ones: room for ".4097". */
enum { NAME_BYTES_NUMBERED = PORT_NAME_BYTES - 6 };

/* The number behind the dot of a name that begins as @name; 1 for @name itself,
 * 0 for another. */
static unsigned number_behind(const char *name, const char *of)
{
	size_t length = strnlen(name, NAME_BYTES_NUMBERED);
	unsigned number;
	int end = 0;

	if (!strcmp(of, name))
		return 1;
	if (strncmp(of, name, length) ||
	    sscanf(of + length, ".%4u%n", &number, &end) != 1 ||
	    of[length + (size_t)end] || number < 2 || number > PORTS_MAX + 1)
		return 0;
	return number;
}

/* One look at every port, however many have the name. */
static void try_name(const struct ports *ps, struct port *p, const char *name)
{
	bool taken[PORTS_MAX + 2] = { false };
	unsigned n = 1;

	for (uint16_t i = 0; i < ps->id_end; i++)
		if (ps->by_id[i]->state == PORT_UP)
			taken[number_behind(name, ps->by_id[i]->name)] = true;
	while (taken[n])
		n++;
	if (n == 1)
		snprintf(p->name, sizeof(p->name), "%s", name);
	else
		snprintf(p->name, sizeof(p->name), "%.*s.%u",
			 NAME_BYTES_NUMBERED, name, n);
}

void port_name_give(struct ports *ps, struct port *p, const char *name,
		    unsigned number)
{
	bool by_name = name && *name;

	if (by_name)
		try_name(ps, p, name);
	else if (number)
		try_number(ps, p, number);
	if (by_name || p->number) {
		come_back(ps, p);
		return;
	}
	/* There are as many numbers as ports; a name may stand in the way. */
	for (number = 1; number <= PORTS_MAX && !p->number; number++)
		try_number(ps, p, number);
}

void port_name_restore(struct ports *ps, struct port *p, const char *name,
		       unsigned number, bool named)
{
	snprintf(p->name, sizeof(p->name), "%s", name);
	p->named = named;
	if (!number || ps->numbers[number - 1])
		return;
	ps->numbers[number - 1] = true;
	p->number = (uint16_t)number;
}

void port_rename(struct port *p, const char *name)
{
	snprintf(p->name, sizeof(p->name), "%s", name);
	p->named = true;
}

void port_settings_of(const struct port *p, struct port_settings *to)
{
	*to = (struct port_settings){
		.flags = p->flags & (uint16_t)~PORT_OBSERVED,
		.mac_limit = p->mac_limit,
		.queue = p->queue_max,
	};
	memcpy(to->mirror_name, p->mirror_name, sizeof(p->mirror_name));
	port_storm_rates(p, to->storm_rates);
}

void port_name_leave(struct ports *ps, const struct port *p,
		     const struct port_counters *last)
{
	struct port_past *past;

	if (p->number)
		ps->numbers[p->number - 1] = false;
	if (!p->named)
		return;
	past = past_place(ps, p->name);
	snprintf(past->name, sizeof(past->name), "%s", p->name);
	past->counters = *last;
	port_settings_of(p, &past->settings);
}
