/* Axes of charts. */
#ifndef OSPREY_TOOLS_REPORT_AXIS_H
#define OSPREY_TOOLS_REPORT_AXIS_H

#include <stdbool.h>

#include "figure.h"

enum { AXIS_TICKS = 12 };

/* Maps values to pixels. `from` may be greater than `to`: an axis that points upward. */
struct axis {
    double low, high; /* values; low > 0 on a logarithmic axis */
    bool log;
    double from, to; /* pixels */
    enum unit unit;
    double ticks[AXIS_TICKS];
    int tick_count;
};

/* An axis over low..high, widened to round ticks, at most `most` of them (2..AXIS_TICKS). Of an empty or
 * unusable range (NaN, reversed, not positive on a logarithmic axis) it makes 0..1 or 1..10. */
struct axis axis_make(double low, double high, bool log, enum unit unit, int most);

double axis_at(const struct axis *axis, double value); /* clamped to the axis */
bool axis_holds(const struct axis *axis, double value);

/* Is a logarithmic axis called for? When the largest is more than 20 times the smallest. */
bool axis_wants_log(double low, double high);

#endif
