/* The line that says how far it is. See progress.h. */
#include "progress.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "load.h"
#include "now.h"

enum { EVERY_MS = 250 };

void progress_init(struct progress *p, bool wanted)
{
	*p = (struct progress){ .is_on = wanted && isatty(STDERR_FILENO) };
}

void progress_label(struct progress *p, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(p->label, sizeof(p->label), format, arguments);
	va_end(arguments);
	p->received = 0;
}

void progress_show(struct progress *p, uint64_t now, const struct shared *s)
{
	uint64_t sent, received;
	double seconds;

	if (!p->is_on || now - p->shown_ns < EVERY_MS * NS_PER_MS)
		return;
	sent = atomic_load_explicit(&s->sent, memory_order_relaxed);
	received = atomic_load_explicit(&s->received, memory_order_relaxed);
	seconds = (double)(now - p->shown_ns) / NS_PER_S;
	fprintf(stderr, "\r\033[K%s: %" PRIu64 " sent, %" PRIu64 " received",
		p->label, sent, received);
	if (p->shown_ns && received >= p->received)
		fprintf(stderr, ", %.0f/s", (double)(received - p->received) /
			seconds);
	fflush(stderr);
	p->shown_ns = now;
	p->received = received;
}

void progress_clear(struct progress *p)
{
	if (p->is_on && p->shown_ns)
		fputs("\r\033[K", stderr);
	p->shown_ns = 0;
}
