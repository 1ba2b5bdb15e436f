/* A captured frame as a line for people, and as JSON. */
#ifndef CTL_FRAME_LINE_H
#define CTL_FRAME_LINE_H

struct ctl;
struct seen_frame;

/* On stdout: time, port, direction, addresses, what it carries, bytes, and why
 * it was dropped. */
void frame_line_print(const struct ctl *ctl, const struct seen_frame *f);

#endif
