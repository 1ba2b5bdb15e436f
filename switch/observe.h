/*
 * Those who look on: captures get a copy of a port's frames, mirrors the frames
 * themselves. A port that nobody looks at has its PORT_OBSERVED clear, and no
 * frame of it comes here.
 */
#ifndef OBSERVE_H
#define OBSERVE_H

struct port;
struct sw;

/* From now on ports are looked after. */
void observe_start(struct sw *sw);

/* What captures and mirrors of @p have changed: look whether it is observed. */
void observe_port(struct sw *sw, struct port *p);

/* Ports or the names of mirrors have changed: find who mirrors to whom. */
void observe_find_mirrors(struct sw *sw);

#endif
