/*
 * Trace points: USDT probes of the provider "ringswitch", for bpftrace(8),
 * perf(1) and their like to attach to a switch that runs.
 *
 * A probe is one nop in the program and a note beside it that says where it is
 * and in which register or at which address each argument is found. Nobody is
 * asked whether somebody listens; what the arguments cost is an lea for the
 * address of a port's name, since all others are members of what the caller has
 * at hand. While somebody listens, a probe is a trap into the kernel: half a
 * microsecond each time.
 *
 * The functions are small, but compilers judge assembly by the length of its
 * text, which here is long: hence always_inline.
 *
 * What the probes and their arguments are is promised to users (ringswitch(8)):
 * new arguments go to the end, and bpftrace sees six at most. A frame's id is
 * the address of its struct: no other frame has it until the last copy of this
 * one has been sent or dropped.
 */
#ifndef TRACE_H
#define TRACE_H

#include <stdbool.h>
#include <stdint.h>

/* Given the choice, clang copies every argument to the stack; gcc leaves it
 * where it is. */
#ifdef __clang__
#define STAP_SDT_ARG_CONSTRAINT nr
#endif
#include <sys/sdt.h>

#include "frame.h"
#include "port.h"

#define TRACE static inline __attribute__((always_inline)) void

/* sdt.h's macros take a variable number of arguments, and sometimes none. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"

/* A tracer can only read what is in memory. A text that the switch itself never
 * reads may not be: it would be "" to the tracer. */
TRACE trace_fault_in(const char *text)
{
	(void)*(const volatile char *)text;
}

/* @p has received @f: before anything is decided about it. */
TRACE trace_frame_received(const struct frame *f, const struct port *p)
{
	STAP_PROBE5(ringswitch, frame__received, f, p->id, p->name, f->len,
		    f->data);
}

/* @f, which came in at @in, goes to @out: before it is queued there. */
TRACE trace_frame_forwarded(const struct frame *f, const struct port *in,
			    const struct port *out)
{
	STAP_PROBE6(ringswitch, frame__forwarded, f, in->id, in->name,
		    out->name, f->len, f->data);
}

/* @f goes to all ports but @in: the same probe, once for all of them. */
TRACE trace_frame_flooded(const struct frame *f, const struct port *in)
{
	const char *all = "*";

	trace_fault_in(all);
	STAP_PROBE6(ringswitch, frame__forwarded, f, in->id, in->name, all,
		    f->len, f->data);
}

/* The kernel has taken @f for @p. */
TRACE trace_frame_sent(const struct frame *f, const struct port *p)
{
	STAP_PROBE5(ringswitch, frame__sent, f, p->id, p->name, f->len,
		    f->data);
}

/*
 * A frame of @bytes goes no further: @p is its sender for the reasons before
 * DROP_FIRST_EGRESS, otherwise the receiver.
 */
TRACE trace_frame_dropped(const struct port *p, enum drop why, uint32_t bytes)
{
	const char *reason = drop_names[why];

	/* Otherwise the note could name drop_names itself, which tracers do
	 * not find in a stripped program. */
	__asm__("" : "+r"(reason));
	trace_fault_in(reason);
	STAP_PROBE4(ringswitch, frame__dropped, p->id, p->name, reason, bytes);
}

/* @p takes part, under its name, from now on. */
TRACE trace_port_up(const struct port *p)
{
	trace_fault_in(p->kind);
	STAP_PROBE3(ringswitch, port__up, p->id, p->name, p->kind);
}

/* @p, which was up, is no longer, for the reason @why (not NULL): before it
 * loses its name. */
TRACE trace_port_down(const struct port *p, const char *why)
{
	trace_fault_in(why);
	STAP_PROBE3(ringswitch, port__down, p->id, p->name, why);
}

/* @p takes nothing any more; the @dropped frames that waited are given up. */
TRACE trace_port_stalled(const struct port *p, uint32_t dropped)
{
	STAP_PROBE3(ringswitch, port__stalled, p->id, p->name, dropped);
}

/* A filter lets @f in at @p, or does not. */
TRACE trace_filter_verdict(const struct port *p, const struct frame *f,
			   bool admitted)
{
	STAP_PROBE4(ringswitch, filter__verdict, p->id, p->name,
		    (int32_t)admitted, f->len);
}

#pragma GCC diagnostic pop
#undef TRACE
#endif
