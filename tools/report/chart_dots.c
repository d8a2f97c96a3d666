#include <math.h>

#include "chart.h"

enum { GUTTER = 100, PITCH = 9, PAD = 10 };
enum { BEYOND = 3 }; /* an interval may widen the axis so many times; longer ones end at its border */

static void range(const struct dots *dots, double *low, double *high)
{
    *low = isfinite(dots->line) ? dots->line : INFINITY;
    *high = isfinite(dots->line) ? dots->line : -INFINITY;
    for (int s = 0; s < dots->series_count; s++) {
        for (int i = 0; i < dots->series[s].count; i++) {
            const struct chart_point *p = &dots->series[s].points[i];
            if (!isfinite(p->x))
                continue;
            *low = fmin(*low, p->x);
            *high = fmax(*high, p->x);
        }
    }
    double least = *low / BEYOND, most = *high * BEYOND;
    for (int s = 0; s < dots->series_count; s++) {
        for (int i = 0; i < dots->series[s].count; i++) {
            const struct chart_point *p = &dots->series[s].points[i];
            if (isfinite(p->x) && isfinite(p->low) && isfinite(p->high)) {
                *low = fmin(*low, fmax(p->low, least));
                *high = fmax(*high, fmin(p->high, most));
            }
        }
    }
}

static void draw_point(const struct canvas *canvas, const struct axis *axis, const struct series *series,
                       const struct chart_point *p, double y)
{
    char class[16];
    if (!isfinite(p->x))
        return;
    snprintf(class, sizeof class, "hair s%d", series->style % CHART_STYLES);
    if (isfinite(p->low) && isfinite(p->high))
        canvas_line(canvas, class, axis_at(axis, p->low), y, axis_at(axis, p->high), y);
    canvas_mark(canvas, axis_at(axis, p->x), y, 3.5, series->style, series->faint, p->title);
}

void chart_dots(const struct canvas *canvas, const struct dots *dots)
{
    double low, high;
    range(dots, &low, &high);
    bool log = low > 0 && high > 3 * low;
    struct axis axis = axis_make(low, high, log, dots->unit, canvas->width > 500 ? 8 : 5);
    axis.from = GUTTER;
    axis.to = canvas->width - 14;
    double row = dots->series_count * PITCH + PAD, top = canvas_legend(canvas, 0, dots->series, dots->series_count, false) + 6;
    double bottom = top + row * dots->row_count;
    canvas_open(canvas, bottom + 44, dots->title);
    canvas_legend(canvas, 0, dots->series, dots->series_count, true);
    for (int r = 0; r < dots->row_count; r += 2) {
        html_open(canvas->html, "rect");
        html_attr(canvas->html, "class", "band");
        html_attr(canvas->html, "x", "0");
        html_attr(canvas->html, "y", "%.1f", top + r * row);
        html_attr(canvas->html, "width", "%d", canvas->width);
        html_attr(canvas->html, "height", "%.1f", row);
        html_close(canvas->html, "rect");
    }
    canvas_axis_bottom(canvas, &axis, bottom, top, dots->axis_title);
    if (axis_holds(&axis, dots->line))
        canvas_line(canvas, "one", axis_at(&axis, dots->line), top, axis_at(&axis, dots->line), bottom);
    for (int r = 0; r < dots->row_count; r++) {
        canvas_text(canvas, 4, top + r * row + row / 2 + 4, NULL, "start", GUTTER - 8, dots->rows[r]);
        for (int s = 0; s < dots->series_count; s++)
            if (r < dots->series[s].count)
                draw_point(canvas, &axis, &dots->series[s], &dots->series[s].points[r],
                           top + r * row + PAD / 2.0 + (s + 0.5) * PITCH);
    }
    canvas_close(canvas);
}
