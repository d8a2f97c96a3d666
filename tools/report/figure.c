#include "figure.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Three significant digits: 1234, 123, 12.3, 1.23, 0.123, 0.0123, 0.0012. */
static void digits(char text[FIGURE_ROOM], double value, const char *suffix)
{
    double size = fabs(value);
    if (size > 0 && size < 0.00995) { /* two digits, however small */
        snprintf(text, FIGURE_ROOM, "%.2g%s", value, suffix);
        return;
    }
    int decimals = size >= 99.95 || value == 0 ? 0 : size >= 9.995 ? 1 : size >= 0.9995 ? 2 : size >= 0.09995 ? 3 : 4;
    snprintf(text, FIGURE_ROOM, "%.*f%s", decimals, value, suffix);
}

static void scaled(char text[FIGURE_ROOM], double value, const char *const *suffixes, int count, double step)
{
    int i = 0;
    while (i + 1 < count && fabs(value) >= 999.5) {
        value /= step;
        i++;
    }
    digits(text, value, suffixes[i]);
}

const char *figure(char text[FIGURE_ROOM], double value, enum unit unit)
{
    static const char *const seconds[] = {" ns", " \xc2\xb5s", " ms", " s"};
    static const char *const flops[] = {" MFLOP/s", " GFLOP/s", " TFLOP/s"};
    static const char *const bandwidth[] = {" MB/s", " GB/s", " TB/s"};
    static const char *const bytes[] = {" B", " KiB", " MiB", " GiB"};
    if (!isfinite(value)) {
        snprintf(text, FIGURE_ROOM, "\xe2\x80\x93");
        return text;
    }
    switch (unit) {
    case UNIT_SECONDS:
        if (value == 0)
            snprintf(text, FIGURE_ROOM, "0 s");
        else
            scaled(text, value * 1e9, seconds, 4, 1e3);
        break;
    case UNIT_RATIO:
        digits(text, value, "\xc3\x97");
        break;
    case UNIT_SHARE:
        snprintf(text, FIGURE_ROOM, fabs(value) < 0.0995 ? "%.1f %%" : "%.0f %%", value * 100);
        break;
    case UNIT_FLOPS:
        scaled(text, value / 1e6, flops, 3, 1e3);
        break;
    case UNIT_BANDWIDTH:
        scaled(text, value / 1e6, bandwidth, 3, 1e3);
        break;
    case UNIT_BYTES:
        scaled(text, value, bytes, 4, 1024);
        break;
    case UNIT_INTENSITY:
        digits(text, value, " FLOP/B");
        break;
    case UNIT_HERTZ:
        digits(text, value / 1e9, " GHz");
        break;
    case UNIT_PLAIN:
        snprintf(text, FIGURE_ROOM, fabs(value) < 1000 ? "%.3g" : "%.6g", value);
        break;
    }
    return text;
}

const char *figure_tick(char text[FIGURE_ROOM], double value, enum unit unit)
{
    figure(text, value, unit);
    char *dot = strchr(text, '.'), *end = dot ? dot + 1 + strspn(dot + 1, "0123456789") : NULL, *kept = end;
    while (kept && kept > dot && (kept[-1] == '0' || kept[-1] == '.'))
        kept--;
    if (kept)
        memmove(kept, end, strlen(end) + 1);
    return text;
}

void text_add(char *text, size_t room, const char *format, ...)
{
    size_t used = strlen(text);
    va_list args;
    va_start(args, format);
    vsnprintf(text + used, room - used, format, args);
    va_end(args);
}
