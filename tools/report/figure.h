/* How figures are written: in charts, in tables, in findings. */
#ifndef OSPREY_TOOLS_REPORT_FIGURE_H
#define OSPREY_TOOLS_REPORT_FIGURE_H

#include <stddef.h>

enum { FIGURE_ROOM = 32 };

/* What a figure is: how it is scaled and which unit stands behind it. */
enum unit {
    UNIT_PLAIN,
    UNIT_SECONDS,
    UNIT_RATIO,
    UNIT_SHARE,
    UNIT_FLOPS,
    UNIT_BYTES,
    UNIT_BANDWIDTH,
    UNIT_INTENSITY,
    UNIT_HERTZ
};

/* "12.3 ms", "2.41x" (with a multiplication sign), "61 %", "102 GFLOP/s"; three significant digits; NaN is a dash. Returns
 * `text`. */
const char *figure(char text[FIGURE_ROOM], double value, enum unit unit);

/* The same for a tick of an axis: "1 ms", not "1.00 ms". */
const char *figure_tick(char text[FIGURE_ROOM], double value, enum unit unit);

/* Adds words to a text in a buffer of `room` bytes; what has no room is cut. */
void text_add(char *text, size_t room, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
