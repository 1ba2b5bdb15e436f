/*
 * The inside of the loop: events that are no frames (loop_events.c), handed out by
 * loop.c.
 */
#ifndef LOOP_EVENTS_H
#define LOOP_EVENTS_H

struct sw;

/* The timers and signals of enum loop_op. */
void loop_on_second(struct sw *sw);
void loop_on_watchdog(struct sw *sw);
void loop_on_metrics(struct sw *sw);
void loop_on_tick(struct sw *sw);
void loop_on_trim(struct sw *sw);
void loop_on_signal(struct sw *sw);
void loop_on_stdin(struct sw *sw, int events);
void loop_on_keeper(struct sw *sw);

/* The end of a round: no timer runs when nothing waits, an idle switch sleeps. */
void loop_arm_timers(struct sw *sw);

/* The beginning of all. */
void loop_arm_watchdog(struct sw *sw);
void loop_watch_keeper(struct sw *sw);
void loop_watch_surroundings(struct sw *sw);

#endif
