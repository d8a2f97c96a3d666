#include "axis.h"

#include <math.h>

bool axis_wants_log(double low, double high) { return low > 0 && high > 20 * low; }

/* The round numbers 1, 2, 5 times a power of ten: the largest that is not above x. */
static double round_down(double x)
{
    double power = pow(10, floor(log10(x))), digit = x / power;
    return power * (digit >= 5 ? 5 : digit >= 2 ? 2 : 1);
}

static double round_up(double x)
{
    double down = round_down(x);
    if (down >= x * (1 - 1e-12))
        return down;
    double power = pow(10, floor(log10(down * 1.001))), digit = round(down / power);
    return power * (digit < 2 ? 2 : digit < 5 ? 5 : 10);
}

static void linear_ticks(struct axis *axis, double low, double high, int most)
{
    double step = round_up((high > low ? high - low : high) / (most - 1));
    axis->low = step * floor(low / step * (1 + 1e-9));
    axis->high = step * ceil(high / step * (1 - 1e-9));
    if (axis->high <= axis->low)
        axis->high = axis->low + step;
    for (int i = 0; axis->low + i * step <= axis->high * (1 + 1e-9) && i < AXIS_TICKS; i++)
        axis->ticks[axis->tick_count++] = axis->low + i * step;
}

/* Ticks at 1, 2, 5 of each decade, or at each decade, or at each n-th, whichever is the first to be few enough. */
static void log_ticks(struct axis *axis, double low, double high, int most)
{
    axis->low = round_down(low * (1 + 1e-9));
    axis->high = round_up(high * (1 - 1e-9));
    if (axis->high <= axis->low * (1 + 1e-9))
        axis->high = round_up(axis->low * 1.5);
    int first = (int)floor(log10(axis->low) + 1e-9), last = (int)ceil(log10(axis->high) - 1e-9);
    for (int stride = 0; stride <= last - first + 1; stride++) {
        axis->tick_count = 0;
        int count = 0;
        for (int decade = first; decade <= last; decade++) {
            static const double digit[] = {1, 2, 5};
            for (int d = 0; d < (stride == 0 ? 3 : 1); d++) {
                double tick = digit[d] * pow(10, decade);
                bool wanted = stride == 0 || (decade - first) % stride == 0;
                if (!wanted || tick < axis->low * (1 - 1e-9) || tick > axis->high * (1 + 1e-9))
                    continue;
                if (count++ < most)
                    axis->ticks[axis->tick_count++] = tick;
            }
        }
        if (count <= most)
            return;
    }
}

struct axis axis_make(double low, double high, bool log, enum unit unit, int most)
{
    struct axis axis = {.log = log, .unit = unit};
    most = most < 2 ? 2 : most > AXIS_TICKS ? AXIS_TICKS : most;
    bool usable = isfinite(low) && isfinite(high) && high > 0 && low <= high && (!log || low > 1e-30) && high < 1e30;
    if (!usable) {
        low = log;
        high = log ? 10 : 1;
    }
    if (log)
        log_ticks(&axis, low, high, most);
    else
        linear_ticks(&axis, low, high, most);
    return axis;
}

bool axis_holds(const struct axis *axis, double value)
{
    return isfinite(value) && value >= axis->low * (1 - 1e-9) && value <= axis->high * (1 + 1e-9);
}

double axis_at(const struct axis *axis, double value)
{
    double v = fmin(fmax(value, axis->low), axis->high);
    double t = axis->log ? log(v / axis->low) / log(axis->high / axis->low) : (v - axis->low) / (axis->high - axis->low);
    return axis->from + t * (axis->to - axis->from);
}
